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
  @Option(help: "Thread tag.") var tag: String?
  @Option(help: "Identity tag.") var identityTag: String?
  @Option(help: "Deployment key.") var deployment: String?
  @Option(help: "Model that answered.") var model: String?
  @Option(help: "Provider that answered.") var provider: String?
  @Option(
    help: ArgumentHelp("How the call ended.", valueName: CallState.allCases.map(\.rawValue).joined(separator: "|")))
  var state: String?
  @Option(help: ArgumentHelp("A member of the request's metadata.", valueName: "key=value")) var meta: [String] = []
  @Option(help: "Started at or after: a date, a time, 7d, yesterday …") var from: String?
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
    filter.tag = tag
    filter.identityTag = identityTag
    filter.deployment = deployment
    filter.model = model
    filter.provider = provider
    if let text, text.allSatisfy(\.isWhitespace) { throw TapeError(.usage, "--text needs a word or a phrase") }
    filter.text = text
    filter.whereSQL = whereSQL
    filter.mock = mock ? .include : .byDefault
    filter.metadata = try meta.map(MetadataFilter.init(parsing:))
    if let state {
      guard let known = CallState(rawValue: state) else {
        let states = CallState.allCases.map(\.rawValue).joined(separator: ", ")
        throw TapeError(.usage, "--state takes one of \(states); '\(state)' is none")
      }
      filter.state = known
    }
    let zone = try timeZone()
    filter.from = try from.map { try TimeParser.moment($0, zone: zone, nowNs: SystemClock().wallNs()) }
    filter.to = try to.map { try TimeParser.moment($0, zone: zone, nowNs: SystemClock().wallNs()) }
    filter.minDurationNs = try minDuration.map { try Durations.nanoseconds($0, flag: "--min-duration") }
    return filter
  }

  func timeZone() throws -> TimeZoneRules {
    try tz.map(TimeZoneRules.init(named:)) ?? .utc
  }
}

/// The end of the time that is meant.
struct EndOption: ParsableArguments {
  @Option(help: "Started before.") var to: String?
}
