internal import TapeArchive
internal import TapeJSON
internal import TapePricing
internal import TapeQuery

/// What a command used and cost, in lines for people.
struct RunReport {
  let lines: [String]

  /// - Parameter filter: the calls of the command.
  init(_ engine: QueryEngine, _ filter: CallFilter) throws {
    var calls = 0
    try engine.forEachEntry(filter) { _ in calls += 1 }
    guard calls > 0 else {
      lines = [
        "no call came through the proxy: does the command read one of \(SDKVariables.names.joined(separator: ", "))?"
      ]
      return
    }
    let usage = try engine.usage(filter, by: [.provider, .model])
    var lines = ["\(Self.count(calls, "call")) taped in \(engine.store.path)"]
    for row in usage.rows {
      let names = ["provider", "model"].map { row["group"]?[$0]?.string ?? "unknown" }.joined(separator: "/")
      lines.append("  \(names): \(Self.count(row["calls"]?.integer ?? 0, "call")), \(Self.figures(row))")
    }
    let unpriced = usage.unpricedCalls
    let cost = usage.cost.map { "cost $\($0)" } ?? "cost unknown"
    lines.append(cost + (unpriced > 0 ? "; \(Self.count(unpriced, "call")) could not be priced" : ""))
    if usage.calls < calls { lines.append("\(Self.count(calls - usage.calls, "mock call")) not counted") }
    self.lines = lines
  }

  private static func figures(_ row: JSONValue) -> String {
    let tokens = ["prompt_tokens", "completion_tokens"].map { row[$0]?.integer.map(String.init) ?? "unknown" }
    var parts = ["\(tokens[0]) + \(tokens[1]) tokens", row["cost_usd"]?.string.map { "$\($0)" } ?? "cost unknown"]
    for (key, name) in [("errors", "failed"), ("aborts", "aborted")] {
      if let number = row[key]?.integer, number > 0 { parts.append("\(number) \(name)") }
    }
    return parts.joined(separator: ", ")
  }

  private static func count(_ number: Int, _ what: String) -> String { "\(number) \(what)\(number == 1 ? "" : "s")" }
}
