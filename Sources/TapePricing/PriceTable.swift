import Synchronization
package import TapeJSON
package import TapeTypes

/// Prices by provider and model, dated; from `schema/prices.json` unless given.
///
/// A provider's models are read when one of them is first asked for, so that neither commands
/// that price nothing nor those that price one model pay for the whole table.
package struct PriceTable: Sendable {
  /// The table that is compiled in; read on first use.
  package static let bundled: PriceTable = {
    // A broken bundled table prices nothing and says so; a test reads all of it.
    (try? PriceTable(json: PackageResources.prices_json)) ?? PriceTable()
  }()

  /// Which table this is, e.g. `genai-prices 0.2.3`.
  package let version: String
  /// The newest day on which its source says a price was verified.
  package let date: String?
  /// From orq's provider names to the table's.
  private let providerMap: [String: String]
  private let storage: Storage

  private init() {
    version = "none"
    date = nil
    providerMap = [:]
    storage = Storage(providers: [:])
  }

  /// Reads a table in the format of `schema/prices.json`.
  ///
  /// Models are checked when they are first used; `validate()` checks them all.
  ///
  /// - Throws: `TapeError.failed` if it is not of that format.
  package init(json: [UInt8]) throws(TapeError) {
    do {
      var head: [JSONValue.Member] = []
      var providers: [String: [UInt8]] = [:]
      try json.withUnsafeBytes { bytes in
        var cursor = JSONCursor(bytes)
        let whole = cursor
        try cursor.members { (key, value) throws(JSONError) in
          guard whole.matches(key, "providers"), value.kind == .object else {
            return head.append(.init(whole.string(key), whole.value(value)))
          }
          var inner = JSONCursor(bytes, at: value)
          try inner.members { (name, provider) throws(JSONError) in
            providers[whole.string(name)] = Array(whole.raw(provider))
          }
        }
        try cursor.expectEnd()
      }
      let about = JSONValue.object(head)
      guard let version = about["version"]?.string, !providers.isEmpty else {
        throw TapeError(.failed, "version or providers are missing")
      }
      self.version = version
      date = about["date"]?.string
      providerMap = Dictionary(
        (about["provider_map"]?.members ?? []).compactMap { member in member.value.string.map { (member.key, $0) } },
        uniquingKeysWith: { $1 })
      storage = Storage(providers: providers)
    } catch {
      throw TapeError(.failed, "cannot read the price table: \(error)")
    }
  }

  /// What a call cost, or why that is not known. `total` is what the provider said, to see
  /// whether it bills reasoning on top of completion.
  ///
  /// - Parameter at: ns since 1970, UTC: prices have dates and times of day.
  package func cost(
    provider: String?, model: String?, prompt: Int?, completion: Int?, cached: Int?, reasoning: Int?, total: Int?,
    at: Int64
  ) -> CostResult {
    let reading = BillableUsage.read(
      prompt: prompt, completion: completion, cached: cached, reasoning: reasoning, total: total)
    switch (reading, find(provider: provider, model: model)) {
    case (_, .unknown(let reason)), (.unknown(let reason), _): return .unknown(reason)
    case (.usage(let usage), .found(let found)):
      return Pricing(usage: usage, row: found.model.row(atNs: at), found: found, version: version).cost
    }
  }

  /// The providers of the table, sorted.
  package var providers: [String] { storage.names }

  /// The table's models of one of its providers, as they stand in the file.
  package func models(of provider: String) -> [JSONValue] {
    storage.provider(provider)?.models.map(\.json) ?? []
  }

  /// Reads every model.
  ///
  /// - Throws: `TapeError.failed` naming the first provider with something that is not understood.
  package func validate() throws(TapeError) {
    for name in storage.names where storage.provider(name) == nil {
      throw TapeError(.failed, "cannot read the price table: provider \(name) has a model that is not understood")
    }
  }
}

// MARK: Finding a model

/// A model and how it was found.
struct FoundModel: Sendable {
  let provider: String
  let model: ModelPrices
  let notes: [String]
}

enum ModelSearch: Sendable {
  case found(FoundModel)
  case unknown(String)
}

extension PriceTable {
  func find(provider: String?, model: String?) -> ModelSearch {
    guard let provider, !provider.isEmpty else { return .unknown("the provider is unknown") }
    guard let model, !model.isEmpty else { return .unknown("the model is unknown") }
    let key = "\(provider)\n\(model)"
    if let known = storage.search(key) { return known }
    let result = search(provider: provider, model: model)
    storage.remember(key, result)
    return result
  }

