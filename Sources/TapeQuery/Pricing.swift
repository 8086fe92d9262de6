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
  case unknown

  init(_ counts: TokenCounts?, contradiction: String?, model: CallModel, isMock: Bool, prices: PriceTable) {
    if isMock {
      self = .mock(priceVersion: prices.version)
      return
    }
    guard let counts, contradiction == nil else {
      self = .unknown
      return
    }
    let result = prices.cost(
      provider: model.provider, model: model.model, prompt: counts.prompt, completion: counts.completion,
      cached: counts.cached, reasoning: counts.reasoning, total: counts.total, at: model.startedNs)
    self = result.cost.map { .priced($0) } ?? .unknown
  }

  /// US dollars; nil if not known.
  var total: DecimalNumber? {
    switch self {
    case .priced(let cost): cost.total
    case .mock: .zero
    case .unknown: nil
    }
  }

  var json: JSONValue {
    switch self {
    case .priced(let cost): cost.json
    case .unknown: .null
    case .mock(let version):
      .object([
        .init("total_usd", "0"), .init("input_usd", "0"), .init("cached_usd", "0"), .init("output_usd", "0"),
        .init("reasoning_usd", .null), .init("request_usd", "0"), .init("price_model", .null),
        .init("price_version", .string(version)), .init("notes", ["mock call: not billed"]),
      ])
    }
  }
}

/// What a price depends on beside the tokens.
struct CallModel: Hashable {
  var provider: String?
  var model: String?
  var startedNs: Int64
}
