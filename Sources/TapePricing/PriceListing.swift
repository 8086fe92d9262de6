package import TapeJSON

// What `prices list` and `prices show` print.
extension PriceTable {
  /// One row for each model of the table and each override: the rates that hold at a time.
  ///
  /// - Parameter provider: only its; orq's name or the table's.
  package func list(provider: String?, at time: Int64) -> [JSONValue] {
    let wanted = provider?.lowercased()
    let mapped = provider.flatMap(tableName(ofProvider:))
    var rows: [JSONValue] = overrides.list.compactMap { override in
      let name = override.provider.lowercased()
      if let wanted, name != wanted, name != mapped { return nil }
      let found = find(provider: override.provider, model: override.model).search.found
      return row(
        provider: override.provider, model: override.model, rates: override.row(over: found?.model.row(atNs: time)),
        varies: override.from.map { ["from \($0)"] } ?? [], notInUsage: found?.model.notInUsage ?? [],
        version: override.version)
    }
    for name in storage.names where wanted == nil || name == mapped {
      for model in storage.provider(name)?.models ?? [] {
        rows.append(
          row(
            provider: name, model: model.id, rates: model.row(atNs: time), varies: model.varies,
            notInUsage: model.notInUsage, version: version))
      }
    }
    return rows
  }

  private func row(
    provider: String, model: String, rates: PriceRow, varies: [String], notInUsage: [String], version: String
  ) -> JSONValue {
    var members: [JSONValue.Member] = [.init("provider", .string(provider)), .init("model", .string(model))]
    members += AppliedRates(rates, prompt: 0).ownRates(of: rates)
    members += [
      .init("varies", .array(varies.map { .string($0) })),
      .init("not_in_usage", .array(notInUsage.map { .string($0) })), .init("price_version", .string(version)),
    ]
    return .object(members)
  }

  /// Everything that is known of a model, for each provider that has it; nothing if none does.
  ///
  /// - Parameters:
  ///   - model: as calls or the table name it; `provider/model` too.
  ///   - provider: only its, by the rules of a cost; without, every provider of the table, by its own models.
  package func details(model: String, provider: String?, at time: Int64) -> [JSONValue] {
    if let provider { return details(provider, model, at: time).map { [$0] } ?? [] }
    if let slash = model.firstIndex(of: "/"), tableName(ofProvider: String(model[..<slash])) != nil,
      let found = details(String(model[..<slash]), model, at: time)
    {
      return [found]
    }
    // Names that only an override knows are not in the table's list of providers.
    let given = overrides.list.map(\.provider).filter { !storage.names.contains($0.lowercased()) }
    var seen = Set<String>()
    return (given + storage.names).filter { seen.insert($0).inserted }.compactMap { name in
      let found = find(provider: name, model: model)
      guard !found.overrides.isEmpty || found.search.found?.provider == name else { return nil }
      return details(name, model, at: time)
    }
  }

  private func details(_ provider: String, _ model: String, at time: Int64) -> JSONValue? {
    let found = find(provider: provider, model: model)
    let priced = found.search.found
    if priced == nil, found.overrides.isEmpty { return nil }
    let rows = priced?.model.rows ?? []
    let current = found.overrides.contains { $0.holds(atNs: time) } ? nil : priced?.model.rowIndex(atNs: time)
    let own = priced?.model.row(atNs: time)
    let inForce = found.overrides.lastIndex { $0.holds(atNs: time) }
    return [
      "provider": .string(priced?.provider ?? provider), "model": .string(priced?.model.id ?? model),
      "price_version": .string(version), "date": .string(date),
      "match": priced?.model.json["match"] ?? .null,
      "rates": .array(rows.enumerated().map { Self.details(of: $1, holds: $0 == current) }),
      "overrides": .array(
        found.overrides.enumerated().map { index, override in
          var members = Self.details(of: override.row(over: own), holds: index == inForce).members ?? []
          members.append(.init("price_version", .string(override.version)))
          members.append(.init("set_at", .string(override.setAt)))
          return .object(members)
        }),
      "not_in_usage": .array((priced?.model.notInUsage ?? []).map { .string($0) }),
      "notes": .array((priced?.notes ?? []).map { .string($0) }),
    ]
  }

  private static func details(of row: PriceRow, holds: Bool) -> JSONValue {
    let base = AppliedRates(row, prompt: 0)
    var members: [JSONValue.Member] = [
      .init("from", .string(row.fromText)),
      .init("utc", row.timesText.map { .array($0.map { .string($0) }) } ?? .null), .init("holds", .bool(holds)),
    ]
    members += base.ownRates(of: row)
    let sizes = Set(
      [row.input, row.cached, row.output, row.reasoning, row.requests].flatMap { $0?.tiers.map(\.above) ?? [] })
    members.append(
      .init(
        "tiers",
        .array(
          sizes.sorted().map { size in
            let above = AppliedRates(row, prompt: size == .max ? size : size + 1)
            return .object([.init("above_tokens", .int(size))] + above.ownRates(of: row))
          })))
    return .object(members)
  }
}

extension AppliedRates {
  /// The five rates; cached only where there is a price of its own.
  fileprivate func ownRates(of row: PriceRow) -> [JSONValue.Member] {
    [
      .init("input_usd", .string(input?.description)),
      .init("cached_usd", .string(row.cached == nil ? nil : cached?.description)),
      .init("output_usd", .string(output?.description)), .init("reasoning_usd", .string(reasoning?.description)),
      .init("request_usd", .string(request?.description)),
    ]
  }
}

extension ModelPrices {
  /// On what its prices depend beside the tokens.
  fileprivate var varies: [String] {
    let rates = rows.flatMap { [$0.input, $0.cached, $0.output, $0.reasoning] }
    return [
      rates.contains { !($0?.tiers.isEmpty ?? true) } ? "size" : nil, rows.contains { $0.from != nil } ? "date" : nil,
      rows.contains { $0.times != nil } ? "hours" : nil,
    ].compactMap(\.self)
  }
}
