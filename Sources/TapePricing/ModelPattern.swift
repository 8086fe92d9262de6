import TapeJSON

/// One way to tell a model by its id, in lower case: `*` stands for anything, `#` for a
/// digit, everything else for itself.
struct ModelPattern: Sendable {
  private let bytes: [UInt8]
  /// Names one id, perhaps with a date in it; these go before patterns that name a family.
  let isExact: Bool

  init(_ text: String) {
    bytes = Array(text.utf8)
    isExact = !bytes.contains(0x2A)
  }

  func matches(_ id: [UInt8]) -> Bool {
    // On a mismatch go back to the last `*` and let it take one byte more.
    var (position, place) = (0, 0)
    var retry: (position: Int, place: Int)?
    while place < id.count {
      if position < bytes.count, bytes[position] == 0x2A {
        retry = (position, place)
        position += 1
      } else if position < bytes.count, ModelPattern.matches(bytes[position], id[place]) {
        position += 1
        place += 1
      } else if let last = retry {
        retry = (last.position, last.place + 1)
        (position, place) = (last.position + 1, last.place + 1)
      } else {
        return false
      }
    }
    return bytes[position...].allSatisfy { $0 == 0x2A }
  }

  private static func matches(_ pattern: UInt8, _ byte: UInt8) -> Bool {
    pattern == 0x23 ? byte >= 0x30 && byte <= 0x39 : pattern == byte
  }
}

/// The alternatives by which a table tells a model.
struct ModelRule: Sendable {
  private enum Alternative: Sendable {
    case pattern(ModelPattern)
    /// One of each list, and none of the last.
    case all([ModelRule], none: [ModelPattern])
  }

  private var alternatives: [Alternative] = []

  /// nil if the JSON is no rule.
  init?(_ json: JSONValue?) {
    for element in json?.array ?? [] {
      if let text = element.string {
        alternatives.append(.pattern(ModelPattern(text)))
      } else if let all = element["all"]?.array {
        let rules = all.compactMap { ModelRule($0) }
        guard rules.count == all.count else { return nil }
        let none = (element["none"]?.array ?? []).compactMap(\.string).map(ModelPattern.init)
        alternatives.append(.all(rules, none: none))
      } else {
        return nil
      }
    }
    if alternatives.isEmpty { return nil }
  }

  func matches(_ id: [UInt8], exactly: Bool) -> Bool {
    alternatives.contains { alternative in
      switch alternative {
      case .pattern(let pattern): pattern.isExact == exactly && pattern.matches(id)
      case .all(let rules, let none):
        !exactly && rules.allSatisfy { $0.matches(id, exactly: false) || $0.matches(id, exactly: true) }
          && !none.contains { $0.matches(id) }
      }
    }
  }
}
