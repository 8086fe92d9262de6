package import TapeJSON
package import TapeTypes

/// The canonical JSON of a call's parts, and back.
///
/// One form for journal, segment and leaf hash: keys in the order written here, no white
/// space, strings escaped as `JSONValue` does, absent knowledge leaves its key out. The
/// body and the salt are no part of it. Changing any byte of this changes every leaf hash.
package enum CallCoding {
  package static func json(_ open: CallOpen) -> [UInt8] { json(open, isNamed: true) }

  /// - Parameter isNamed: false where id and start stand beside the JSON.
  static func json(_ open: CallOpen, isNamed: Bool) -> [UInt8] {
    var object = Object()
    if isNamed {
      object.add("id", .string(open.id.description))
      object.add("started_at_ns", .int(open.startedAtNs))
    }
    object.add("origin", .string(open.origin.rawValue))
    object.add("upstream", .string(open.upstream))
    object.add("method", .string(open.method))
    object.add("path", .string(open.path))
    object.add("headers", headers(open.headers))
    object.add("key_fingerprint", open.keyFingerprint.map { .string($0) })
    object.add("has_times", .bool(open.hasTimes))
    object.add("redactions", .array(open.redactions.map { .string($0) }))
    return object.bytes
  }

  package static func json(_ head: CallHead) -> [UInt8] {
    var object = Object()
    object.add("offset_ns", head.offsetNs.map { .int($0) })
    object.add("status", .int(head.status))
    object.add("http_version", .string(head.httpVersion))
    object.add("headers", headers(head.headers))
    object.add("decoded", head.decoded.map { .string($0) })
    return object.bytes
  }

  package static func json(_ end: CallEnd) -> [UInt8] { json(end, sha256: end.sha256.map { Hex.string($0) }) }

  /// With another text in place of the hash: the segment writes `=` for a hash that follows from the bytes.
  ///
  /// - Parameter isCounted: false where the number of frames and bytes stands beside the JSON.
  package static func json(_ end: CallEnd, sha256: String?, isCounted: Bool = true) -> [UInt8] {
    var object = Object()
    object.add("offset_ns", end.offsetNs.map { .int($0) })
    object.add("cause", .string(end.cause.rawValue))
    object.add("detail", end.detail.map { .string($0) })
    object.add("client_closed_ns", end.clientClosedNs.map { .int($0) })
    if isCounted {
      object.add("frames", .int(end.frames))
      object.add("bytes", .int(end.bytes))
    }
    object.add("sha256", sha256.map { .string($0) })
    object.add("gap_frames", .int(end.gapFrames))
    object.add("gap_bytes", .int(end.gapBytes))
    object.add("saw_done", end.sawDone ? .bool(true) : nil)
    object.add("clock_step_ns", .int(end.clockStepNs))
    return object.bytes
  }

  /// Stands where the end JSON of another call stands. It has no `cause`.
  package static func json(_ loss: CallLoss) -> [UInt8] {
    var object = Object()
    object.add("gap_frames", .int(loss.gapFrames))
    object.add("gap_bytes", .int(loss.gapBytes))
    object.add("missing_frames", loss.missingFrames > 0 ? .int(loss.missingFrames) : nil)
    return object.bytes
  }

  /// nil for what is an end, or neither.
  package static func loss(_ value: JSONValue) -> CallLoss? {
    guard value["cause"] == nil, let frames = value["gap_frames"]?.integer, let bytes = value["gap_bytes"]?.integer,
      let missing = value["missing_frames"].map({ $0.integer }) ?? 0, min(frames, bytes, missing) >= 0
    else { return nil }
    return CallLoss(gapFrames: frames, gapBytes: bytes, missingFrames: missing)
  }

  package static func open(_ value: JSONValue, body: [UInt8], salt: [UInt8]) -> CallOpen? {
    guard let id = value["id"]?.string.flatMap({ CallID($0) }), let started = value["started_at_ns"]?.integer else {
      return nil
    }
    return open(value, id: id, startedAtNs: Int64(started), body: body, salt: salt)
  }

  /// The same where id and start stand beside the JSON.
  static func open(
    _ value: JSONValue, id: CallID, startedAtNs: Int64, body: [UInt8], salt: [UInt8]
  ) -> CallOpen? {
    guard
      let origin = value["origin"]?.string.flatMap({ CallOpen.Origin(rawValue: $0) }),
      let upstream = value["upstream"]?.string, let method = value["method"]?.string, let path = value["path"]?.string,
      let headers = headers(value["headers"]), let hasTimes = value["has_times"]?.bool,
      let redactions = value["redactions"]?.array
    else { return nil }
    return CallOpen(
      id: id, startedAtNs: startedAtNs, origin: origin, upstream: upstream, method: method, path: path,
      headers: headers, body: body, keyFingerprint: value["key_fingerprint"]?.string, hasTimes: hasTimes,
      redactions: redactions.compactMap { $0.string }, salt: salt)
  }

  package static func head(_ value: JSONValue) -> CallHead? {
    guard
      let status = value["status"]?.integer, let version = value["http_version"]?.string,
      let headers = headers(value["headers"])
    else { return nil }
    return CallHead(
      offsetNs: value["offset_ns"]?.integer.map { Int64($0) }, status: status, httpVersion: version, headers: headers,
      decoded: value["decoded"]?.string)
  }

  /// - Parameters:
  ///   - counted: numbers of frames and bytes that stand beside the JSON, for where it has none.
  ///   - derived: gives the hash that `=` stands for.
  package static func end(
    _ value: JSONValue, counted: (frames: Int, bytes: Int)? = nil, derived: () -> [UInt8]? = { nil }
  ) -> CallEnd? {
    guard
      let cause = value["cause"]?.string.flatMap({ CallEnd.Cause(rawValue: $0) }),
      let frames = value["frames"]?.integer ?? counted?.frames, let bytes = value["bytes"]?.integer ?? counted?.bytes,
      let gapFrames = value["gap_frames"]?.integer, let gapBytes = value["gap_bytes"]?.integer,
      let clockStep = value["clock_step_ns"]?.integer
    else { return nil }
    var sha256: [UInt8]?
    if let text = value["sha256"]?.string {
      sha256 = text == "=" ? derived() : Hex.bytes(text.utf8)
      guard sha256?.count == 32 else { return nil }
    }
    return CallEnd(
      offsetNs: value["offset_ns"]?.integer.map { Int64($0) }, cause: cause, detail: value["detail"]?.string,
      clientClosedNs: value["client_closed_ns"]?.integer.map { Int64($0) }, frames: frames, bytes: bytes,
      sha256: sha256, gapFrames: gapFrames, gapBytes: gapBytes,
      sawDone: value["saw_done"]?.bool ?? false, clockStepNs: Int64(clockStep))
  }

  package static func headers(_ headers: [HeaderField]) -> JSONValue {
    .array(headers.map { .array([.string($0.name), .string($0.value)]) })
  }

  /// nil for anything but a list of pairs of strings.
  package static func headers(_ value: JSONValue?) -> [HeaderField]? {
    guard let list = value?.array else { return nil }
    var fields: [HeaderField] = []
    for pair in list {
      guard let pair = pair.array, pair.count == 2, let name = pair[0].string, let text = pair[1].string else {
        return nil
      }
      fields.append(HeaderField(name, text))
    }
    return fields
  }

  private struct Object {
    private var members: [JSONValue.Member] = []
    var bytes: [UInt8] { JSONValue.object(members).compact }

    mutating func add(_ key: String, _ value: JSONValue?) {
      if let value { members.append(.init(key, value)) }
    }
  }
}

