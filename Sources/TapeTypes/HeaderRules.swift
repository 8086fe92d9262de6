/// Which header fields concern one connection only and are not passed on (RFC 9110 §7.6.1).
package enum HeaderRules {
  private static let hopByHop: Set<String> = [
    "connection", "proxy-connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade",
    "proxy-authenticate", "proxy-authorization", "proxy-authentication-info", "http2-settings",
  ]

  /// The fields meant for the other end: without hop-by-hop fields and those that `Connection` names.
  package static func endToEnd(_ headers: [HeaderField]) -> [HeaderField] {
    var named: Set<String> = []
    for field in headers where equal(field.name, "connection") {
      for option in field.value.split(separator: ",") { named.insert(trimmed(option).lowercased()) }
    }
    // Where both are there, the length says nothing and must not go on (RFC 9112 §6.3).
    if headers.first("transfer-encoding") != nil { named.insert("content-length") }
    return headers.filter { field in
      let name = field.name.lowercased()
      return !hopByHop.contains(name) && !named.contains(name)
    }
  }

  /// Whether a field behind a body may be passed on: none that says how the message is to be read (RFC 9110 §6.5.1).
  package static func isTrailer(_ name: String) -> Bool {
    let name = name.lowercased()
    return !name.isEmpty && !hopByHop.contains(name) && !neverTrailers.contains(name) && !name.hasPrefix("x-tapedeck-")
  }

  private static let neverTrailers: Set<String> = [
    "content-length", "content-encoding", "content-type", "content-range", "host", "set-cookie", "authorization",
    "www-authenticate", "cache-control", "expires", "date", "location", "retry-after", "vary", "age",
  ]

  /// Names are compared without case, and only ASCII has one.
  package static func equal(_ left: String, _ right: String) -> Bool {
    left.utf8.count == right.utf8.count && zip(left.utf8, right.utf8).allSatisfy { lower($0) == lower($1) }
  }

  /// Whether a comma-separated field has this member, e.g. `close` in `Connection`.
  package static func has(_ headers: [HeaderField], _ name: String, _ member: String) -> Bool {
    headers.contains { field in
      equal(field.name, name) && field.value.split(separator: ",").contains { equal(trimmed($0), member) }
    }
  }

  /// The media type of a `Content-Type` value, lower case, without parameters.
  package static func mediaType(_ contentType: String?) -> String {
    guard let contentType, let type = contentType.split(separator: ";").first else { return "" }
    return trimmed(type).lowercased()
  }

  /// How the body is encoded, in lower case; nil if it is not.
  package static func contentCoding(_ headers: [HeaderField]) -> String? {
    guard let coding = headers.first("content-encoding").map({ trimmed($0[...]).lowercased() }) else { return nil }
    return coding.isEmpty || coding == "identity" ? nil : coding
  }

  private static func lower(_ byte: UInt8) -> UInt8 { byte >= 0x41 && byte <= 0x5A ? byte | 0x20 : byte }

  private static func trimmed(_ text: Substring) -> String {
    var bytes = text.utf8[...]
    while let first = bytes.first, first == 0x20 || first == 0x09 { bytes.removeFirst() }
    while let last = bytes.last, last == 0x20 || last == 0x09 { bytes.removeLast() }
    return String(Substring(bytes))
  }
}
