package import TapeJSON

package enum CostResult: Sendable, Equatable {
  case cost(Cost)
  case unknown(Unpriced)

  package var cost: Cost? {
    if case .cost(let cost) = self { return cost }
    return nil
  }
}

/// Why a call has no cost.
package struct Unpriced: Error, Equatable {
  /// What reports count by; the raw values are keys of their JSON.
  package enum Reason: String, Sendable, CaseIterable {
    /// The stream reported no usage.
    case noUsage = "no_usage"
    /// It reported one that is impossible or not whole.
    case badUsage = "bad_usage"
    case unknownProvider = "unknown_provider"
    case unknownModel = "unknown_model"
    /// The model is known, and has no price for tokens that the call used.
    case noRate = "no_rate"

    /// Where it stands in `allCases`.
    package var place: Int {
      switch self {
      case .noUsage: 0
      case .badUsage: 1
      case .unknownProvider: 2
      case .unknownModel: 3
      case .noRate: 4
      }
    }
  }

  package var reason: Reason
  /// One sentence for people.
  package var message: String

  package init(_ reason: Reason, _ message: String) {
    self.reason = reason
    self.message = message
  }
}

/// US dollars, exact; the parts sum to the total.
package struct Cost: Sendable, Equatable {
  package var total: DecimalNumber
  /// Prompt tokens that were not read from a cache.
  package var input: DecimalNumber
  package var cached: DecimalNumber
  package var output: DecimalNumber
  /// Only if reasoning is billed on top of completion.
  package var reasoning: DecimalNumber?
  /// The fee per request, where there is one.
  package var request: DecimalNumber
  /// `provider/model` of the table.
  package var priceModel: String
  package var priceVersion: String
  /// The prices that the parts were multiplied with.
  package var rates: AppliedRates
  /// What the model bills for that a usage does not tell.
  package var notInUsage: [String]
  package var notes: [String]

  /// The `cost` object of `show`.
  package var json: JSONValue {
    [
      "total_usd": .string(total.description), "input_usd": .string(input.description),
      "cached_usd": .string(cached.description), "output_usd": .string(output.description),
      "reasoning_usd": .string(reasoning?.description), "request_usd": .string(request.description),
      "price_model": .string(priceModel), "price_version": .string(priceVersion),
      "notes": .array(notes.map { .string($0) }), "rates": rates.json,
    ]
  }
}

/// The prices that held for a call: USD per million tokens, `request` per request. nil where there is none.
package struct AppliedRates: Sendable, Equatable {
  package var input: DecimalNumber?
  package var cached: DecimalNumber?
  package var output: DecimalNumber?
  package var reasoning: DecimalNumber?
  package var request: DecimalNumber?
  /// They are those for prompts above so many tokens.
  package var aboveTokens: Int?
  /// They hold from this UTC day on.
  package var from: String?
  /// They hold between these UTC times of day.
  package var hours: [String]?

  package init() {}

  init(_ row: PriceRow, prompt: Int) {
    input = row.input?.price(prompt: prompt)
    cached = (row.cached ?? row.input)?.price(prompt: prompt)
    output = row.output?.price(prompt: prompt)
    reasoning = row.reasoning?.price(prompt: prompt)
    request = row.requests?.price(prompt: prompt).shifted(by: -3)
    aboveTokens = [row.input, row.cached, row.output, row.reasoning].compactMap { $0?.tier(prompt: prompt) }.max()
    from = row.fromText
    hours = row.timesText
  }

  package var json: JSONValue {
    [
      "input_usd": .string(input?.description), "cached_usd": .string(cached?.description),
      "output_usd": .string(output?.description), "reasoning_usd": .string(reasoning?.description),
      "request_usd": .string(request?.description), "above_tokens": .int(aboveTokens), "from": .string(from),
      "utc": hours.map { .array($0.map { .string($0) }) } ?? .null,
    ]
  }
}

/// The token counts of one call, checked: none negative, cached within prompt, reasoning
/// within completion or on top of it.
package struct BillableUsage: Sendable {
  let prompt: Int
  let completion: Int
  let cached: Int
  let reasoning: Int
  /// The provider counts reasoning beside completion: total = prompt + completion + reasoning.
  let reasoningIsOnTop: Bool

  /// That of a call that used nothing.
  package static let nothing = BillableUsage(
    prompt: 0, completion: 0, cached: 0, reasoning: 0, reasoningIsOnTop: false)

  enum Reading {
    case usage(BillableUsage)
    case unknown(Unpriced)
  }

  static func read(prompt: Int?, completion: Int?, cached: Int?, reasoning: Int?, total: Int?) -> Reading {
    guard let prompt else { return bad("prompt tokens are unknown") }
    // A provider that generates nothing (embeddings) reports prompt and total only.
    guard let completion = completion ?? (total == prompt ? 0 : nil) else {
      return bad("completion tokens are unknown")
    }
    let (cached, reasoning) = (cached ?? 0, reasoning ?? 0)
    // One after the other: `min` of so many would make an array for each call.
    if prompt < 0 || completion < 0 || cached < 0 || reasoning < 0 || total ?? 0 < 0 {
      let least = min(prompt, completion, cached, reasoning, total ?? 0)
      return bad("a token count is negative: \(least)")
    }
    if cached > prompt { return bad("cached tokens (\(cached)) are more than prompt tokens (\(prompt))") }
    let sum = Int128(prompt) + Int128(completion) + Int128(reasoning)
    let isOnTop = reasoning > 0 && total.map { Int128($0) == sum } ?? false
    if reasoning > completion, !isOnTop {
      return bad("reasoning tokens (\(reasoning)) are more than completion tokens (\(completion))")
    }
    return .usage(
      BillableUsage(
        prompt: prompt, completion: completion, cached: cached, reasoning: reasoning, reasoningIsOnTop: isOnTop))
  }

  private static func bad(_ message: String) -> Reading { .unknown(Unpriced(.badUsage, message)) }
}
