internal import TapeTypes

/// Prices many calls at once.
///
/// Calls are sorted into classes of which each call has the same rates, parts and notes, so that those are looked up once
/// and a call is a few multiplications. The sums are exact, and the same to the digit as those of single calls.
package struct PriceClasses {
  private let table: PriceTable
  /// What models lead to, and when that changes.
  private var searches: [PriceSearch] = []
  private var schedules: [PriceSchedule] = []
  package private(set) var classes: [PriceClass] = []
  /// The model of each class.
  package private(set) var models: [Int] = []
  /// Why calls of a class have no cost; nil if they have one.
  private var problems: [Unpriced?] = []
  /// The classes by their model with the parts of their usage, and by their place among its prices.
  private var numbers = PairNumbers()
  /// Those at place 0 by their model and parts, -1 for none: without hashing, as nearly all calls are.
  private var plainNumbers: [Int32] = []

  package init(_ table: PriceTable) { self.table = table }

  private var names = NameBits()

  /// The number of a provider's model, for `sort`.
  package mutating func model(provider: String?, model: String?) -> Int {
    let search = table.find(provider: provider, model: model)
    searches.append(search)
    schedules.append(PriceSchedule(search))
    return searches.count - 1
  }

  /// Finds the classes of calls.
  ///
  /// - Parameters:
  ///   - calls: where they stand in the columns.
  ///   - models: for each place in the columns, the model as `model(provider:model:)` numbered it.
  ///   - sorted: one for each of the calls. Those that are `unsorted` get their class, numbered from `first` on.
  ///   - impossible: what those become whose usage is impossible or not whole.
  package mutating func sort(
    _ calls: [Int], of columns: UsageColumnPointers, models: [Int], into sorted: inout [ClassedUsage],
    from first: Int, impossible: Int
  ) {
    sorted.withUnsafeMutableBufferPointer { sorted in
      for (place, call) in calls.enumerated() where sorted[place].number == ClassedUsage.unsorted {
        if let usage = columns.usage(call) {
          sorted[place] = ClassedUsage(
            number: first + number(of: usage, model: models[call], atNs: Int64(columns.started[call])), usage: usage)
        } else {
          sorted[place].number = impossible
        }
      }
    }
  }

  private mutating func number(of usage: BillableUsage, model: Int, atNs time: Int64) -> Int {
    let place = schedules[model].isPlain ? 0 : schedules[model].place(prompt: usage.prompt, atNs: time)
    let key = model << 5 | usage.parts
    if place == 0, key < plainNumbers.count, plainNumbers[key] >= 0 { return Int(plainNumbers[key]) }
    let number = numbers.number(key, place)
    // Of the first 2048 models: names of models are recorded, and there may be any number of them.
    if place == 0, key < 1 << 16 { keepPlain(number, key) }
    // One call of it stands for all, as far as dates and sizes decide.
    if number == classes.count {
      models.append(model)
      addClass(usage, searches[model], time)
    }
    return number
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

/// A call of many, sorted by what decides on its cost.
package struct ClassedUsage: Sendable {
  /// Its class is still to be found.
  package static var unsorted: Int { -1 }

  /// As `PriceClasses.sort` numbers it.
  package fileprivate(set) var number: Int
  fileprivate var usage = BillableUsage.nothing

  package init(number: Int) { self.number = number }

  fileprivate init(number: Int, usage: BillableUsage) { (self.number, self.usage) = (number, usage) }
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
  package func add(_ call: ClassedUsage, to parts: inout CostParts) { parts.add(call.usage, at: prices) }
}

extension BillableUsage {
  /// Which of its parts there are: they decide which rates are needed, and which notes are made.
  fileprivate var parts: Int {
    (prompt > cached ? 1 : 0) | (cached > 0 ? 2 : 0) | (completion > 0 ? 4 : 0) | (reasoning > 0 ? 8 : 0)
      | (reasoningIsOnTop ? 16 : 0)
  }
}
