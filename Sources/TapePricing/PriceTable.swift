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
    (try? PriceTable(PackageResources.prices_json, isChecked: true)) ?? PriceTable()
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
  package init(json: [UInt8]) throws(TapeError) { try self.init(json, isChecked: false) }

  /// - Parameter isChecked: whether the text is known to be JSON: most of it is never looked at then.
  private init(_ json: [UInt8], isChecked: Bool) throws(TapeError) {
    do {
      var head: [JSONValue.Member] = []
      var providers: [String: ArraySlice<UInt8>] = [:]
      var repeated: String?
      try json.withUnsafeBytes { bytes in
        var cursor = JSONCursor(bytes)
        let whole = cursor
        if !isChecked {
          var checked = cursor
          _ = try checked.document()
        }
        try cursor.members(skims: true) { (key, value) throws(JSONError) in
          guard whole.matches(key, "providers"), value.kind == .object else {
            return head.append(.init(whole.string(key), whole.value(value)))
          }
          var inner = JSONCursor(bytes, at: value)
          try inner.members(skims: true) { (name, provider) throws(JSONError) in
            let name = whole.string(name)
            if providers.updateValue(json[provider.range], forKey: name) != nil { repeated = name }
          }
        }
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
          for entry in prices.entries { _ = try entry.model() }
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
