import TapeTypes

/// Puts the head of a response together from its lines, over the interim ones in front of it, and then reads trailers.
struct ResponseHeadReader {
  enum Step {
    case more
    case head(UpstreamHead)
    case trailer(HeaderField)
    /// Nobody sends such a head in earnest.
    case tooLarge
  }

  private var status = 0
  private var reason = ""
  private var version = ""
  private var fields: [HeaderField] = []
  private var isDone = false
  private var bytes = 0

  private static let maxBytes = 256 << 10

  /// - Parameter line: with its line end.
  mutating func take(_ line: UnsafeRawBufferPointer) -> Step {
    bytes += line.count
    guard bytes <= Self.maxBytes else { return isDone ? .more : .tooLarge }
    var end = line.count
    while end > 0, line[end - 1] == 0x0A || line[end - 1] == 0x0D { end -= 1 }
    let text = UnsafeRawBufferPointer(rebasing: line[..<end])
    if isDone { return trailer(text) }
    guard let first = text.first else { return headEnded() }
    if text.starts(with: "HTTP/".utf8), !text.prefix(while: { $0 != 0x3A }).contains(0x3A), fields.isEmpty {
      readStatus(HeaderText.text(text))
    } else if first == 0x20 || first == 0x09, let last = fields.indices.last {
      fields[last].value += " " + Self.trimmed(text)
    } else if let colon = text.firstIndex(of: 0x3A) {
      fields.append(Self.field(text, colon))
    }
    return .more
  }

  private mutating func headEnded() -> Step {
    defer { fields = [] }
    // 100 Continue, 103 Early Hints: the real one follows. Behind 101 comes another protocol, which nobody asked for.
    if (100...199).contains(status), status != 101 { return .more }
    isDone = true
    return .head(UpstreamHead(status: status, reason: reason, version: version, headers: fields, decoded: nil))
  }

  /// What is none, and what is folded, is left out: libcurl hands out the rest of a folded field as a line of its own.
  private func trailer(_ text: UnsafeRawBufferPointer) -> Step {
    guard let first = text.first, first != 0x20, first != 0x09, let colon = text.firstIndex(of: 0x3A) else {
      return .more
    }
    return .trailer(Self.field(text, colon))
  }

  /// RFC 9112 §4; 0 for a status that is none.
  private mutating func readStatus(_ line: String) {
    let parts = line.split(separator: " ", maxSplits: 2, omittingEmptySubsequences: false)
    version = parts.first.map { String($0.dropFirst(5)) } ?? ""
    let digits = parts.count > 1 ? parts[1] : ""
    status = digits.utf8.count == 3 && digits.utf8.allSatisfy { (0x30...0x39).contains($0) } ? Int(digits) ?? 0 : 0
    reason = parts.count > 2 ? String(parts[2]) : ""
  }

  private static func field(_ line: UnsafeRawBufferPointer, _ colon: Int) -> HeaderField {
    HeaderField(
      trimmed(UnsafeRawBufferPointer(rebasing: line[..<colon])),
      trimmed(UnsafeRawBufferPointer(rebasing: line[(colon + 1)...])))
  }

  private static func trimmed(_ bytes: UnsafeRawBufferPointer) -> String {
    var slice = bytes[...]
    while let first = slice.first, first == 0x20 || first == 0x09 { slice = slice.dropFirst() }
    while let last = slice.last, last == 0x20 || last == 0x09 { slice = slice.dropLast() }
    return HeaderText.text(slice)
  }
}
