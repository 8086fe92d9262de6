package import TapeJSON

/// Prices by provider and model, dated; from `schema/prices.json` unless given.
package struct PriceTable: Sendable {
  /// The table that is compiled in; read on first use.
  package static let bundled = PriceTable()

  package var version: String { "" }

  /// What a call cost, or why that is not known. `total` is what the provider said, to see
  /// whether it bills reasoning on top of completion.
  ///
  /// - Parameter at: ns since 1970, UTC: prices have dates and times of day.
  package func cost(
    provider: String?, model: String?, prompt: Int?, completion: Int?, cached: Int?, reasoning: Int?, total: Int?,
    at: Int64
  ) -> CostResult { .unknown("no prices") }
}

package enum CostResult: Sendable, Equatable {
  case cost(Cost)
  /// The reason, as one sentence for people.
  case unknown(String)

  package var cost: Cost? {
    if case .cost(let cost) = self { return cost }
    return nil
  }
}

/// US dollars, exact; the parts sum to the total.
package struct Cost: Sendable, Equatable {
  package var total: DecimalNumber
  package var input: DecimalNumber
  package var cached: DecimalNumber
  package var output: DecimalNumber
  /// Only if reasoning is billed on top of completion.
  package var reasoning: DecimalNumber?
  package var request: DecimalNumber
  /// `provider/model` of the table.
  package var priceModel: String
  package var priceVersion: String
  package var notes: [String]

  /// The `cost` object of `show`.
  package var json: JSONValue { .object([]) }
}
