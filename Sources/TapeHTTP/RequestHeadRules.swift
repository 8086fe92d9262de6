import NIOHTTP1

/// What a request head must be beside what NIO's decoder asks for, so that nobody who reads the same bytes can take them
/// for another request: RFC 9112 with every freedom that it gives a recipient turned down.
enum RequestHeadRules {
  /// - Throws: `RequestRefusal` that says what is wrong.
  static func check(_ head: HTTPRequestHead) throws(RequestRefusal) {
    if head.method == .CONNECT {
      throw RequestRefusal(status: 405, code: "method_not_allowed", message: "this is no tunnel: CONNECT is refused")
    }
    guard head.uri.utf8.first == 0x2F else {
      throw refusal("the request target must be a path: this proxy has one upstream only")
    }
    guard !head.uri.utf8.contains(0x23) else { throw refusal("a request target has no fragment, and this one has a #") }
    try checkHost(head)
    try checkCoding(head)
  }

  private static func checkHost(_ head: HTTPRequestHead) throws(RequestRefusal) {
    let hosts = head.headers["host"]
    guard hosts.count == 1 || (hosts.isEmpty && head.version == .http1_0) else {
      throw refusal("the request must have exactly one Host header")
    }
    guard hosts.allSatisfy({ trimmed($0).utf8.allSatisfy(isHostByte) }) else {
      throw refusal("the Host header is no host name with or without a port")
    }
  }

  /// RFC 3986 §3.2.2, and `:` `[` `]`.
  private static func isHostByte(_ byte: UInt8) -> Bool {
    switch byte {
    case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
    // - . _ ~ % ! $ & ' ( ) * + ; = : [ ]
    case 0x2D, 0x2E, 0x5F, 0x7E, 0x25, 0x21, 0x24, 0x26...0x2B, 0x3B, 0x3D, 0x3A, 0x5B, 0x5D: true
    default: false
    }
  }

  /// Only `chunked`, once and alone: what else it may say, another server may read otherwise.
  private static func checkCoding(_ head: HTTPRequestHead) throws(RequestRefusal) {
    let codings = head.headers["transfer-encoding"]
    guard !codings.isEmpty else { return }
    guard head.version != .http1_0 else { throw refusal("HTTP/1.0 has no Transfer-Encoding") }
    guard codings.count == 1, trimmed(codings[0]).lowercased() == "chunked" else {
      throw refusal("the only Transfer-Encoding that is taken is chunked, said once")
    }
    guard !head.headers.contains(name: "content-length") else {
      throw refusal("the request has both a Content-Length and a Transfer-Encoding")
    }
  }

  /// The decoder leaves white space behind a value on it, which is no part of it (RFC 9110 §5.5).
  static func trimmed(_ value: String) -> String {
    let isSpace = { (byte: UInt8) in byte == 0x20 || byte == 0x09 }
    guard value.utf8.first.map(isSpace) == true || value.utf8.last.map(isSpace) == true else { return value }
    let bytes = value.utf8.drop(while: isSpace)
    let end = bytes.lastIndex { !isSpace($0) }.map(bytes.index(after:)) ?? bytes.startIndex
    return String(Substring(bytes[..<end]))
  }

  static func refusal(_ message: String) -> RequestRefusal {
    RequestRefusal(status: 400, code: "bad_request", message: message)
  }
}

/// Whether the first line of a request has the one form that there is, `METHOD SP TARGET SP HTTP/1.1`, over bytes that
/// come in pieces. NIO's decoder takes more than that.
struct RequestLineCheck {
  private var spaces = 0
  private var wordBytes = 0
  private var isOver = false
  private(set) var isBroken = false

  /// Takes the next byte of the line; its CR too.
  mutating func take(_ byte: UInt8) {
    guard !isOver else { return }
    switch byte {
    case 0x0D, 0x0A:
      isOver = true
      // Behind the second space is `HTTP/1.1`; the decoder looks into it.
      isBroken = spaces != 2 || wordBytes != 8
    case 0x20:
      isBroken = isBroken || wordBytes == 0
      spaces += 1
      wordBytes = 0
    default: wordBytes += 1
    }
  }
}
