import Synchronization
internal import TapeJSON

/// The models of one provider.
struct ProviderPrices: Sendable {
  /// As they stand in the file.
  let entries: [PriceEntry]
  /// The providers to whom models are looked up that are not here.
  let fallback: [String]

  /// Reads how the models are told apart, and their prices later.
  ///
  /// - Parameter json: has been checked to be JSON.
  /// - Throws: what in it is not understood.
  init(_ json: ArraySlice<UInt8>) throws(PriceProblem) {
    var entries: [PriceEntry]?
    var fallback: [String] = []
    do {
      try json.withUnsafeBytes { bytes in
        var cursor = JSONCursor(bytes)
        let whole = cursor
        try cursor.members(skims: true) { (key, value) throws(JSONError) in
          if whole.matches(key, "fallback") {
            fallback = (whole.value(value).array ?? []).compactMap(\.string)
          } else if whole.matches(key, "models"), value.kind == .array {
            var models: [PriceEntry] = []
            var inner = JSONCursor(bytes, at: value)
            try inner.elements(skims: true) { (_, model) throws(JSONError) in
              let start = json.startIndex + model.range.lowerBound
              models.append(PriceEntry(bytes, at: model, json[start..<(start + model.range.count)]))
            }
            entries = models
          }
        }
      }
    } catch {
      throw PriceProblem("cannot be read: \(error)")
    }
    guard let entries else { throw PriceProblem("has no models") }
    var ids = Set<String>()
    for entry in entries {
      guard let id = entry.id, !id.isEmpty else { throw PriceProblem("has a model without id") }
      guard entry.rule != nil else { throw PriceProblem("\(id) has no match that can be read") }
      guard ids.insert(id.lowercased()).inserted else { throw PriceProblem("has two models \(id)") }
    }
    self.entries = entries
    self.fallback = fallback
  }

  /// Those that can be read.
  var models: [ModelPrices] { entries.compactMap { try? $0.model() } }
}

/// A model of which only is read how it is told from others: of a hundred one is asked for.
struct PriceEntry: Sendable {
  private(set) var id: String?
  private(set) var rule: ModelRule?
  private let json: ArraySlice<UInt8>

  fileprivate init(_ bytes: UnsafeRawBufferPointer, at slice: JSONSlice, _ json: ArraySlice<UInt8>) {
    self.json = json
    var cursor = JSONCursor(bytes, at: slice)
    let whole = cursor
    // What is wrong is said when the whole model is read.
    try? cursor.members(skims: true) { (key, value) throws(JSONError) in
      if whole.matches(key, "id"), value.kind == .string {
        id = whole.string(value)
      } else if whole.matches(key, "match") {
        rule = ModelRule(whole.value(value))
      }
    }
  }

  /// - Throws: what is wrong with it.
  func model() throws(PriceProblem) -> ModelPrices {
    guard let value = try? JSONValue(parsing: Array(json)) else { throw PriceProblem("has a model that is no JSON") }
    return try ModelPrices(value)
  }
}

extension PriceTable {
  /// The table's providers, each read when it is first asked for, and the searches so far.
  final class Storage: Sendable {
    private struct State {
      var read: [String: ProviderPrices?] = [:]
      var searches: [String: PriceSearch] = [:]
    }

    let names: [String]
    let texts: [String: ArraySlice<UInt8>]
    private let state = Mutex(State())

    init(providers: [String: ArraySlice<UInt8>]) {
      texts = providers
      names = providers.keys.sorted()
    }

    func provider(_ name: String) -> ProviderPrices? {
      state.withLock { state in
        if let known = state.read[name] { return known }
        let prices = texts[name].flatMap { try? ProviderPrices($0) }
        state.read[name] = .some(prices)
        return prices
      }
    }

    func search(_ key: String) -> PriceSearch? { state.withLock { $0.searches[key] } }

    func remember(_ key: String, _ result: PriceSearch) {
      state.withLock { state in
        // Names come from recorded responses, so their number is bounded here.
        if state.searches.count >= 10_000 { state.searches.removeAll() }
        state.searches[key] = result
      }
    }
  }
}
