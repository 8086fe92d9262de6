import TapeJSON

extension ChatGrammar {
  static func fate(ofPath path: String) -> FieldFate {
    // A field that is there twice has a tilde; a name that may read as another one, or as anything, a percent sign.
    guard !path.utf8.contains(where: { $0 == 0x7E || $0 == 0x25 }) else { return .each }
    // What stands before a colon is no part of the place.
    let place = path.utf8.firstIndex(of: 0x3A).map { path[path.utf8.index(after: $0)...] } ?? path[...]
    let names = place.split { $0 == "." || $0 == "[" || $0 == "]" }
    guard let name = names.first else { return .each }
    var members = Members()
    if !isKnown(name, { members.note($0, $1) }) { return .extra }
    guard name == "choices", names.count > 2, isNumber(names[1]) else { return .each }
    return fate(inChoice: names.dropFirst(2))
  }

  private static func fate(inChoice names: ArraySlice<Substring>) -> FieldFate {
    guard let name = names.first else { return .each }
    var members = ChoiceMembers()
    if !isKnown(name, { members.note($0, $1) }) { return .extra }
    switch name {
    case "text": return names.count == 1 ? .joined : .each
    case "message", "delta": return fate(inMessage: names.dropFirst())
    default: return .each
    }
  }

  private static func fate(inMessage names: ArraySlice<Substring>) -> FieldFate {
    guard let name = names.first else { return .each }
    var members = MessageReader.Members()
    if !isKnown(name, { members.note($0, $1) }) { return .extra }
    switch name {
    case "content", "reasoning", "reasoning_content", "refusal": return names.count == 1 ? .joined : .each
    case "reasoning_signature", "redacted_reasoning": return names.count == 1 ? .joinedOnce : .each
    case "audio":
      // The rest of it is extra; a transcript of another kind than text is too.
      return names.count == 2 ? (names.last == "transcript" ? .joined : .extra) : .each
    case "function_call": return names.dropFirst() == ["arguments"] ? .joined : .each
    case "tool_calls":
      let inner = Array(names.dropFirst())
      guard inner.count == 3, isNumber(inner[0]) else { return .each }
      return inner[1...] == ["function", "arguments"] || inner[1...] == ["custom", "input"] ? .joined : .each
    default: return .each
    }
  }

  /// Asks what reads the members of an object whether it has a use for one of this name.
  private static func isKnown(
    _ name: Substring, _ note: (UnsafeRawBufferPointer, JSONSlice) -> Bool
  ) -> Bool {
    var name = name
    return name.withUTF8 { note(UnsafeRawBufferPointer($0), JSONSlice(kind: .null, range: 0..<0)) }
  }

  private static func isNumber(_ text: Substring) -> Bool {
    !text.isEmpty && text.utf8.allSatisfy { $0 >= 0x30 && $0 <= 0x39 }
  }
}
