internal import TapeJSON
internal import TapeTypes

extension TemplateCoding: RequestCoding {
  /// Reads the head's `open` lines and the text's `/request` lines, and steps over all others.
  func requests(head: [UInt8], text: [UInt8]) throws -> [BlockRequest] {
    var requests: [BlockRequest] = []
    try head.withUnsafeBufferPointer { try read(head: $0, into: &requests) }
    var places: [CallID: Int] = [:]
    for (index, request) in requests.enumerated() { places[request.id] = index }
    try text.withUnsafeBufferPointer { text in
      try Self.forEachLine(text) { line in
        guard let value = Self.value(line, of: "/request"),
          let id = CallID(String(decoding: line[..<Self.idLength], as: UTF8.self)), let index = places[id]
        else { return }
        let (escapes, from) = try TapeText.Escapes.parse(value)
        requests[index].body = try TapeText.decode(UnsafeBufferPointer(rebasing: value[from...]), escapes)
      }
    }
    return requests
  }

  private func read(head: UnsafeBufferPointer<UInt8>, into requests: inout [BlockRequest]) throws {
    var isCall = false
    try Self.forEachLine(head) { line in
      if line.count > 2 + Self.idLength, line[0] == 0x23, line[1] == 0x20 {
        let value = Array(line[2...])
        isCall = TombstoneLines.parse(value[...]) == nil
        guard isCall else { return }
        let words = value.split(separator: 0x20, maxSplits: 2)
        guard words.count == 3, let id = CallID(String(decoding: words[0], as: UTF8.self)),
          let started = Decimal.parseSigned(words[1])
        else { throw BlockError("a call's first line") }
        requests.append(BlockRequest(id: id, startedAtNs: Int64(started)))
      } else if isCall, line.starts(with: "open ".utf8), !requests.isEmpty {
        let json = try TapeText.decode(UnsafeBufferPointer(rebasing: line[5...]), .none)
        try requests[requests.count - 1].read(open: json)
      }
    }
  }

  private static let idLength = 26

  /// What stands behind `<id> <label>`; nil for other lines.
  private static func value(_ line: UnsafeBufferPointer<UInt8>, of label: StaticString) -> UnsafeBufferPointer<UInt8>? {
    let start = idLength + 1 + label.utf8CodeUnitCount
    guard line.count > start, line[idLength] == 0x20, line[start] == 0x20 || line[start] == 0x5C else { return nil }
    for offset in 0..<label.utf8CodeUnitCount where line[idLength + 1 + offset] != label.utf8Start[offset] {
      return nil
    }
    return UnsafeBufferPointer(rebasing: line[start...])
  }

  private static func forEachLine(
    _ text: UnsafeBufferPointer<UInt8>, _ body: (UnsafeBufferPointer<UInt8>) throws -> Void
  ) throws {
    var start = 0
    while start < text.count {
      guard let end = text.position(of: 0x0A, from: start) else { throw BlockError("a line without an end") }
      try body(UnsafeBufferPointer(rebasing: text[start..<end]))
      start = end + 1
    }
  }
}

extension BlockRequest {
  /// Of the open JSON only what is asked for is looked at.
  fileprivate mutating func read(open json: [UInt8]) throws {
    let found = json.withUnsafeBytes { bytes -> (method: String, path: String)? in
      var cursor = JSONCursor(bytes)
      var method: String?
      var path: String?
      try? cursor.members { key, value in
        let reader = JSONCursor(bytes)
        guard value.kind == .string else { return }
        if reader.matches(key, "method") { method = reader.string(value) }
        if reader.matches(key, "path") { path = reader.string(value) }
      }
      guard let method, let path else { return nil }
      return (method, path)
    }
    guard let found else { throw BlockError("the open line of call \(id)") }
    (method, path) = found
  }
}
