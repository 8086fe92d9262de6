internal import TapeJSON
package import TapeTypes

/// Writes calls as an HTTP Archive, version 1.2.
///
/// The format has no place for arrival times of frames, for bytes that are no text in a request, and for what the
/// recorder saw at the end. They are in a member `_tapedeck` of the entry, as the specification provides for fields of
/// one's own; `HAREntry` reads it back. Source: <http://www.softwareishard.com/blog/har-12-spec/>.
package struct HARWriter {
  private let program: String
  private let version: String
  private var isFirst = true

  package init(program: String, version: String) {
    self.program = program
    self.version = version
  }

  /// What comes before the entries.
  package func start() -> [UInt8] {
    let creator: JSONValue = ["name": .string(program), "version": .string(version)]
    return Array("{\"log\":{\"version\":\"1.2\",\"creator\":".utf8) + creator.compact + Array(",\"entries\":[".utf8)
  }

  /// One entry, with the comma before it.
  package mutating func entry(_ call: RecordedCall, state: CallState) -> [UInt8] {
    defer { isFirst = false }
    return Array((isFirst ? "\n" : ",\n").utf8) + Self.entry(call, state: state).compact
  }

  /// What comes behind the entries.
  package func finish() -> [UInt8] { Array("\n]}}\n".utf8) }

  // MARK: One entry

  static func entry(_ call: RecordedCall, state: CallState) -> JSONValue {
    let times = HARTimes(call)
    return .object([
      .init("startedDateTime", .string(RFC3339.string(call.open.startedAtNs))),
      .init("time", milliseconds(times.wait + times.receive)), .init("request", request(call.open)),
      .init("response", response(call)), .init("cache", .object([])),
      .init(
        "timings",
        ["send": 0, "wait": milliseconds(times.wait), "receive": milliseconds(times.receive)]),
      .init("_tapedeck", own(call, state)),
    ])
  }

  static func url(_ open: CallOpen) -> String {
    let origin = open.upstream.isEmpty ? "http://\(HAREntry.unknownHost)" : open.upstream
    return URLText.escaped(origin + (open.path.hasPrefix("/") ? "" : "/") + open.path)
  }

  private static func request(_ open: CallOpen) -> JSONValue {
    var members: [JSONValue.Member] = [
      .init("method", .string(open.method)), .init("url", .string(url(open))),
      .init("httpVersion", "unknown"), .init("cookies", []), .init("headers", headers(open.headers)),
      .init("queryString", .array(URLText.query(of: open.path).map { ["name": .string($0), "value": .string($1)] })),
    ]
    if !open.body.isEmpty {
      // What is no text is in `_tapedeck` as well, byte for byte.
      members.append(
        .init(
          "postData",
          [
            "mimeType": .string(open.headers.first("content-type") ?? unknownType),
            "text": .string(String(decoding: open.body, as: UTF8.self)),
          ]))
    }
    return .object(members + [.init("headersSize", -1), .init("bodySize", .int(open.body.count))])
  }

  private static func response(_ call: RecordedCall) -> JSONValue {
    let type = call.head?.headers.first("content-type") ?? unknownType
    var content: [JSONValue.Member] = [.init("size", .int(call.raw.count)), .init("mimeType", .string(type))]
    if let text = String(validating: call.raw, as: UTF8.self) {
      content.append(.init("text", .string(text)))
    } else {
      content += [.init("text", .string(Base64.string(call.raw))), .init("encoding", "base64")]
    }
    return .object([
      .init("status", .int(call.head?.status ?? 0)), .init("statusText", ""),
      .init("httpVersion", .string(HAREntry.httpVersion(written: call.head?.httpVersion ?? ""))),
      .init("cookies", []), .init("headers", headers(call.head?.headers ?? [])), .init("content", .object(content)),
      .init("redirectURL", .string(call.head?.headers.first("location") ?? "")), .init("headersSize", -1),
      .init("bodySize", .int(call.head?.decoded == nil && call.head != nil ? call.raw.count : -1)),
    ])
  }

  private static let unknownType = "x-unknown"

  private static func headers(_ fields: [HeaderField]) -> JSONValue {
    .array(fields.map { ["name": .string($0.name), "value": .string($0.value)] })
  }

  /// What the entry says nowhere else; the names are those of a timed capture.
  private static func own(_ call: RecordedCall, _ state: CallState) -> JSONValue {
    var members = TimedCapture.openMembers(call).filter { $0.key != "headers" && $0.key != "response_headers" }
    if !call.open.body.isEmpty, String(validating: call.open.body, as: UTF8.self) == nil {
      members.append(.init("request_base64", .string(Base64.string(call.open.body))))
    }
    members += TimedCapture.endMembers(call, how: state.rawValue)
    var start = 0
    let lengths = call.frameEnds.map { end in
      defer { start = end }
      return end - start
    }
    members.append(.init("frame_bytes", .array(lengths.map { .int($0) })))
    if call.open.hasTimes {
      members.append(.init("frame_offsets_ns", .array(call.frameOffsetsNs.map { .int($0) })))
    }
    return .object([.init("format", .string(HAREntry.ownFormat))] + members)
  }

  /// ns as a number of milliseconds, exactly.
  private static func milliseconds(_ ns: Int64) -> JSONValue {
    let fraction = String(ns % 1_000_000)
    var digits = String(repeating: "0", count: 6 - fraction.count) + fraction
    while digits.last == "0" { digits.removeLast() }
    return .number(String(ns / 1_000_000) + (digits.isEmpty ? "" : "." + digits))
  }
}

