internal import TapeArchive
package import TapeTypes

/// The shared filters as text, as flags and URLs give them.
package struct FilterFields: Sendable, Equatable {
  package var trace: String?
  package var span: String?
  package var thread: String?
  package var identity: String?
  package var tags: [String] = []
  package var identityTags: [String] = []
  package var deployment: String?
  package var model: String?
  package var provider: String?
  package var state: String?
  package var metadata: [String] = []
  package var from: String?
  package var to: String?
  package var minDuration: String?
  package var text: String?
  package var mock = false
  package var condition: String?
  package var timeZone: String?

  package init() {}

  /// - Parameter nowNs: what ages and `yesterday` count from, ns since 1970.
  /// - Throws: the field that cannot be read.
  package func filter(nowNs: Int64 = SystemClock().wallNs()) throws(FieldError) -> CallFilter {
    var filter = CallFilter()
    filter.trace = trace
    filter.span = span
    filter.thread = thread
    filter.identity = identity
    filter.tags = tags
    filter.identityTags = identityTags
    filter.deployment = deployment
    filter.model = model
    filter.provider = provider
    filter.mock = mock ? .include : .byDefault
    filter.text = text
    if let text, text.allSatisfy(\.isWhitespace) {
      throw FieldError("text", TapeError(.usage, "--text needs a word or a phrase"))
    }
    filter.condition = try read("where", condition, SQLCondition.init)
    filter.metadata = try read("meta", metadata) { try $0.map(MetadataFilter.init(parsing:)) } ?? []
    filter.state = try read("state", state, Self.state)
    let zone = try zone()
    filter.from = try read("from", from) { try moment($0, "--from", zone, nowNs) }
    filter.to = try read("to", to) { try moment($0, "--to", zone, nowNs) }
    if let from = filter.from, let to = filter.to, from > to {
      let times = "\(RFC3339.string(from)) and \(RFC3339.string(to))"
      throw FieldError("from", TapeError(.usage, "--from is later than --to: \(times)"))
    }
    filter.minDurationNs = try read("min-duration", minDuration) {
      try Durations.nanoseconds($0, flag: "--min-duration")
    }
    return filter
  }

  /// - Throws: the field, for a zone that nobody knows.
  package func zone() throws(FieldError) -> TimeZoneRules {
    try read("tz", timeZone, TimeZoneRules.init(named:)) ?? .utc
  }

  private static func state(_ text: String) throws -> CallState {
    if let known = CallState(rawValue: text) { return known }
    let states = CallState.allCases.map(\.rawValue)
    let near = Spelling.nearest(to: text, among: states).map { "; did you mean \($0)?" } ?? ""
    throw TapeError(.usage, "--state takes one of \(states.joined(separator: ", ")), not '\(text)'\(near)")
  }

  private func moment(_ text: String, _ flag: String, _ zone: TimeZoneRules, _ nowNs: Int64) throws -> Int64 {
    do {
      return try TimeParser.moment(text, zone: zone, nowNs: nowNs)
    } catch let error as TapeError {
      throw TapeError(.usage, "\(flag): \(error.description)")
    }
  }

  private func read<Text, Value>(
    _ field: String, _ text: Text?, _ parse: (Text) throws -> Value
  ) throws(FieldError) -> Value? {
    guard let text else { return nil }
    do {
      return try parse(text)
    } catch {
      throw FieldError(field, error as? TapeError ?? TapeError(.usage, "--\(field): \(error)"))
    }
  }
}

/// What of a question cannot be read.
package struct FieldError: Error, Sendable {
  /// The flag without its dashes.
  package let field: String
  /// Says it to who gave flags.
  package let error: TapeError

  package init(_ field: String, _ error: TapeError) {
    self.field = field
    self.error = error
  }
}
