internal import TapeCatalogue
internal import TapeDialects
internal import TapeJSON
internal import TapePricing
internal import TapeTypes

/// What a call cost, as reports and `show` have it.
enum CallCost {
  case priced(Cost)
  /// orq neither logs nor bills calls with `mock_response`.
  case mock(priceVersion: String)
  case unknown(Unpriced)

  init(_ usage: CallUsage, model: CallModel, isMock: Bool, prices: PriceTable) {
    if isMock {
      self = .mock(priceVersion: prices.version)
      return
    }
    if let why = usage.unpriced {
      self = .unknown(why)
      return
    }
    let counts = usage.counts
    let result = prices.cost(
      provider: model.provider, model: model.model, prompt: counts.prompt, completion: counts.completion,
      cached: counts.cached, reasoning: counts.reasoning, total: counts.total, at: model.startedNs)
    switch result {
    case .cost(let cost): self = .priced(cost)
    case .unknown(let why): self = .unknown(why)
    }
  }

  /// US dollars; nil if not known.
  var total: DecimalNumber? {
    switch self {
    case .priced(let cost): cost.total
    case .mock: .zero
    case .unknown: nil
    }
  }

  /// The members `cost` and `cost_unknown` of a call's object; one of them is null.
  var members: [JSONValue.Member] {
    switch self {
    case .priced(let cost): [.init("cost", cost.json), .init("cost_unknown", .null)]
    case .unknown(let why):
      [
        .init("cost", .null),
        .init("cost_unknown", ["reason": .string(why.reason.rawValue), "message": .string(why.message)]),
      ]
    case .mock(let version): [.init("cost", Self.mock(version)), .init("cost_unknown", .null)]
    }
  }

  private static func mock(_ version: String) -> JSONValue {
    .object([
      .init("total_usd", "0"), .init("input_usd", "0"), .init("cached_usd", "0"), .init("output_usd", "0"),
      .init("reasoning_usd", .null), .init("request_usd", "0"), .init("price_model", .null),
      .init("price_version", .string(version)), .init("notes", ["mock call: not billed"]), .init("rates", .null),
    ])
  }
}

/// The usage of a call, and what is wrong with it.
struct CallUsage {
  var counts = TokenCounts()
  var isKnown = false
  /// Why there is none although the stream had one.
  var unknownReason: String?
  /// What is impossible about the numbers.
  var contradiction: String?

  /// Why it cannot be priced, whatever the model; nil if nothing stands against it.
  var unpriced: Unpriced? {
    if let contradiction { return Unpriced(.badUsage, contradiction) }
    if isKnown { return nil }
    if let unknownReason { return Unpriced(.badUsage, unknownReason) }
    return Unpriced(.noUsage, "the stream reported no usage")
  }

  /// The `usage` object of a call.
  var json: JSONValue { isKnown ? counts.json : .null }
}

/// What a price depends on beside the tokens.
struct CallModel: Hashable {
  var provider: String?
  var model: String?
  var startedNs: Int64
}
