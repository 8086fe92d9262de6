import TapeJSON
import TapeTypes

/// Reading bodies that are no event stream: error answers in JSON, HTML or plain text.
enum WholeBody {
  /// The error in a JSON object that something else says is one; nil if there is no message in it.
  static func error(in bytes: UnsafeRawBufferPointer, frame: Int?) -> GenerationError? {
    guard let (cursor, members) = errorMembers(bytes) else { return nil }
    return members.read(from: cursor, hasChoices: false, isForced: true, frame: frame)
  }

  /// Data of an `error` event that is no such object: its text is the message.
  static func plainError(_ data: UnsafeRawBufferPointer, frame: Int?) -> GenerationError {
    let text = String(decoding: data.prefix(2_000), as: UTF8.self)
    return GenerationError(message: text.isEmpty ? "an error event without a message" : text, frame: frame)
  }

  static func isObject(_ bytes: UnsafeRawBufferPointer) -> Bool {
    var cursor = JSONCursor(trimmed(bytes))
    guard let slice = try? cursor.document() else { return false }
    return slice.kind == .object
  }

  /// Keeps what an error body says beside the error.
  static func keepFields(of bytes: UnsafeRawBufferPointer, in builder: inout GenerationBuilder) {
    guard let (cursor, members) = errorMembers(bytes) else { return }
    let isError = members.read(from: cursor, hasChoices: false, isForced: true, frame: 0) != nil
    try? members.keepRest(of: cursor, in: &builder.extra, isError: isError)
    var again = cursor
    var unused = ErrorMembers()
    try? again.members { (key, value) throws(JSONError) in
      if !cursor.withName(key, { unused.note($0, value) }) { builder.extra.set(.top, key, value, of: cursor) }
    }
  }

  private static func errorMembers(_ bytes: UnsafeRawBufferPointer) -> (JSONCursor, ErrorMembers)? {
    var cursor = JSONCursor(trimmed(bytes))
    let start = cursor
    var members = ErrorMembers()
    do throws(JSONError) {
      try cursor.members { (key, value) throws(JSONError) in
        _ = start.withName(key) { members.note($0, value) }
      }
      try cursor.expectEnd()
    } catch {
      return nil
    }
    return (start, members)
  }

  /// The chunks of a JSON body: the object that it is, or the objects of a list of them, as Gemini's
  /// `streamGenerateContent` sends without `alt=sse`. None if it is anything else.
  static func chunks(_ bytes: UnsafeRawBufferPointer) -> [UnsafeRawBufferPointer] {
    let body = trimmed(bytes)
    var cursor = JSONCursor(body)
    guard let whole = try? cursor.document() else { return [] }
    if whole.kind == .object { return [body] }
    var chunks: [UnsafeRawBufferPointer] = []
    JSONCursor(body).eachElement(of: whole) { _, chunk in
      if chunk.kind == .object { chunks.append(JSONCursor(body).raw(chunk)) }
    }
    // Lists of other things are not answers.
    return chunks.first.map { Dialect(shownBy: $0) == .gemini || isError($0) } == true ? chunks : []
  }

  private static func isError(_ chunk: UnsafeRawBufferPointer) -> Bool {
    errorMembers(chunk)?.1.read(from: JSONCursor(chunk), hasChoices: false, frame: 0) != nil
  }

  /// Without a byte order mark, which some servers send.
  static func trimmed(_ bytes: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
    let hasMark = bytes.count >= 3 && bytes[0] == 0xEF && bytes[1] == 0xBB && bytes[2] == 0xBF
    return hasMark ? UnsafeRawBufferPointer(rebasing: bytes[3...]) : bytes
  }

  /// What an error answer without a message in it says: the page's title, a line of plain text, or its size.
  static func describe(_ bytes: UnsafeRawBufferPointer, size: Int, head: CallHead) -> String {
    let type = mediaType(of: bytes, head: head)
    if type.contains("html"), let title = title(bytes) { return title }
    if type == "text/plain", bytes.count <= 300, let line = line(bytes[...]) { return line }
    let named = head.mediaType.flatMap { $0.isEmpty ? nil : $0 } ?? type
    return size == 0 ? "HTTP \(head.status), empty body" : "HTTP \(head.status), \(named), \(size) bytes"
  }

  /// The Content-Type, else what the bytes look like.
  static func mediaType(of bytes: UnsafeRawBufferPointer, head: CallHead?) -> String {
    if let type = head?.mediaType, !type.isEmpty, type != "text/event-stream" { return type }
    switch bytes.first(where: { $0 > 0x20 }) {
    case 0x7B, 0x5B: return "application/json"
    case 0x3C: return "text/html"
    default: return "text/plain"
    }
  }

  /// The text of an HTML page's title; nil if it has none.
  private static func title(_ bytes: UnsafeRawBufferPointer) -> String? {
    let page = bytes.prefix(1 << 16)
    guard let open = find("<title", in: page, from: page.startIndex),
      let start = page[open...].firstIndex(of: 0x3E),
      let end = find("</title", in: page, from: start)
    else { return nil }
    return line(page[(start + 1)..<end])
  }

  private static func find(_ name: StaticString, in bytes: Slice<UnsafeRawBufferPointer>, from start: Int) -> Int? {
    let count = name.utf8CodeUnitCount
    var position = start
    while position + count <= bytes.endIndex {
      if (0..<count).allSatisfy({ bytes[position + $0] | 0x20 == name.utf8Start[$0] | 0x20 }) { return position }
      position += 1
    }
    return nil
  }

  /// The text on one line, of at most 300 bytes; nil if it is blank.
  private static func line(_ bytes: Slice<UnsafeRawBufferPointer>) -> String? {
    let words = bytes.prefix(300).split { $0 <= 0x20 }.map { String(decoding: $0, as: UTF8.self) }
    return words.isEmpty ? nil : words.joined(separator: " ")
  }
}
