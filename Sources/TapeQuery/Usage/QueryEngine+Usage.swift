internal import TapeCatalogue
internal import TapeJSON
package import TapePricing
internal import TapeTypes

/// What `usage` answers.
package struct UsageAnswer: Sendable {
  /// How many calls went into it.
  package let calls: Int
  /// The sum over all calls that could be priced, whatever the rows are; nil when none could.
  package let cost: DecimalNumber?
  /// How many calls are not in that sum.
  package let unpricedCalls: Int
  /// The models that could not be priced for want of a price, most calls first: `provider/model`, calls, and why.
  package let unpricedModels: [(name: String, calls: Int, why: String)]
  /// What priced models bill for and a usage does not tell.
  package let notInUsage: [String]

  /// By group. With `totals` the last row has `"group":{}`. Nothing for no calls.
  package let rows: UsageRows

  init(_ report: UsageReport, totals: Bool = false, top: Int? = nil) {
    calls = report.calls
    cost = report.totalCost.total?.value
    unpricedCalls = report.totalCost.unpricedCalls
    unpricedModels = report.unpricedModels
    notInUsage = report.notInUsage
    rows = UsageRows(report, totals: totals, top: top)
  }
}

extension QueryEngine {
  /// Usage and cost by group.
  ///
  /// A call with two tags counts in the rows of both and once in the totals; one without is in the row with null.
  ///
  /// - Parameters:
  ///   - timeZone: what hours, days and months are those of.
  ///   - top: only the first so many groups: the most expensive ones, then those with most tokens, then most calls.
  package func usage(
    _ filter: CallFilter, by dimensions: [UsageDimension], timeZone: TimeZoneRules = .utc, totals: Bool = false,
    top: Int? = nil
  ) throws -> UsageAnswer {
    let report = try usageReport(filter, by: dimensions, totals: totals, timeZone: timeZone)
    return UsageAnswer(report, totals: totals, top: top)
  }

  private static func sumStatement(_ filter: CallFilter, _ extra: [UsageDimension]) -> (String, [SQLValue]) {
    let condition = FilterSQL(filter, hidesMocks: true, sums: true)
    let columns = UsageRow.columns + extra.map { ", " + $0.extraColumn }.joined()
    let arguments = extra.compactMap(\.metadataKey).map { SQLValue.text($0) } + condition.arguments
    return ("SELECT \(columns) FROM \(condition.source)\(condition.clause)", arguments)
  }

  /// The steps by which SQLite finds the calls of a sum whose filter needs rows.
  package func sumPlan(_ filter: CallFilter) throws -> [String] {
    let (sql, arguments) = Self.sumStatement(filter, [])
    return try plan(sql, arguments)
  }

  func usageReport(
    _ filter: CallFilter, by dimensions: [UsageDimension], totals: Bool, timeZone: TimeZoneRules
  ) throws -> UsageReport {
    var report = UsageReport(dimensions: dimensions, totals: totals, timeZone: timeZone, prices: try prices)
    let extra = dimensions.filter { $0.blockName == nil && !$0.isTime }
    try snapshot(filter) { snapshot in
      if extra.isEmpty, let columns = UsageFilter(filter) {
        let names = report.names.union(columns.columns)
        try snapshot.usageBlocks(from: filter.from, to: filter.to, names: names) { report.add($0, filter: columns) }
      } else {
        let (sql, arguments) = Self.sumStatement(filter, extra)
        try snapshot.usageBlocks(sql, arguments) {
          report.add($0, filter: nil)
        }
      }
    }
    report.finish()
    return report
  }
}

extension UsageDimension {
  /// What is selected for a dimension that blocks have not.
  fileprivate var extraColumn: String {
    metadataKey == nil ? "coalesce(c.trace_id, c.traceparent_trace_id)" : FilterSQL.metadataText
  }
}
