internal import TapeTypes

/// Prices many calls at once.
///
/// Calls are sorted into classes of which each call has the same rates, parts and notes, so that those are looked up once
/// and a call is a few multiplications. The sums are exact, and the same to the digit as those of single calls.
package struct PriceClasses {
  private let table: PriceTable
  private var models: [Model] = []
  package private(set) var classes: [PriceClass] = []
  /// Why calls of a class have no cost; nil if they have one.
  private var problems: [Unpriced?] = []
  /// The prices of classes whose prices are no whole numbers of units, or too large for that.
  private var oddPrices: [Int: CallPrices] = [:]
  /// The classes by their model with the parts of their usage, and by their place among its prices.
  private var numbers = PairNumbers()

  package init(_ table: PriceTable) { self.table = table }

  private struct Model {
    var search: PriceSearch
    var schedule: PriceSchedule
  }

  private var names = NameBits()

  /// The number of a provider's model, for `add`.
  package mutating func model(provider: String?, model: String?) -> Int {
    let search = table.find(provider: provider, model: model)
    models.append(Model(search: search, schedule: PriceSchedule(search)))
    return models.count - 1
  }

  /// The class of a call, and what of its usage is billed.
  ///
  /// - Parameters:
  ///   - model: as `model(provider:model:)` numbered it.
  ///   - at: ns since 1970.
  /// - Returns: nil for a usage that is impossible or not whole.
  package mutating func sort(
    model: Int, prompt: Int?, completion: Int?, cached: Int?, reasoning: Int?, total: Int?, at: Int64
  ) -> (number: Int, usage: BillableUsage)? {
    let reading = BillableUsage.read(
      prompt: prompt, completion: completion, cached: cached, reasoning: reasoning, total: total)
    guard case .usage(let usage) = reading else { return nil }
    let place = models[model].schedule.place(prompt: usage.prompt, atNs: at)
    let number = numbers.number(model << 5 | usage.parts, place)
    // One call of it stands for all, as far as dates and sizes decide.
    if number == classes.count { addClass(usage, models[model].search, at) }
    return (number, usage)
  }

  private mutating func addClass(_ usage: BillableUsage, _ search: PriceSearch, _ at: Int64) {
    do {
      let pricing = try search.pricing(of: usage, at: at, version: table.version).get()
      let prices = try pricing.prices().get()
      let units = CallUnits(prices)
      if units == nil { oddPrices[classes.count] = prices }
      classes.append(
        PriceClass(
          units: units ?? CallUnits(), isOdd: units == nil, notInUsage: names.bits(pricing.notInUsage)))
      problems.append(nil)
    } catch {
      // What has no cost has nothing that its cost leaves out.
      classes.append(PriceClass(unpriced: error.reason))
      problems.append(error)
    }
  }

  /// Why calls of a class have no cost; nil if they have one.
  package func problem(_ number: Int) -> Unpriced? { problems[number] }

  /// Adds what a call of a class whose prices are odd costs.
  package func addOdd(_ usage: BillableUsage, _ number: Int, to parts: inout CostParts) {
    if let prices = oddPrices[number] { parts.add(usage, at: prices) }
  }

  /// The names of a class's `notInUsage`, or of several together; sorted.
  package func names(_ notInUsage: UInt64) -> [String] { names.names(notInUsage) }
}

/// What calls of a class cost. No references in it: they would be counted for each of a million calls.
package struct PriceClass: Sendable {
  fileprivate var units = CallUnits()
  /// Its prices are no whole numbers of units that fit: `PriceClasses.addOdd` adds what a call costs.
  package fileprivate(set) var isOdd = false
  /// Why they have no cost; nil if they have one.
  package fileprivate(set) var unpriced: Unpriced.Reason?
  /// What their model bills for that a usage does not tell: a set of names.
  package fileprivate(set) var notInUsage: UInt64 = 0

  /// Adds what a call costs, if that is known and not odd.
  package func add(_ usage: BillableUsage, to parts: inout CostParts) { parts.add(usage, at: units) }
}

extension BillableUsage {
  /// Which of its parts there are: they decide which rates are needed, and which notes are made.
  fileprivate var parts: Int {
    (prompt > cached ? 1 : 0) | (cached > 0 ? 2 : 0) | (completion > 0 ? 4 : 0) | (reasoning > 0 ? 8 : 0)
      | (reasoningIsOnTop ? 16 : 0)
  }
}
