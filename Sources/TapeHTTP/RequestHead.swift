internal import TapeTypes

/// What is done to a whole head before the decoder sees it, so that nothing of it is lost or refused that need not be.
enum RequestHead {
  /// Whether a request can begin with this byte: a method's.
  static func canBegin(with byte: UInt8) -> Bool { isTokenByte(byte) }

  /// What the decoder is given, and what it is told otherwise.
  struct Prepared {
    /// nil for the head as it is.
    var bytes: [UInt8]?
    /// A method that the decoder would not know.
    var method: String?
    /// A target with bytes that the decoder would not have.
    var target: String?
  }

  static func prepared(_ head: [UInt8]) -> Prepared {
    let end = head.firstIndex { !isTokenByte($0) } ?? head.endIndex
    let method = String(decoding: head[..<end], as: UTF8.self)
    let isForeign = end > 0 && end < head.count && head[end] == 0x20 && !known.contains(method)
    let isPlain = head.allSatisfy { $0 < 0x80 }
    guard isForeign || !isPlain else { return Prepared() }
    var prepared = Prepared(
      bytes: isForeign ? Array("POST".utf8) : Array(head[..<end]), method: isForeign ? method : nil)
    guard !isPlain else {
      prepared.bytes?.append(contentsOf: head[end...])
      return prepared
    }
    let lineEnd = head[end...].firstIndex(of: 0x0D) ?? head.endIndex
    let target = head[end..<lineEnd].dropFirst().prefix { $0 != 0x20 }
    if target.contains(where: { $0 >= 0x80 }) { prepared.target = HeaderText.text(target) }
    prepared.bytes?.append(contentsOf: head[end..<lineEnd].map { $0 < 0x80 ? $0 : 0x5F })
    prepared.bytes?.append(contentsOf: inText(head[lineEnd...]))
    return prepared
  }

  /// Those that the decoder has to know for what they are; `PRI` is how HTTP/2 begins.
  private static let known: Set<String> = [
    "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PRI",
  ]

  /// The decoder makes texts of what it reads, in which bytes that are not UTF-8 would be lost.
  private static func inText(_ lines: ArraySlice<UInt8>) -> [UInt8] {
    var out: [UInt8] = []
    out.reserveCapacity(lines.count + 64)
    for line in lines.split(separator: 0x0A, omittingEmptySubsequences: false) {
      if line.startIndex > lines.startIndex { out.append(0x0A) }
      out += Array(HeaderText.text(line).utf8)
    }
    return out
  }

  /// RFC 9110 §5.6.2.
  private static func isTokenByte(_ byte: UInt8) -> Bool {
    switch byte {
    case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
    default: "!#$%&'*+-.^_`|~".utf8.contains(byte)
    }
  }
}

/// Finds the end of a head, the blank line, over bytes that come in pieces.
struct BlankLineFinder {
  /// The last line so far has no bytes but perhaps a CR.
  private var lineIsEmpty = true
  private var sawLine = false
  private var sawCR = false
  /// The first line with anything in it.
  private(set) var line = RequestLineCheck()
  /// A line that is not blank ended without CR. The decoder would blame the HTTP version for it.
  private(set) var sawBareLF = false
  /// Line ends so far.
  private(set) var lines = 0

  /// Where the blank line ends; nil if it is not in these bytes. Blank lines in front of the request do not count.
  mutating func find(in bytes: UnsafeRawBufferPointer) -> Int? {
    for (index, byte) in bytes.enumerated() {
      switch byte {
      case 0x0A:
        if sawLine {
          lines += 1
          line.take(byte)
          if !sawCR { sawBareLF = true }
        }
        if lineIsEmpty, sawLine { return index + 1 }
        lineIsEmpty = true
        sawCR = false
      case 0x0D:
        if sawLine { line.take(byte) }
        sawCR = true
      default:
        line.take(byte)
        lineIsEmpty = false
        sawCR = false
        sawLine = true
      }
    }
    return nil
  }
}
