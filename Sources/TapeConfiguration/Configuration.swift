package import TapeRedaction
package import TapeTypes

/// What the configuration file says: see `schema/config.md`. Flags come before the environment, that before the file.
package struct Configuration: Sendable, Equatable {
  /// A key of the file, but for `[[route]]` and `[[redact]]`.
  package struct Key: Sendable, Equatable {
    package enum Kind: String, Sendable { case text, switched, number }
    package var name: String
    package var kind: Kind
    /// Values that can be given, if they are few.
    package var values: [String] = []
    /// Not to be shown.
    package var isSecret = false

    /// `TAPEDECK_…`
    package var variable: String {
      "TAPEDECK_" + String(name.map { $0 == "-" ? "_" : $0 }).uppercased()
    }
  }

  /// Every key: the flags of `serve` without their dashes, and the store.
  package static let keys: [Key] = [
    Key(name: "store", kind: .text),
    Key(name: "upstream", kind: .text),
    Key(name: "listen", kind: .text),
    Key(name: "ui", kind: .text),
    Key(name: "ui-token", kind: .text, isSecret: true),
    Key(name: "index", kind: .switched),
    Key(name: "seal", kind: .switched),
    Key(name: "durability", kind: .text, values: ["sync", "strict"]),
    Key(name: "on-archive-failure", kind: .text, values: ["pass", "stop"]),
    Key(name: "ensure-usage", kind: .switched),
    Key(name: "drain-on-abort", kind: .switched),
    Key(name: "idle-timeout", kind: .text),
    Key(name: "ca-file", kind: .text),
    Key(name: "keep", kind: .text),
    Key(name: "keep-bytes", kind: .text),
    Key(name: "max-connections", kind: .number),
    Key(name: "max-header-bytes", kind: .number),
    Key(name: "max-body-bytes", kind: .number),
  ]
  package static let ruleKeys = ["name", "path", "pattern", "replace", "in"]

  /// Where it was read; nil for none.
  package private(set) var path: String?
  package private(set) var values: [String: String] = [:]
  /// Longest prefix first.
  package private(set) var routes: [Route] = []
  package private(set) var redactions: [RedactionRule] = []

  package init() {}

  package func text(_ key: String) -> String? { values[key] }

  // MARK: Reading

  /// `--config`, else `$XDG_CONFIG_HOME/tapedeck/config.toml`, else `~/.config/tapedeck/config.toml`.
  package static func defaultPath(environment: [String: String]) -> String? {
    // The XDG specification has relative paths ignored.
    if let home = environment["XDG_CONFIG_HOME"], home.hasPrefix("/") { return home + "/tapedeck/config.toml" }
    return environment["HOME"].map { $0 + "/.config/tapedeck/config.toml" }
  }

  /// - Parameter path: for messages.
  /// - Throws: `TapeError(.usage)` with line and column of what is wrong.
  package init(_ text: [UInt8], path: String) throws(TapeError) {
    self.path = path
    do {
      try read(TOMLParser.parse(text))
    } catch {
      throw TapeError(.usage, "the configuration \(path) cannot be used: \(error.place): \(error.message)")
    }
  }

  private mutating func read(_ table: TOMLTable) throws(TOMLError) {
    let names = Self.keys.map(\.name) + ["route", "redact"]
    for entry in table.entries {
      if entry.key == "route" {
        routes = try Route.read(entry)
        continue
      }
      if entry.key == "redact" {
        try readRules(entry)
        continue
      }
      guard let key = Self.keys.first(where: { $0.name == entry.key }) else { throw Self.unknown(entry, among: names) }
      values[key.name] = try Self.text(entry, key)
    }
  }

  private static func text(_ entry: TOMLTable.Entry, _ key: Key) throws(TOMLError) -> String {
    switch (key.kind, entry.value.content) {
    case (.switched, .bool(let flag)): return flag ? "true" : "false"
    case (.number, .integer(let number)): return String(number)
    case (.number, .string(let text)): return text
    case (.text, .string(let text)):
      guard key.values.isEmpty || key.values.contains(text) else {
        throw TOMLError(
          place: entry.value.place, message: "\(key.name) takes \(key.values.joined(separator: " or ")), not '\(text)'")
      }
      return text
    default:
      let wanted =
        switch key.kind {
        case .switched: "true or false"
        case .number: "a number, or a text in quotes such as \"64K\""
        case .text: "a text in quotes"
        }
      throw TOMLError(place: entry.value.place, message: "\(key.name) takes \(wanted), not \(entry.value.kind)")
    }
  }

  private mutating func readRules(_ entry: TOMLTable.Entry) throws(TOMLError) {
    guard case .array(let list) = entry.value.content else {
      throw TOMLError(place: entry.place, message: "redaction rules stand in [[redact]], with two brackets")
    }
    for item in list {
      guard case .table(let table) = item.content else {
        throw TOMLError(place: item.place, message: "redaction rules stand in [[redact]]")
      }
      let rule = try Self.rule(table)
      do throws(TapeError) { try rule.check() } catch {
        throw TOMLError(place: item.place, message: error.description)
      }
      redactions.append(rule)
    }
  }

  private static func rule(_ table: TOMLTable) throws(TOMLError) -> RedactionRule {
    var rule = RedactionRule()
    for entry in table.entries {
      guard ruleKeys.contains(entry.key) else { throw unknown(entry, among: ruleKeys) }
      if entry.key == "in" {
        rule.places = try places(entry.value)
        continue
      }
      guard case .string(let text) = entry.value.content else {
        throw TOMLError(
          place: entry.value.place, message: "\(entry.key) takes a text in quotes, not \(entry.value.kind)")
      }
      switch entry.key {
      case "name": rule.name = text
      case "path": rule.path = text
      case "pattern": rule.pattern = text
      default: rule.replacement = text
      }
    }
    return rule
  }

  private static func places(_ value: TOMLValue) throws(TOMLError) -> Set<RedactionRule.Place> {
    let wanted = "in takes a list of \"request\" and \"response\""
    guard case .array(let list) = value.content, !list.isEmpty else {
      throw TOMLError(place: value.place, message: wanted)
    }
    var places: Set<RedactionRule.Place> = []
    for item in list {
      guard case .string(let text) = item.content, let place = RedactionRule.Place(rawValue: text) else {
        throw TOMLError(place: item.place, message: wanted)
      }
      places.insert(place)
    }
    return places
  }

  // MARK: Keys that are none

  static func unknown(_ entry: TOMLTable.Entry, among names: [String]) -> TOMLError {
    let near = Spelling.nearest(to: entry.key, among: names)
    let hint = near.map { "did you mean \($0)?" } ?? "there are \(names.joined(separator: ", "))"
    return TOMLError(place: entry.place, message: "there is no key '\(entry.key)'; \(hint)")
  }
}
