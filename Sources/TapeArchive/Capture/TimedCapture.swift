package import TapeJSON
package import TapeTypes

/// The lines of a timed capture: how a call is written down with its times, and read back.
///
/// `{"t_ns":…,"call":N,"ev":"open","request":{…}}`, then `"ev":"frame"` with `raw` (or `raw_base64`), then
/// `"ev":"end"` with `how`. What else a recorded call consists of stands in further keys, so that export and import
/// give the same leaf hash; `schema/archive.md` lists them.
package enum TimedCapture {
  // MARK: Writing

  /// The `open` line, with line feed.
  package static func openLine(_ call: RecordedCall, number: Int) -> [UInt8] {
    var line = start(call.open.startedAtNs, number, "open")
    line += request(call.open.body)
    append(openMembers(call), to: &line)
    return line
  }

  /// What an `open` line says beside its place, time and request.
  static func openMembers(_ call: RecordedCall) -> [JSONValue.Member] {
    let open = call.open
    var members: [JSONValue.Member] = [
      .init("call_id", .string(open.id.description)), .init("salt", .string(Hex.string(open.salt))),
      .init("origin", .string(open.origin.rawValue)), .init("upstream", .string(open.upstream)),
      .init("method", .string(open.method)), .init("path", .string(open.path)),
      .init("headers", CallCoding.headers(open.headers)),
      .init("redactions", .array(open.redactions.map { .string($0) })), .init("has_times", .bool(open.hasTimes)),
    ]
    if let print = open.keyFingerprint { members.append(.init("key_fingerprint", .string(print))) }
    // null says that no response came; a capture without the key does not say.
    members.append(.init("http_status", .int(call.head?.status)))
    if let head = call.head {
      members.append(.init("response_headers", CallCoding.headers(head.headers)))
      members.append(.init("http_version", .string(head.httpVersion)))
      if let offset = head.offsetNs { members.append(.init("head_offset_ns", .int(offset))) }
      if let decoded = head.decoded { members.append(.init("decoded", .string(decoded))) }
    }
    return members
  }

  /// Appends a `frame` line.
  package static func appendFrame(_ bytes: ArraySlice<UInt8>, tNs: Int64, number: Int, to line: inout [UInt8]) {
    line += start(tNs, number, "frame")
    if String(validating: bytes, as: UTF8.self) != nil {
      line += ",\"raw\":".utf8
      JSONText.appendString(bytes, to: &line)
    } else {
      line += ",\"raw_base64\":\"".utf8
      Base64.append(bytes, to: &line)
      line.append(0x22)
    }
    line += "}\n".utf8
  }

  /// The `end` line, with line feed.
  ///
  /// - Parameter how: the call's state; `lost` and `open` have no end record.
  package static func endLine(_ call: RecordedCall, how: String, number: Int) -> [UInt8] {
    let last = call.end?.offsetNs ?? call.frameOffsetsNs.last ?? 0
    var line = start(call.open.startedAtNs &+ last, number, "end")
    append(endMembers(call, how: how), to: &line)
    return line
  }

  /// What an `end` line says beside its place and time.
  static func endMembers(_ call: RecordedCall, how: String) -> [JSONValue.Member] {
    var members: [JSONValue.Member] = [.init("how", .string(how))]
    if let end = call.endJSON, let value = try? JSONValue(parsing: end) { members += value.members ?? [] }
    return members
  }

  private static func start(_ tNs: Int64, _ number: Int, _ event: String) -> [UInt8] {
    Array("{\"t_ns\":\(tNs),\"call\":\(number),\"ev\":\"\(event)\"".utf8)
  }

  /// The body as JSON if its compact form is the body, else as text, else as base64.
  private static func request(_ body: [UInt8]) -> [UInt8] {
    if let value = try? JSONValue(parsing: body), !value.isNull, value.compact == body {
      return Array(",\"request\":".utf8) + body
    }
    var out: [UInt8] = []
    if String(validating: body, as: UTF8.self) != nil {
      out += ",\"request_raw\":".utf8
      JSONText.appendString(body[...], to: &out)
    } else {
      out += ",\"request_base64\":\"".utf8
      Base64.append(body[...], to: &out)
      out.append(0x22)
    }
    return out
  }

  private static func append(_ members: [JSONValue.Member], to line: inout [UInt8]) {
    for member in members {
      line.append(0x2C)
      JSONValue.write(string: member.key, into: &line)
      line.append(0x3A)
      line += member.value.compact
    }
    line += "}\n".utf8
  }

  // MARK: Reading

  /// What an `open` line says.
  package struct Open {
    package var call: CallOpen
    package var head: CallHead?
    /// The line says whether a response came (`http_status`, perhaps null).
    package var knowsHead: Bool
    /// The line says which call it is (`call_id`).
    package var namesCall: Bool
    /// The line says what the request was.
    package var hasRequest: Bool
  }

  /// - Parameter freshID: makes an id for a call that starts at so many ns since 1970.
  /// - Throws: `TapeError` `.failed`, with what is wrong with the line.
  package static func open(
    _ value: JSONValue, tNs: Int64, freshID: (Int64) -> CallID, freshSalt: () -> [UInt8]
  ) throws -> Open {
    func text(_ key: String) -> String? { value[key]?.string }
    let given = try member(value, "call_id") { $0.string.flatMap { CallID($0) } }
    let salt = try member(value, "salt") {
      $0.string.flatMap { Hex.bytes($0.utf8) }.flatMap { $0.count == 16 ? $0 : nil }
    }
    let origin = try member(value, "origin") { $0.string.flatMap { CallOpen.Origin(rawValue: $0) } }
    let call = CallOpen(
      id: given ?? freshID(tNs), startedAtNs: tNs, origin: origin ?? .import, upstream: text("upstream") ?? "",
      method: text("method") ?? "POST", path: text("path") ?? "",
      headers: try member(value, "headers", headers) ?? [], body: try body(value),
      keyFingerprint: text("key_fingerprint"), hasTimes: value["has_times"]?.bool ?? true,
      redactions: try member(value, "redactions") { $0.array.map { $0.compactMap(\.string) } } ?? [],
      salt: salt ?? freshSalt())
    var head: CallHead?
    if let status = try member(value, "http_status", { $0.integer }) {
      head = CallHead(
        offsetNs: try member(value, "head_offset_ns", { $0.integer }).map { Int64($0) }, status: status,
        httpVersion: text("http_version") ?? "", headers: try member(value, "response_headers", headers) ?? [],
        decoded: text("decoded"))
    }
    let hasRequest = ["request", "request_raw", "request_base64"].contains { value[$0].map { !$0.isNull } ?? false }
    return Open(
      call: call, head: head, knowsHead: value["http_status"] != nil, namesCall: given != nil, hasRequest: hasRequest)
  }

  /// A member that may be missing or null, but not be something else than what it should.
  private static func member<T>(_ value: JSONValue, _ key: String, _ read: (JSONValue) -> T?) throws -> T? {
    guard let member = value[key], !member.isNull else { return nil }
    guard let result = read(member) else { throw TapeError(.failed, "'\(key)' is not what it should be") }
    return result
  }

  /// A list of pairs, or an object.
  private static func headers(_ value: JSONValue) -> [HeaderField]? {
    guard let members = value.members else { return CallCoding.headers(value) }
    var fields: [HeaderField] = []
    for member in members {
      guard let text = member.value.string else { return nil }
      fields.append(HeaderField(member.key, text))
    }
    return fields
  }

  private static func body(_ value: JSONValue) throws -> [UInt8] {
    if let text = try member(value, "request_raw", \.string) { return Array(text.utf8) }
    if let bytes = try member(value, "request_base64", { $0.string.flatMap { Base64.bytes(Array($0.utf8)[...]) } }) {
      return bytes
    }
    guard let request = value["request"], !request.isNull else { return [] }
    return request.compact
  }

  /// What an `end` line says.
  package enum End: Equatable {
    /// All that the recorder saw.
    case exact(CallEnd)
    /// The cause follows from the state that the line names.
    case how(CallEnd.Cause)
    /// `error`, of which the frames tell more.
    case error
    /// `lost`, `open`: there is no end record. What is known to be missing.
    case none(CallLoss?)
  }

  /// - Throws: `TapeError` `.failed`.
  package static func end(_ value: JSONValue) throws -> End {
    if value["cause"] != nil {
      guard let end = CallCoding.end(value) else {
        throw TapeError(.failed, "an end line with a cause lacks keys of its own")
      }
      return .exact(end)
    }
    switch value["how"]?.string {
    case "done": return .how(.endOfBody)
    case "cut", "client_abort": return .how(.clientClosed)
    case "error", "upstream_error": return .error
    case "upstream_cut": return .how(.upstreamClosed)
    case "timeout": return .how(.timeout)
    case "lost", "open": return .none(CallCoding.loss(value))
    case let other: throw TapeError(.failed, "'how' is \(other.map { "\"\($0)\"" } ?? "missing")")
    }
  }
}
