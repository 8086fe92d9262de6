package import TapeJSON

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
  package var notes: [String]

  /// The `cost` object of `show`.
  package var json: JSONValue {
    [
      "total_usd": .string(total.description), "input_usd": .string(input.description),
      "cached_usd": .string(cached.description), "output_usd": .string(output.description),
      "reasoning_usd": .string(reasoning?.description), "request_usd": .string(request.description),
      "price_model": .string(priceModel), "price_version": .string(priceVersion),
      "notes": .array(notes.map { .string($0) }),
    ]
  }
}

/// The token counts of one call, checked: none negative, cached within prompt, reasoning
/// within completion or on top of it.
struct BillableUsage {
  let prompt: Int
  let completion: Int
  let cached: Int
  let reasoning: Int
  /// The provider counts reasoning beside completion: total = prompt + completion + reasoning.
  let reasoningIsOnTop: Bool

  enum Reading {
    case usage(BillableUsage)
    case unknown(String)
  }

  static func read(prompt: Int?, completion: Int?, cached: Int?, reasoning: Int?, total: Int?) -> Reading {
    guard let prompt else { return .unknown("prompt tokens are unknown") }
    // A provider that generates nothing (embeddings) reports prompt and total only.
    guard let completion = completion ?? (total == prompt ? 0 : nil) else {
      return .unknown("completion tokens are unknown")
    }
    let (cached, reasoning) = (cached ?? 0, reasoning ?? 0)
    if let negative = [prompt, completion, cached, reasoning, total ?? 0].first(where: { $0 < 0 }) {
      return .unknown("a token count is negative: \(negative)")
    }
    if cached > prompt { return .unknown("cached tokens (\(cached)) are more than prompt tokens (\(prompt))") }
    let sum = Int128(prompt) + Int128(completion) + Int128(reasoning)
    let isOnTop = reasoning > 0 && total.map { Int128($0) == sum } ?? false
    if reasoning > completion, !isOnTop {
      return .unknown("reasoning tokens (\(reasoning)) are more than completion tokens (\(completion))")
    }
    return .usage(
      BillableUsage(
        prompt: prompt, completion: completion, cached: cached, reasoning: reasoning, reasoningIsOnTop: isOnTop))
  }
}
