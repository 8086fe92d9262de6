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
    guard case .usage(let usage) = columns.usage(call) else { return nil }
    let at = Int64(columns.started[call])
    let place = models[model].schedule.place(prompt: usage.prompt, atNs: at)
    let number = numbers.number(model << 5 | usage.parts, place)
    // One call of it stands for all, as far as dates and sizes decide.
    if number == classes.count { addClass(usage, models[model].search, at) }
    return (number, usage)
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

  fileprivate func usage(_ call: Int) -> BillableUsage.Reading {
    BillableUsage.read(
      prompt: known(prompt[call]), completion: known(completion[call]), cached: known(cached[call]),
      reasoning: known(reasoning[call]), total: known(total[call]))
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
