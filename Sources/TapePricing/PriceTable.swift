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

  /// Whether these are the bytes of the table that is compiled in.
  package static func isBundled(_ json: [UInt8]) -> Bool { json == PackageResources.prices_json }

  static let format = "tapedeck-prices/1"

  /// Which table this is, e.g. `genai-prices 0.2.3`.
  package private(set) var version: String
  /// The newest day on which its source says a price was verified.
  package let date: String?
  /// Prices given by hand; they go before the table's.
  package let overrides: PriceOverrides
  /// From orq's provider names to the table's.
  let providerMap: [String: String]
  let storage: Storage

  private init() {
    version = "none"
    date = nil
    overrides = PriceOverrides()
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
      var repeated: String?
      try json.withUnsafeBytes { bytes in
        var cursor = JSONCursor(bytes)
        let whole = cursor
        try cursor.members { (key, value) throws(JSONError) in
          guard whole.matches(key, "providers"), value.kind == .object else {
            return head.append(.init(whole.string(key), whole.value(value)))
          }
          var inner = JSONCursor(bytes, at: value)
          try inner.members { (name, provider) throws(JSONError) in
            let name = whole.string(name)
            if providers.updateValue(Array(whole.raw(provider)), forKey: name) != nil { repeated = name }
          }
        }
        try cursor.expectEnd()
      }
      let about = JSONValue.object(head)
      guard about["format"]?.string == Self.format else {
        throw PriceProblem("its format is \((about["format"] ?? .null).compactString), not \"\(Self.format)\"")
      }
      guard let version = about["version"]?.string, !version.isEmpty else { throw PriceProblem("it has no version") }
      guard !providers.isEmpty else { throw PriceProblem("it has no providers") }
      if let repeated { throw PriceProblem("it has the provider \(repeated) twice") }
      let map = about["provider_map"] ?? [:]
      guard let mapped = map.members, mapped.allSatisfy({ $0.value.string != nil }) else {
        throw PriceProblem("its provider_map is no object of names")
      }
      self.version = version
      date = about["date"]?.string
      overrides = PriceOverrides()
      providerMap = Dictionary(
        mapped.compactMap { member in member.value.string.map { (member.key, $0) } }, uniquingKeysWith: { $1 })
      storage = Storage(providers: providers)
    } catch let error as PriceProblem {
      throw TapeError(.failed, "cannot use the price table: \(error.message)")
    } catch {
      throw TapeError(.failed, "cannot read the price table: \(error)")
    }
  }

  /// The same table with prices that go before its own.
  ///
  /// - Parameter version: what it is called instead, if that is known to be another.
  package init(_ table: PriceTable, overrides: PriceOverrides, version: String? = nil) {
    self.version = version ?? table.version
    date = table.date
    self.overrides = overrides
    providerMap = table.providerMap
    // The searches so far were without these overrides.
    storage = overrides.isEmpty ? table.storage : Storage(providers: table.storage.texts)
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
    guard case .usage(let usage) = reading else {
      if case .unknown(let why) = reading { return .unknown(why) }
      return .unknown(Unpriced(.badUsage, "the usage cannot be read"))
    }
    let pricing = find(provider: provider, model: model).pricing(
      of: usage, at: at, version: version)
    switch pricing {
    case .success(let pricing): return pricing.cost
    case .failure(let why): return .unknown(why)
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
  /// - Throws: `TapeError.failed` naming the first thing that is wrong, and where.
  package func validate() throws(TapeError) {
    do throws(PriceProblem) {
      if let date, CivilDate.days(date) == nil { throw PriceProblem("its date is none: \(date)") }
      for name in storage.names {
        do throws(PriceProblem) {
          let prices = try ProviderPrices(storage.texts[name] ?? [])
          for fallback in prices.fallback where !storage.names.contains(fallback) {
            throw PriceProblem("falls back to \(fallback), which is not in the table")
          }
        } catch {
          throw PriceProblem("provider \(name): \(error.message)")
        }
      }
      for (name, mapped) in providerMap.sorted(by: { $0.key < $1.key }) where !storage.names.contains(mapped) {
        throw PriceProblem("provider_map sends \(name) to \(mapped), which is not in the table")
      }
    } catch {
      throw TapeError(.failed, "cannot use the price table: \(error.message)")
    }
  }
}

// MARK: Finding a model

/// A model and how it was found.
struct FoundModel: Sendable {
  let provider: String
  let model: ModelPrices
  let notes: [String]

  var name: String { "\(provider)/\(model.id)" }
}

enum ModelSearch: Sendable {
  case found(FoundModel)
  case unknown(Unpriced)
}

/// All that a provider and a model lead to.
struct PriceSearch: Sendable {
  var search: ModelSearch
  /// By the day from which they hold.
  var overrides: [PriceOverride]

  /// The arithmetic of a call.
  ///
  /// - Parameters:
  ///   - time: ns since 1970.
  ///   - version: that of the table.
  func pricing(of usage: BillableUsage, at time: Int64, version: String) -> Result<Pricing, Unpriced> {
    if let override = overrides.last(where: { $0.holds(atNs: time) }) {
      let found = search.found
      return .success(
        Pricing(
          usage: usage, row: override.row(over: found?.model.row(atNs: time)),
          name: override.name, version: override.version,
          notes: override.notes(instead: found, at: time, table: version), notInUsage: found?.model.notInUsage ?? []))
    }
    switch search {
    case .unknown(let why): return .failure(why)
    case .found(let found):
      return .success(
        Pricing(
          usage: usage, row: found.model.row(atNs: time), name: found.name, version: version,
          notes: found.notes, notInUsage: found.model.notInUsage))
    }
  }
}

extension PriceTable {
  func find(provider: String?, model: String?) -> PriceSearch {
    guard let provider, !provider.isEmpty else { return .unknown(.unknownProvider, "the provider is unknown") }
    guard let model, !model.isEmpty else { return .unknown(.unknownModel, "the model is unknown") }
    let key = "\(provider)\n\(model)"
    if let known = storage.search(key) { return known }
    let search = search(provider: provider, model: model)
    let result = PriceSearch(
      search: search, overrides: overrides.isEmpty ? [] : overriding(provider: provider, model: model, search))
    storage.remember(key, result)
    return result
  }

  /// What the table calls a provider; nil if it has none of that name.
  func tableName(ofProvider provider: String) -> String? {
    let name = provider.lowercased()
    return providerMap[name] ?? (storage.names.contains(name) ? name : nil)
  }

  private func search(provider: String, model: String) -> ModelSearch {
    guard let mapped = tableName(ofProvider: provider) else {
      return .unknown(Unpriced(.unknownProvider, "no prices for provider \(provider)"))
    }
    guard let prices = storage.provider(mapped) else {
      return .unknown(Unpriced(.unknownProvider, "the price table has no readable provider \(mapped)"))
    }
    let ids = ModelIDs(model, prefixes: [provider.lowercased(), mapped])
    if let (found, notes) = ids.find(in: prices) {
      return .found(FoundModel(provider: mapped, model: found, notes: notes))
    }
    for fallback in prices.fallback {
      guard let other = storage.provider(fallback), let (found, notes) = ids.find(in: other) else { continue }
      let note = "\(mapped) has no price of its own for \(model): \(fallback)'s is used"
      return .found(FoundModel(provider: fallback, model: found, notes: notes + [note]))
    }
    return .unknown(Unpriced(.unknownModel, "no price for model \(model) of provider \(provider)"))
  }

  /// The overrides for a model: those of the name it has, or else those of the table's model that it is priced as.
  private func overriding(provider: String, model: String, _ search: ModelSearch) -> [PriceOverride] {
    let providers = [provider.lowercased(), tableName(ofProvider: provider)].compactMap(\.self)
    let ids = ModelIDs(model, prefixes: providers)
    let names = ids.names + [search.found?.model.id.lowercased()].compactMap(\.self)
    for provider in providers {
      for name in names {
        let found = overrides.list.filter { $0.provider.lowercased() == provider && $0.model.lowercased() == name }
        if !found.isEmpty { return found.sorted { ($0.from ?? "") < ($1.from ?? "") } }
      }
    }
    return []
  }
}

extension PriceSearch {
  static func unknown(_ reason: Unpriced.Reason, _ message: String) -> PriceSearch {
    PriceSearch(search: .unknown(Unpriced(reason, message)), overrides: [])
  }
}

extension ModelSearch {
  var found: FoundModel? {
    if case .found(let model) = self { return model }
    return nil
  }
}

/// The ids that a model's name may stand for, best first.
struct ModelIDs {
  private var exact: [(id: [UInt8], note: String?)] = []
  /// The name in lower case, and without its provider's prefix.
  private(set) var names: [String] = []

  /// - Parameter prefixes: the provider's names: as a prefix of the model they say nothing new.
  init(_ model: String, prefixes: [String]) {
    let name = model.lowercased()
    var names: [(String, String?)] = [(name, nil)]
    if let prefix = prefixes.first(where: { name.hasPrefix($0 + "/") && name.utf8.count > $0.utf8.count + 1 }) {
      let stripped = String(name.dropFirst(prefix.count + 1))
      names.append((stripped, "priced as \(stripped): the prefix \(prefix)/ is the provider"))
    }
    self.names = names.map(\.0)
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

  /// - Throws: what in it is not understood.
  init(_ json: [UInt8]) throws(PriceProblem) {
    guard let value = try? JSONValue(parsing: json), let list = value["models"]?.array else {
      throw PriceProblem("has no models")
    }
    var models: [ModelPrices] = []
    var ids = Set<String>()
    for json in list {
      let model = try ModelPrices(json)
      guard ids.insert(model.id.lowercased()).inserted else { throw PriceProblem("has two models \(model.id)") }
      models.append(model)
    }
    self.models = models
    fallback = (value["fallback"]?.array ?? []).compactMap(\.string)
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
    let texts: [String: [UInt8]]
    private let state = Mutex(State())

    init(providers: [String: [UInt8]]) {
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