extension RecordedCall {
  /// The end JSON; of a call without end what is said instead, if anything is.
  package var endJSON: [UInt8]? { end.map { CallCoding.json($0) } ?? loss.map { CallCoding.json($0) } }
}

/// Bytes as lower-case hex, and back.
package enum Hex {
  static let digits = Array("0123456789abcdef".utf8)

  package static func string(_ bytes: some Sequence<UInt8>) -> String {
    var out: [UInt8] = []
    for byte in bytes {
      out.append(digits[Int(byte >> 4)])
      out.append(digits[Int(byte & 15)])
    }
    return String(decoding: out, as: UTF8.self)
  }

  /// nil for an odd count or anything but lower-case hex digits.
  package static func bytes(_ text: some Collection<UInt8>) -> [UInt8]? {
    guard text.count % 2 == 0 else { return nil }
    var out: [UInt8] = []
    out.reserveCapacity(text.count / 2)
    var high: UInt8?
    for character in text {
      guard let digit = value(character) else { return nil }
      if let first = high {
        out.append(first << 4 | digit)
        high = nil
      } else {
        high = digit
      }
    }
    return out
  }

  static func value(_ character: UInt8) -> UInt8? {
    switch character {
    case 0x30...0x39: character - 0x30
    case 0x61...0x66: character - 0x61 + 10
    default: nil
    }
  }
}
