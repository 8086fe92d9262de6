import TapeJSON

/// Asks for usage on the caller's behalf (`--ensure-usage`).
///
/// orq.ai and OpenAI leave usage out of a stream unless the request asks for it. The member
/// is spliced into the body's own bytes, so that nothing else of the request changes.
package enum EnsureUsage {
  /// What `CallOpen.redactions` says of a call whose body was changed.
  package static let note = "ensure_usage"

  /// The body with the wish for usage in it; nil where the request already says what it wants,
  /// is no JSON object, or goes where usage cannot be asked for.
  package static func applied(to body: [UInt8], target: String) -> [UInt8]? {
    let isOrq = GenerationEndpoints.isOrqDeployment(target)
    guard isOrq || GenerationEndpoints.isChatCompletion(target), let json = try? JSONValue(parsing: body),
      let members = json.members
    else { return nil }
    // OpenAI refuses `stream_options` in a request that does not stream.
    guard isOrq || json["stream"]?.bool == true else { return nil }
    let option = isOrq ? "invoke_options" : "stream_options"
    let wish = "\"include_usage\":true"
    guard let options = json[option] else {
      return insert((members.isEmpty ? "" : ",") + "\"\(option)\":{\(wish)}", beforeEndOf: 0..<body.count, in: body)
    }
    guard let range = range(ofMember: option, in: body) else { return nil }
    if options.isNull { return body[..<range.lowerBound] + Array("{\(wish)}".utf8) + body[range.upperBound...] }
    guard let inner = options.members, options["include_usage"] == nil else { return nil }
    return insert((inner.isEmpty ? "" : ",") + wish, beforeEndOf: range, in: body)
  }

  /// Puts `text` in front of the closing brace of the object in `range`.
  private static func insert(_ text: String, beforeEndOf range: Range<Int>, in body: [UInt8]) -> [UInt8]? {
    guard let brace = body[range].lastIndex(of: 0x7D) else { return nil }
    return body[..<brace] + Array(text.utf8) + body[brace...]
  }

  /// Where the value of the last top-level member `name` lies. The body is known to be a JSON object.
  private static func range(ofMember name: String, in body: [UInt8]) -> Range<Int>? {
    let key = Array("\"\(name)\"".utf8)
    var found: Range<Int>?
    var depth = 0
    var position = 0
    var valueStart: Int?
    while position < body.count {
      switch body[position] {
      case 0x22:
        let end = endOfString(body, position)
        if depth == 1, valueStart == nil, body[position..<end].elementsEqual(key) {
          valueStart = startOfValue(body, behindKey: end)
          position = valueStart ?? end
          continue
        }
        position = end
        continue
      case 0x7B, 0x5B: depth += 1
      case 0x7D, 0x5D:
        depth -= 1
        if depth == 0, let start = valueStart { return start..<endOfValue(body, start, position) }
      case 0x2C where depth == 1:
        if let start = valueStart { found = start..<endOfValue(body, start, position) }
        valueStart = nil
      default: break
      }
      position += 1
    }
    return found
  }

  /// Behind the closing quote of the string that starts at `start`.
  private static func endOfString(_ body: [UInt8], _ start: Int) -> Int {
    var position = start + 1
    while position < body.count, body[position] != 0x22 { position += body[position] == 0x5C ? 2 : 1 }
    return min(position + 1, body.count)
  }

  /// nil if what looked like a key is a value.
  private static func startOfValue(_ body: [UInt8], behindKey end: Int) -> Int? {
    var position = end
    while position < body.count, isSpace(body[position]) { position += 1 }
    guard position < body.count, body[position] == 0x3A else { return nil }
    position += 1
    while position < body.count, isSpace(body[position]) { position += 1 }
    return position
  }

  private static func endOfValue(_ body: [UInt8], _ start: Int, _ end: Int) -> Int {
    var end = end
    while end > start, isSpace(body[end - 1]) { end -= 1 }
    return end
  }

  private static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 }
}
