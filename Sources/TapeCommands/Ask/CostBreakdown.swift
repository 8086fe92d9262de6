internal import TapeJSON

/// How a cost came about, as people would write it: ` = (36 × 2.5 + 64 × 1.25 + 20 × 10) ÷ 1,000,000`.
struct CostBreakdown {
  private let cost: JSONValue
  private let usage: JSONValue?

  init(_ cost: JSONValue, usage: JSONValue?) {
    self.cost = cost
    self.usage = usage
  }

  /// Empty where nothing was multiplied.
  var text: String {
    guard let rates = cost["rates"], !rates.isNull, let prompt = count("prompt_tokens") else { return "" }
    let cached = count("cached_tokens") ?? 0
    let reasoning = count("reasoning_tokens") ?? 0
    let isOnTop = cost["reasoning_usd"]?.string != nil
    let hasOwnRate = rates["reasoning_usd"]?.string != nil && reasoning > 0 && !isOnTop
    var parts = [part(prompt - cached, rates["input_usd"]), part(cached, rates["cached_usd"])]
    parts.append(part((count("completion_tokens") ?? 0) - (hasOwnRate ? reasoning : 0), rates["output_usd"]))
    if hasOwnRate || isOnTop {
      let own = rates["reasoning_usd"]
      parts.append(part(reasoning, own?.isNull == false ? own : rates["output_usd"]))
    }
    let tokens = parts.compactMap(\.self).joined(separator: " + ")
    var sum = tokens.isEmpty ? "" : " = (\(tokens)) ÷ 1,000,000"
    if let fee = rates["request_usd"]?.string { sum += " + \(fee) a request" }
    return sum + condition(rates)
  }

  private func count(_ key: String) -> Int? { usage?[key]?.integer }

  private func part(_ tokens: Int, _ rate: JSONValue?) -> String? {
    guard tokens > 0, let rate = rate?.string else { return nil }
    return "\(tokens) × \(rate)"
  }

  /// `, rates above 200000 tokens, from 2026-03-13, 00:30–16:30 UTC`
  private func condition(_ rates: JSONValue) -> String {
    var parts: [String] = []
    if let size = rates["above_tokens"]?.integer { parts.append("above \(size) tokens") }
    if let day = rates["from"]?.string { parts.append("from \(day)") }
    if let hours = rates["utc"]?.array { parts.append(hours.compactMap(\.string).joined(separator: "–") + " UTC") }
    return parts.isEmpty ? "" : ", rates " + parts.joined(separator: ", ")
  }
}