  private func search(provider: String, model: String) -> ModelSearch {
    let name = provider.lowercased()
    guard let mapped = providerMap[name] ?? (storage.names.contains(name) ? name : nil) else {
      return .unknown("no prices for provider \(provider)")
    }
    guard let prices = storage.provider(mapped) else {
      return .unknown("the price table has no readable provider \(mapped)")
    }
    let ids = ModelIDs(model, prefixes: [name, mapped])
    if let (found, notes) = ids.find(in: prices) {
      return .found(FoundModel(provider: mapped, model: found, notes: notes))
    }
    for fallback in prices.fallback {
      guard let other = storage.provider(fallback), let (found, notes) = ids.find(in: other) else { continue }
      let note = "\(mapped) has no price of its own for \(model): \(fallback)'s is used"
      return .found(FoundModel(provider: fallback, model: found, notes: notes + [note]))
    }
    return .unknown("no price for model \(model) of provider \(provider)")
  }
}

/// The ids that a model's name may stand for, best first.
private struct ModelIDs {
  private var exact: [(id: [UInt8], note: String?)] = []

  /// - Parameter prefixes: the provider's names: as a prefix of the model they say nothing new.
  init(_ model: String, prefixes: [String]) {
    let name = model.lowercased()
    var names: [(String, String?)] = [(name, nil)]
    if let prefix = prefixes.first(where: { name.hasPrefix($0 + "/") && name.utf8.count > $0.utf8.count + 1 }) {
      let stripped = String(name.dropFirst(prefix.count + 1))
      names.append((stripped, "priced as \(stripped): the prefix \(prefix)/ is the provider"))
    }
    exact = names.map { (Array($0.0.utf8), $0.1) }
    for (name, note) in names {
      if let dashed = ModelIDs.dashedDate(name) { exact.append((Array(dashed.utf8), note)) }
    }
  }

  /// An exact or dated id goes before a family; a name without its provider's prefix before one with it.
  func find(in prices: ProviderPrices) -> (ModelPrices, [String])? {
    for (id, note) in exact {
      if let model = prices.models.first(where: { $0.rule.matches(id, exactly: true) }) {
        return (model, note.map { [$0] } ?? [])
      }
    }
    for (id, note) in exact.filter({ $0.note != nil }) + exact.filter({ $0.note == nil }) {
      if let model = prices.models.first(where: { $0.rule.matches(id, exactly: false) }) {
        return (model, note.map { [$0] } ?? [])
      }
    }
    return nil
  }

  /// `gpt-5.2-20251211` as `gpt-5.2-2025-12-11`, which is how the table writes dates; nil without such a date.
  private static func dashedDate(_ name: String) -> String? {
    let bytes = Array(name.utf8)
    guard bytes.count > 9, bytes[bytes.count - 9] == 0x2D, bytes.suffix(8).allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }),
      bytes[bytes.count - 8] == 0x32, bytes[bytes.count - 7] == 0x30
    else { return nil }
    let date = String(decoding: bytes.suffix(8), as: UTF8.self)
    let dashed = "\(date.prefix(4))-\(date.dropFirst(4).prefix(2))-\(date.suffix(2))"
    return CivilDate.days(dashed) == nil ? nil : name.dropLast(8) + dashed
  }
}

// MARK: The models in memory

struct ProviderPrices: Sendable {
  let models: [ModelPrices]
  let fallback: [String]

  /// nil if something in it is not understood.
  init?(_ json: [UInt8]) {
    guard let value = try? JSONValue(parsing: json), let list = value["models"]?.array else { return nil }
    models = list.compactMap(ModelPrices.init)
    guard models.count == list.count else { return nil }
    fallback = (value["fallback"]?.array ?? []).compactMap(\.string)
  }
}

extension PriceTable {
  /// The table's providers, each read when it is first asked for, and the searches so far.
  fileprivate final class Storage: Sendable {
    private struct State {
      var read: [String: ProviderPrices?] = [:]
      var searches: [String: ModelSearch] = [:]
    }

    let names: [String]
    private let texts: [String: [UInt8]]
    private let state = Mutex(State())

    init(providers: [String: [UInt8]]) {
      texts = providers
      names = providers.keys.sorted()
    }

    func provider(_ name: String) -> ProviderPrices? {
      state.withLock { state in
        if let known = state.read[name] { return known }
        let prices = texts[name].flatMap(ProviderPrices.init)
        state.read[name] = .some(prices)
        return prices
      }
    }

    func search(_ key: String) -> ModelSearch? { state.withLock { $0.searches[key] } }

    func remember(_ key: String, _ result: ModelSearch) {
      state.withLock { state in
        // Names come from recorded responses, so their number is bounded here.
        if state.searches.count >= 10_000 { state.searches.removeAll() }
        state.searches[key] = result
      }
    }
  }
}
