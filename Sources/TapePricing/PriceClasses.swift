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
  /// The classes by their model with the parts of their usage, and by their place among its prices.
  private var numbers = PairNumbers()
  /// Those at place 0 by their model and parts, -1 for none: without hashing, as nearly all calls are.
  private var plainNumbers: [Int32] = []

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
  /// - Parameter model: as `model(provider:model:)` numbered it.
  /// - Returns: nil for a usage that is impossible or not whole.
  package mutating func sort(
    _ call: Int, of columns: UsageColumnPointers, model: Int
  ) -> (number: Int, usage: BillableUsage)? {
    guard let usage = columns.usage(call) else { return nil }
    let at = Int64(columns.started[call])
    let place = models[model].schedule.place(prompt: usage.prompt, atNs: at)
    let key = model << 5 | usage.parts
    if place == 0, key < plainNumbers.count, plainNumbers[key] >= 0 { return (Int(plainNumbers[key]), usage) }
    let number = numbers.number(key, place)
    // Of the first 2048 models: names of models are recorded, and there may be any number of them.
    if place == 0, key < 1 << 16 { keepPlain(number, key) }
    // One call of it stands for all, as far as dates and sizes decide.
    if number == classes.count { addClass(usage, models[model].search, at) }
    return (number, usage)
  }

  private mutating func keepPlain(_ number: Int, _ key: Int) {
    if plainNumbers.count <= key { plainNumbers += repeatElement(-1, count: key + 1 - plainNumbers.count) }
    plainNumbers[key] = Int32(truncatingIfNeeded: number)
  }

  private mutating func addClass(_ usage: BillableUsage, _ search: PriceSearch, _ at: Int64) {
    do {
      let pricing = try search.pricing(of: usage, at: at, version: table.version).get()
      classes.append(PriceClass(prices: try pricing.prices().get(), notInUsage: names.bits(pricing.notInUsage)))
      problems.append(nil)
    } catch {
      // What has no cost has nothing that its cost leaves out.
      classes.append(PriceClass(unpriced: error.reason))
      problems.append(error)
    }
  }

  /// Why calls of a class have no cost; nil if they have one.
  package func problem(_ number: Int) -> Unpriced? { problems[number] }

  /// The names of a class's `notInUsage`, or of several together; sorted.
  package func names(_ notInUsage: UInt64) -> [String] { names.names(notInUsage) }
}

/// Where the usages of many calls are, a column for each number; `Int.min` stands for none.
package struct UsageColumnPointers {
  private let prompt: UnsafePointer<Int>
  private let completion: UnsafePointer<Int>
  private let cached: UnsafePointer<Int>
  private let reasoning: UnsafePointer<Int>
  private let total: UnsafePointer<Int>
  /// ns since 1970.
  fileprivate let started: UnsafePointer<Int>

  package init(
    prompt: UnsafePointer<Int>, completion: UnsafePointer<Int>, cached: UnsafePointer<Int>,
    reasoning: UnsafePointer<Int>, total: UnsafePointer<Int>, started: UnsafePointer<Int>
  ) {
    (self.prompt, self.completion, self.cached) = (prompt, completion, cached)
    (self.reasoning, self.total, self.started) = (reasoning, total, started)
  }

  /// nil for a usage that is impossible or not whole.
  fileprivate func usage(_ call: Int) -> BillableUsage? {
    let (prompt, completion, cached) = (prompt[call], completion[call], max(cached[call], 0))
    // Nearly all calls: no reasoning, and nothing of it can be wrong.
    if reasoning[call] == Int.min || reasoning[call] == 0, completion >= 0, cached <= prompt,
      self.cached[call] == Int.min || self.cached[call] >= 0, total[call] == Int.min || total[call] >= 0
    {
      return BillableUsage(
        prompt: prompt, completion: completion, cached: cached, reasoning: 0, reasoningIsOnTop: false)
    }
    let reading = BillableUsage.read(
      prompt: known(prompt), completion: known(completion), cached: known(self.cached[call]),
      reasoning: known(reasoning[call]), total: known(total[call]))
    guard case .usage(let usage) = reading else { return nil }
    return usage
  }

  private func known(_ number: Int) -> Int? { number == Int.min ? nil : number }
}

/// What calls of a class cost. No references in it: they would be counted for each of a million calls.
package struct PriceClass: Sendable {
  fileprivate var prices = CallPrices()
  /// Why they have no cost; nil if they have one.
  package fileprivate(set) var unpriced: Unpriced.Reason?
  /// What their model bills for that a usage does not tell: a set of names.
  package fileprivate(set) var notInUsage: UInt64 = 0

  /// Adds what a call costs, if that is known.
  package func add(_ usage: BillableUsage, to parts: inout CostParts) { parts.add(usage, at: prices) }
}

extension BillableUsage {
  /// Which of its parts there are: they decide which rates are needed, and which notes are made.
  fileprivate var parts: Int {
    (prompt > cached ? 1 : 0) | (cached > 0 ? 2 : 0) | (completion > 0 ? 4 : 0) | (reasoning > 0 ? 8 : 0)
      | (reasoningIsOnTop ? 16 : 0)
  }
}
