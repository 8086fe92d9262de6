internal import ArgumentParser
internal import TapeArchive
internal import TapeQuery
internal import TapeTypes

/// The filters that every command over many calls takes.
struct FilterOptions: ParsableArguments {
  @Option(help: "Telemetry trace id, or that of the request's traceparent.") var trace: String?
  @Option(help: "Telemetry span id.") var span: String?
  @Option(help: "Thread id of the request.") var thread: String?
  @Option(help: "Identity id or email.") var identity: String?
  @Option(help: "Thread tag; given again, calls that have all of them.") var tag: [String] = []
  @Option(help: "Identity tag; the same.") var identityTag: [String] = []
  @Option(help: "Deployment key.") var deployment: String?
  @Option(help: "Model that answered.") var model: String?
  @Option(help: "Provider that answered.") var provider: String?
  @Option(
    help: ArgumentHelp("How the call ended.", valueName: CallState.allCases.map(\.rawValue).joined(separator: "|")))
  var state: String?
  @Option(help: ArgumentHelp("A member of the request's metadata.", valueName: "key=value")) var meta: [String] = []
  @Option(help: "Started at or after: 2026-11-20, 2026-11-20T12:30, 12:30 (today), 7d (ago), yesterday …")
  var from: String?
  @Option(help: ArgumentHelp("Took at least so long, e.g. 500ms or 2s.", valueName: "duration")) var minDuration:
    String?
  @Option(help: ArgumentHelp("A phrase in prompts or completions.", valueName: "phrase")) var text: String?
  @Flag(help: "Count mock calls too.") var mock = false
  @Option(name: .customLong("where"), help: ArgumentHelp("A condition over the columns of v_calls.", valueName: "sql"))
  var whereSQL: String?
  @Option(help: ArgumentHelp("IANA time zone of dates.", valueName: "zone")) var tz: String?

  /// - Parameter to: the value of `--to`, a flag that `export` has another use for too.
  /// - Throws: `TapeError` `.usage` naming the flag that cannot be read.
  func filter(to: String?) throws -> CallFilter {
    var filter = CallFilter()
    filter.trace = trace
    filter.span = span
    filter.thread = thread
    filter.identity = identity
    filter.tags = tag
    filter.identityTags = identityTag
    filter.deployment = deployment
    filter.model = model
    filter.provider = provider
    if let text, text.allSatisfy(\.isWhitespace) { throw TapeError(.usage, "--text needs a word or a phrase") }
    filter.text = text
    filter.condition = try whereSQL.map(SQLCondition.init)
    filter.mock = mock ? .include : .byDefault
    filter.metadata = try meta.map(MetadataFilter.init(parsing:))
    if let state {
      guard let known = CallState(rawValue: state) else {
        let states = CallState.allCases.map(\.rawValue)
        let near = Spelling.nearest(to: state, among: states).map { "; did you mean \($0)?" } ?? ""
        throw TapeError(.usage, "--state takes one of \(states.joined(separator: ", ")), not '\(state)'\(near)")
      }
      filter.state = known
    }
    let zone = try timeZone()
    let now = SystemClock().wallNs()
    filter.from = try from.map { try TimeParser.moment($0, flag: "--from", zone: zone, nowNs: now) }
    filter.to = try to.map { try TimeParser.moment($0, flag: "--to", zone: zone, nowNs: now) }
    if let from = filter.from, let to = filter.to, from > to {
      throw TapeError(.usage, "--from is later than --to: \(RFC3339.string(from)) and \(RFC3339.string(to))")
    }
    filter.minDurationNs = try minDuration.map { try Durations.nanoseconds($0, flag: "--min-duration") }
    return filter
  }

  func timeZone() throws -> TimeZoneRules {
    try tz.map(TimeZoneRules.init(named:)) ?? .utc
  }
}

/// The end of the time that is meant.
struct EndOption: ParsableArguments {
  @Option(help: "Started before: as --from.") var to: String?
}

extension TimeParser {
  /// The same for the value of a flag.
  ///
  /// - Throws: `TapeError` `.usage` naming the flag.
  fileprivate static func moment(_ text: String, flag: String, zone: TimeZoneRules, nowNs: Int64) throws -> Int64 {
    do {
      return try moment(text, zone: zone, nowNs: nowNs)
    } catch let error as TapeError {
      throw TapeError(.usage, "\(flag): \(error.description)")
    }
  }
}
