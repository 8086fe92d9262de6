public import TapeTypes

/// What must not get on tape: values of a JSON body or of a stream's frames, by where they are, by what they look like,
/// or both. The client gets the bytes as they were.
public struct RedactionRule: Sendable, Equatable {
  /// Where a rule looks.
  public enum Place: String, Sendable, CaseIterable { case request, response }

  /// Names the rule on the calls that it was applied to; nil takes the path.
  public var name: String?
  /// Which values, e.g. `messages[*].content`; nil: all strings.
  public var path: String?
  /// What of a text, as a regular expression; nil: all of the value.
  public var pattern: String?
  /// What takes its place.
  public var replacement: String
  public var places: Set<Place>

  public init(
    name: String? = nil, path: String? = nil, pattern: String? = nil, replacement: String = "[redacted]",
    places: Set<Place> = [.request, .response]
  ) {
    self.name = name
    self.path = path
    self.pattern = pattern
    self.replacement = replacement
    self.places = places
  }

  /// - Throws: `TapeError(.usage)` that says what is wrong with path or pattern.
  public func check() throws(TapeError) { _ = try CompiledRule(self, number: 1) }
}

/// A rule that is ready to be applied.
struct CompiledRule: Sendable {
  let label: String
  let path: JSONPath?
  let pattern: LinearPattern?
  let replacement: String
  let places: Set<RedactionRule.Place>

  init(_ rule: RedactionRule, number: Int) throws(TapeError) {
    guard rule.path != nil || rule.pattern != nil else {
      throw TapeError(.usage, "a redaction rule needs a path or a pattern")
    }
    guard !rule.places.isEmpty else { throw TapeError(.usage, "a redaction rule is for request, response or both") }
    label = rule.name ?? rule.path ?? "pattern \(number)"
    path = try rule.path.map { text throws(TapeError) in try JSONPath(parsing: text) }
    pattern = try rule.pattern.map { text throws(TapeError) in try LinearPattern(parsing: text) }
    replacement = rule.replacement
    places = rule.places
  }
}