/// How long the response was waited for and how long it took, ns from 0; both 0 without clock.
private struct HARTimes {
  var wait: Int64 = 0
  var receive: Int64 = 0

  init(_ call: RecordedCall) {
    guard call.open.hasTimes else { return }
    let last = max(0, call.end?.offsetNs ?? call.frameOffsetsNs.last ?? call.head?.offsetNs ?? 0)
    wait = min(last, max(0, call.head?.offsetNs ?? call.frameOffsetsNs.first ?? last))
    receive = last - wait
  }
}

/// URLs as text, without a library: what goes into one, and what its query says.
enum URLText {
  /// A URL as RFC 3986 has it: bytes that may not stand in one are percent-encoded.
  static func escaped(_ text: String) -> String {
    var out: [UInt8] = []
    let bytes = Array(text.utf8)
    // The brackets of an IPv6 address may stand there, and nowhere else.
    let authority = authorityRange(bytes)
    for (index, byte) in bytes.enumerated() {
      let isBracket = byte == 0x5B || byte == 0x5D
      if isAllowed(byte) || isBracket && authority.contains(index) {
        out.append(byte)
      } else {
        out += [0x25, upper(byte >> 4), upper(byte & 15)]
      }
    }
    return String(decoding: out, as: UTF8.self)
  }

  private static func authorityRange(_ bytes: [UInt8]) -> Range<Int> {
    guard let scheme = bytes.firstIndex(of: 0x3A), bytes[scheme...].starts(with: "://".utf8) else { return 0..<0 }
    let start = scheme + 3
    return start..<(bytes[start...].firstIndex { $0 == 0x2F || $0 == 0x3F || $0 == 0x23 } ?? bytes.count)
  }

  private static func isAllowed(_ byte: UInt8) -> Bool {
    switch byte {
    case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
    default: "-._~:/?@!$&'()*+,;=%".utf8.contains(byte)
    }
  }

  private static func upper(_ digit: UInt8) -> UInt8 { digit < 10 ? 0x30 + digit : 0x37 + digit }

  /// The parameters behind the first `?`, decoded.
  static func query(of target: String) -> [(name: String, value: String)] {
    guard let mark = target.firstIndex(of: "?") else { return [] }
    return target[target.index(after: mark)...].split(separator: "&").map { pair in
      let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      return (decoded(parts[0]), parts.count > 1 ? decoded(parts[1]) : "")
    }
  }

  private static func decoded(_ text: Substring) -> String {
    var out: [UInt8] = []
    var rest = Array(text.utf8)[...]
    while let byte = rest.popFirst() {
      if byte == 0x25, rest.count >= 2, let high = digit(rest[rest.startIndex]),
        let low = digit(rest[rest.startIndex + 1])
      {
        out.append(high << 4 | low)
        rest = rest.dropFirst(2)
      } else {
        out.append(byte == 0x2B ? 0x20 : byte)
      }
    }
    return String(decoding: out, as: UTF8.self)
  }

  private static func digit(_ byte: UInt8) -> UInt8? { Hex.value(byte) ?? Hex.value(byte | 0x20) }

  /// Scheme with host and port, and path with query, of a URL of HTTP; nil for any other. Userinfo and fragment are
  /// left out.
  static func parts(_ url: String) -> (origin: String, target: String, hadUserinfo: Bool)? {
    let bytes = Array(url.utf8)
    let authority = authorityRange(bytes)
    let scheme = String(decoding: bytes[..<max(0, authority.lowerBound - 3)], as: UTF8.self).lowercased()
    guard scheme == "http" || scheme == "https", !authority.isEmpty else { return nil }
    var host = bytes[authority]
    let at = host.lastIndex(of: 0x40)
    if let at { host = host[(at + 1)...] }
    guard !host.isEmpty else { return nil }
    let target = bytes[authority.upperBound...].prefix { $0 != 0x23 }
    let path = target.first == 0x2F ? Array(target) : [0x2F] + target
    return (
      "\(scheme)://\(String(decoding: host, as: UTF8.self).lowercased())", String(decoding: path, as: UTF8.self),
      at != nil
    )
  }
}
