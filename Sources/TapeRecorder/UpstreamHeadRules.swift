import TapeTypes

/// What of a response's head would let it be taken for another one, or for two, by whoever reads it behind us.
enum UpstreamHeadRules {
  /// The head with one `Content-Length` at the most, and none beside 204; nil if it must not be passed on, with the reason
  /// in `fault`.
  ///
  /// RFC 9112 §6.3, RFC 9110 §5.5, §8.6.
  ///
  /// - Parameter overTLS: where HTTP/2 is agreed on. libcurl takes a head that calls itself that for HTTP/1.1 elsewhere.
  static func checked(_ head: UpstreamHead, overTLS: Bool, fault: inout String) -> UpstreamHead? {
    guard head.version == "1.1" || head.version == "1.0" || overTLS && head.version == "2" else {
      fault = "answers with HTTP/\(head.version.prefix(8)), which was not asked for"
      return nil
    }
    guard (200...999).contains(head.status), head.reason.utf8.allSatisfy(isText) else {
      fault = "answers with a status line that is none"
      return nil
    }
    guard head.headers.allSatisfy(isField) else {
      fault = "answers with a header field that has characters which none may have"
      return nil
    }
    let lengths = head.headers.filter { HeaderRules.equal($0.name, "content-length") }.map(\.value)
    // Beside a coding the length does not count, and does not go on.
    guard let length = lengths.first, head.headers.first("transfer-encoding") == nil else { return head }
    guard lengths.allSatisfy({ $0 == length }), length.utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }), Int(length) != nil
    else {
      fault = "answers with a Content-Length that is none, or with several"
      return nil
    }
    guard lengths.count > 1 || head.status == 204 else { return head }
    var head = head
    head.headers.removeAll { HeaderRules.equal($0.name, "content-length") }
    if head.status != 204 { head.headers.append(HeaderField("Content-Length", length)) }
    return head
  }

  /// Also of one behind a body.
  static func isField(_ field: HeaderField) -> Bool {
    !field.name.isEmpty && field.name.utf8.allSatisfy(isToken) && field.value.utf8.allSatisfy(isText)
  }

  private static func isText(_ byte: UInt8) -> Bool { byte >= 0x20 && byte != 0x7F || byte == 0x09 }

  private static func isToken(_ byte: UInt8) -> Bool {
    switch byte {
    case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
    // ! # $ % & ' * + - . ^ _ ` | ~
    case 0x21, 0x23...0x27, 0x2A, 0x2B, 0x2D, 0x2E, 0x5E...0x60, 0x7C, 0x7E: true
    default: false
    }
  }
}
