package import TapeJSON
package import TapeTypes

/// A price that somebody gave for a model of a provider, in place of the table's.
package struct PriceOverride: Sendable, Equatable {
  /// orq's name of the provider, or the table's: then it goes for all of orq's that the table means by it.
  package var provider: String
  /// As calls name the model, or as the table does: then it goes for all names of it.
  package var model: String
  /// The UTC day from which it holds, `YYYY-MM-DD`; nil for always.
  package var from: String?
  /// When it was given, RFC 3339.
  package var setAt: String
  /// USD per million tokens; what is nil is as the table has it.
  package var input: DecimalNumber
  package var output: DecimalNumber
  package var cached: DecimalNumber?
  package var reasoning: DecimalNumber?
  /// USD per request.
  package var request: DecimalNumber?

  package init(
    provider: String, model: String, from: String?, setAt: String, input: DecimalNumber, output: DecimalNumber
  ) {
    self.provider = provider
    self.model = model
    self.from = from
    self.setAt = setAt
    self.input = input
    self.output = output
  }

  /// What figures say that they come from: `override 2026-11-23`.
  package var version: String { "override \(setAt.prefix(10))" }

  func holds(atNs time: Int64) -> Bool { PriceTimes(from: day).holds(atNs: time) }

  /// `from` in days since 1970.
  var day: Int? { from.flatMap(CivilDate.days) }

  func isSame(as other: PriceOverride) -> Bool {
    names(provider: other.provider, model: other.model) && from == other.from
  }

  func names(provider: String, model: String) -> Bool {
    self.provider.lowercased() == provider.lowercased() && self.model.lowercased() == model.lowercased()
  }

  var name: String { "\(provider)/\(model)" }

  /// How a price came about.
  ///
  /// - Parameters:
  ///   - found: what the table has, for the rates that were not given.
  ///   - table: its version.
  func notes(instead found: FoundModel?, at time: Int64, table: String) -> [String] {
    let place = found.map { ", instead of \($0.name) of \(table)" } ?? ""
    var notes = (found?.notes ?? []) + ["priced by an override of \(setAt)\(place)"]
    let kept = keptRates(found?.model.row(atNs: time))
    if !kept.isEmpty { notes.append("the override does not give \(kept.joined(separator: ", ")): as in \(table)") }
    return notes
  }

  /// The rates that a row of the table has and this has not.
  private func keptRates(_ row: PriceRow?) -> [String] {
    [
      cached == nil && row?.cached != nil ? "cached" : nil,
      reasoning == nil && row?.reasoning != nil ? "reasoning" : nil,
      request == nil && row?.requests != nil ? "request" : nil,
    ].compactMap(\.self)
  }

  func row(over table: PriceRow?) -> PriceRow {
    var row = PriceRow()
    row.from = from.flatMap(CivilDate.days)
    row.fromText = from
    row.input = Rate(input)
    row.output = Rate(output)
    row.cached = cached.map { Rate($0) } ?? table?.cached
    row.reasoning = reasoning.map { Rate($0) } ?? table?.reasoning
    row.requests = request.map { Rate($0.shifted(by: 3)) } ?? table?.requests
    return row
  }

  /// As it stands in the file of overrides.
  package var json: JSONValue {
    func number(_ value: DecimalNumber?) -> JSONValue { value.map { .number($0.description) } ?? .null }
    return [
      "provider": .string(provider), "model": .string(model), "from": .string(from), "set_at": .string(setAt),
      "input": number(input), "output": number(output), "cached": number(cached), "reasoning": number(reasoning),
      "request": number(request),
    ]
  }

  /// - Throws: what is wrong with it.
  init(_ json: JSONValue) throws(PriceProblem) {
    guard let provider = json["provider"]?.string, let model = json["model"]?.string,
      let setAt = json["set_at"]?.string,
      !provider.isEmpty, !model.isEmpty
    else { throw PriceProblem("an override has no provider, model or set_at") }
    func rate(_ key: String) throws(PriceProblem) -> DecimalNumber? {
      guard let value = json[key], !value.isNull else { return nil }
      do { return try Rate(value).base } catch {
        throw PriceProblem("the override of \(provider)/\(model) has a rate for \(key) that \(error.message)")
      }
    }
    guard let input = try rate("input"), let output = try rate("output") else {
      throw PriceProblem("the override of \(provider)/\(model) has no rate for input or output")
    }
    let from = json["from"]?.string
    if let from, CivilDate.days(from) == nil {
      throw PriceProblem("the override of \(provider)/\(model) has a from that is no date: \(from)")
    }
    self.init(provider: provider, model: model, from: from, setAt: setAt, input: input, output: output)
    cached = try rate("cached")
    reasoning = try rate("reasoning")
    request = try rate("request")
  }
}

/// Prices given by hand, one for a provider, model and day.
package struct PriceOverrides: Sendable, Equatable {
  static let format = "tapedeck-price-overrides/1"

  package private(set) var list: [PriceOverride] = []

  package init() {}

  package var isEmpty: Bool { list.isEmpty }

  /// Puts one in the place of that for the same provider, model and day.
  package mutating func set(_ override: PriceOverride) {
    list.removeAll { $0.isSame(as: override) }
    list.append(override)
  }

  /// - Parameter from: only the one that holds from this day; nil for all of the model.
  /// - Returns: how many there were.
  package mutating func remove(provider: String, model: String, from: String?) -> Int {
    let before = list.count
    list.removeAll { $0.names(provider: provider, model: model) && (from == nil || $0.from == from) }
    return before - list.count
  }

  package var json: JSONValue { ["format": .string(Self.format), "overrides": .array(list.map(\.json))] }

  /// - Throws: `TapeError.failed` if it is not of that format.
  package init(json: [UInt8]) throws(TapeError) {
    guard let value = try? JSONValue(parsing: json), value["format"]?.string == Self.format,
      let list = value["overrides"]?.array
    else { throw TapeError(.failed, "it is not of the format \(Self.format)") }
    do throws(PriceProblem) {
      for item in list { set(try PriceOverride(item)) }
    } catch { throw TapeError(.failed, error.message) }
  }
}
