internal import ArgumentParser
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
    do { return try fields(to: to).filter() } catch { throw error.error }
  }

  func timeZone() throws -> TimeZoneRules {
    do { return try fields(to: nil).zone() } catch { throw error.error }
  }

  private func fields(to: String?) -> FilterFields {
    var fields = FilterFields()
    fields.trace = trace
    fields.span = span
    fields.thread = thread
    fields.identity = identity
    fields.tags = tag
    fields.identityTags = identityTag
    fields.deployment = deployment
    fields.model = model
    fields.provider = provider
    fields.state = state
    fields.metadata = meta
    fields.from = from
    fields.to = to
    fields.minDuration = minDuration
    fields.text = text
    fields.mock = mock
    fields.condition = whereSQL
    fields.timeZone = tz
    return fields
  }
}

/// The end of the time that is meant.
struct EndOption: ParsableArguments {
  @Option(help: "Started before: as --from.") var to: String?
}
