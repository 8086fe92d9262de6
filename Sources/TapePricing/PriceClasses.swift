package import TapeTypes

/// Prices many calls at once.
///
/// As long as the same rates hold a cost is linear in the tokens, so calls are sorted into classes of which each call
/// has the same rates, parts and notes; their tokens are added up first and multiplied then. The sums are exact, and
/// the same to the digit as those of single calls.
package struct PriceClasses {
  private let table: PriceTable
  private var models: [Model] = []
  private var classes: [Class] = []
  /// The classes by their model with the parts of their usage, and by their place among its prices.
  private var numbers = PairNumbers()

  package init(_ table: PriceTable) { self.table = table }

  /// How many classes there are so far; they are numbered from 0.
  package var count: Int { classes.count }

  private struct Model {
    var search: PriceSearch
    var schedule: PriceSchedule
  }

  private struct Class {
    var prices: Result<CallPrices, Unpriced>
    /// Of `notInUsage`.
    var notInUsage: Int
  }

  /// Sets of what models bill for that a usage does not tell.
  package private(set) var notInUsage = NameSets()

  /// The number of a provider's model, for `add`.
  package mutating func model(provider: String?, model: String?) -> Int {
    let search = table.find(provider: provider, model: model)
    models.append(Model(search: search, schedule: PriceSchedule(search)))
    return models.count - 1
  }

  /// More tokens than these are added to no other ones, lest a sum be too large.
  private static let mostAdded = 1 << 32

  /// The class of a call, and what it adds to its tokens.
  ///
  /// - Parameters:
  ///   - model: as `model(provider:model:)` numbered it.
  ///   - at: ns since 1970.
  /// - Returns: nil for a usage that is impossible or not whole.
  package mutating func add(
    model: Int, prompt: Int?, completion: Int?, cached: Int?, reasoning: Int?, total: Int?, at: Int64
  ) -> (number: Int, tokens: PricedTokens)? {
    let reading = BillableUsage.read(
      prompt: prompt, completion: completion, cached: cached, reasoning: reasoning, total: total)
    guard case .usage(let usage) = reading else { return nil }
    var place = models[model].schedule.place(prompt: usage.prompt, atNs: at)
    // In a class of its own.
    if max(usage.prompt, usage.completion, usage.reasoning) > Self.mostAdded { place = -1 - classes.count }
    let number = numbers.number(model << 5 | usage.parts, place)
    // One call of it stands for all, as far as dates and sizes decide.
    if number == classes.count { classes.append(newClass(usage, models[model].search, at)) }
    return (number, PricedTokens(usage))
  }

  private mutating func newClass(_ usage: BillableUsage, _ search: PriceSearch, _ at: Int64) -> Class {
    switch search.pricing(of: usage, at: at, version: table.version) {
    case .success(let pricing):
      let prices = pricing.prices()
      // What has no cost has nothing that its cost leaves out.
      let others = (try? prices.get()) == nil ? [] : pricing.notInUsage
      return Class(prices: prices, notInUsage: notInUsage.number(others))
    case .failure(let why): return Class(prices: .failure(why), notInUsage: NameSets.empty)
    }
  }

  /// Why calls of a class have no cost; nil if they have one.
  package func problem(_ number: Int) -> Unpriced? {
    if case .failure(let why) = classes[number].prices { return why }
    return nil
  }

  /// What the model of a class bills for that a usage does not tell: a set of `notInUsage`.
  package func notInUsage(_ number: Int) -> Int { classes[number].notInUsage }

  /// Adds what calls of a class cost together; nothing if that is not known.
  package func add(_ number: Int, _ tokens: PricedTokens, to parts: inout CostParts?) {
    guard case .success(let prices) = classes[number].prices else { return }
    if parts == nil { parts = CostParts() }
    parts?.add(tokens.usage, calls: tokens.calls, at: prices)
  }
}

/// Tokens of calls of one class, added up.
package struct PricedTokens: Sendable {
  package private(set) var calls = 0
  private var prompt = 0
  private var completion = 0
  private var cached = 0
  private var reasoning = 0
  private var reasoningIsOnTop = false

  package init(calls: Int = 0) { self.calls = calls }

  init(_ usage: BillableUsage) {
    calls = 1
    prompt = usage.prompt
    completion = usage.completion
    cached = usage.cached
    reasoning = usage.reasoning
    reasoningIsOnTop = usage.reasoningIsOnTop
  }

  package static func += (left: inout PricedTokens, right: PricedTokens) {
    left.calls += right.calls
    left.prompt += right.prompt
    left.completion += right.completion
    left.cached += right.cached
    left.reasoning += right.reasoning
    left.reasoningIsOnTop = right.reasoningIsOnTop
  }

  var usage: BillableUsage {
    BillableUsage(
      prompt: prompt, completion: completion, cached: cached, reasoning: reasoning, reasoningIsOnTop: reasoningIsOnTop)
  }
}

extension BillableUsage {
  /// Which of its parts there are: they decide which rates are needed, and which notes are made.
  fileprivate var parts: Int {
    (prompt > cached ? 1 : 0) | (cached > 0 ? 2 : 0) | (completion > 0 ? 4 : 0) | (reasoning > 0 ? 8 : 0)
      | (reasoningIsOnTop ? 16 : 0)
  }
}
