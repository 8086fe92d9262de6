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
    if let (found, notes) = ids.find(in: prices) { return .read(found, of: mapped, notes) }
    for fallback in prices.fallback {
      guard let other = storage.provider(fallback), let (found, notes) = ids.find(in: other) else { continue }
      let note = "\(mapped) has no price of its own for \(model): \(fallback)'s is used"
      return .read(found, of: fallback, notes + [note])
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
  fileprivate static func read(_ entry: PriceEntry, of provider: String, _ notes: [String]) -> ModelSearch {
    do throws(PriceProblem) {
      return .found(FoundModel(provider: provider, model: try entry.model(), notes: notes))
    } catch {
      return .unknown(Unpriced(.unknownModel, "the price table cannot be used for \(provider): \(error.message)"))
    }
  }

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
  func find(in prices: ProviderPrices) -> (PriceEntry, [String])? {
    for (id, note) in exact {
      if let model = prices.entries.first(where: { $0.rule?.matches(id, exactly: true) == true }) {
        return (model, note.map { [$0] } ?? [])
      }
    }
    for (id, note) in exact.filter({ $0.note != nil }) + exact.filter({ $0.note == nil }) {
      if let model = prices.entries.first(where: { $0.rule?.matches(id, exactly: false) == true }) {
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
