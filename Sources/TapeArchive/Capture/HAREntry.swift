package import TapeJSON
package import TapeTypes

/// One entry of an HTTP Archive, of whatever tool, read as a call.
///
/// What can be seen of an entry goes before what its `_tapedeck` says: that only adds what the format has no place for,
/// and only where it still fits.
package struct HAREntry {
  static let ownFormat = "tapedeck-har/1"
  /// Stands for an upstream that is not known (RFC 2606).
  static let unknownHost = "unknown.invalid"

  package var open: CallOpen
  /// nil if no response came.
  package var head: CallHead?
  package var raw: [UInt8]
  /// How the body was divided, if the entry says so.
  package var frames: Frames?
  package var end: End
  /// The entry says which call it is, and is what that call was.
  package var namesCall: Bool
  /// The entry was exported from a tape.
  package var isOwn: Bool
  /// What the request's body is said to be, lower case.
  package var requestType: String

  package struct Frames: Equatable {
    package var ends: [Int]
    /// Empty for captures without clock.
    package var offsetsNs: [Int64]
  }

  package enum End: Equatable {
    /// As an export has it.
    case own(TimedCapture.End)
    /// - Parameter missingBytes: of the body, which the archive tells the size of and nothing else.
    case seen(CallEnd.Cause, detail: String?, offsetNs: Int64?, missingBytes: Int)
  }

  /// - Parameters:
  ///   - fallbackStartNs: when it started if the entry does not say.
  ///   - freshID: makes an id for a call that starts at so many ns since 1970.
  /// - Throws: `TapeError` `.failed`, with what is wrong with the entry. nil for what was no HTTP at all.
  package static func read(
    _ value: JSONValue, fallbackStartNs: Int64, freshID: (Int64) -> CallID, freshSalt: () -> [UInt8]
  ) throws -> HAREntry? {
    guard value.members != nil else { throw HARError("it is no object") }
    let request = try HARObject(value, "request")
    let url = try request.string("url")
    guard let url else { throw HARError("request.url is missing") }
    guard let parts = URLText.parts(url) else {
      guard url.contains(":") else { throw HARError("request.url is no URL") }
      return nil
    }
    var open = try self.open(value, request, parts, fallbackStartNs, freshID, freshSalt)
    if parts.hadUserinfo { open.redactions.append("query:userinfo") }
    let response = try HARResponse(value)
    var entry = HAREntry(
      open: open, head: response.head, raw: response.body.bytes, end: response.end, namesCall: false, isOwn: false,
      requestType: try request.object("postData")?.string("mimeType")?.lowercased() ?? "")
    try entry.takeTimes(value)
    if let own = value["_tapedeck"], own["format"]?.string == ownFormat { try entry.take(own: own, url: url) }
    return entry
  }

  private static func open(
    _ value: JSONValue, _ request: HARObject, _ parts: (origin: String, target: String, hadUserinfo: Bool),
    _ fallbackStartNs: Int64, _ freshID: (Int64) -> CallID, _ freshSalt: () -> [UInt8]
  ) throws -> CallOpen {
    var started = fallbackStartNs
    if let text = try HARObject(root: value).string("startedDateTime") {
      guard let ns = HARTime.ns(text) else { throw HARError("startedDateTime is no time: '\(text.prefix(40))'") }
      started = ns
    }
    let body = try HARBody.request(request)
    return CallOpen(
      id: freshID(started), startedAtNs: started, origin: .import, upstream: parts.origin,
      method: try request.string("method") ?? (body.isEmpty ? "GET" : "POST"), path: parts.target,
      headers: try request.headers(), body: body, hasTimes: false, salt: freshSalt())
  }

  /// An archive tells when the response began and ended, not when its frames came: a body that is one frame has its
  /// time, a stream of events has none.
  private mutating func takeTimes(_ value: JSONValue) throws {
    guard let timings = value["timings"], timings.members != nil else { return }
    func ns(_ name: String) -> Int64 { HARTime.durationNs(timings[name]) ?? 0 }
    guard HARTime.durationNs(timings["wait"]) != nil, !isEventStream else { return }
    // TLS is part of connect.
    let began = ns("blocked") &+ ns("dns") &+ ns("connect") &+ ns("send") &+ ns("wait")
    let ended = began &+ ns("receive")
    guard began >= 0, ended >= began else { return }
    open.hasTimes = true
    head?.offsetNs = began
    frames = Frames(ends: raw.isEmpty ? [] : [raw.count], offsetsNs: raw.isEmpty ? [] : [ended])
    if case .seen(let cause, let detail, _, let missing) = end {
      end = .seen(cause, detail: detail, offsetNs: ended, missingBytes: missing)
    }
  }

  package var isEventStream: Bool {
    head?.headers.first("content-type")?.lowercased().hasPrefix("text/event-stream") ?? false
  }

  // MARK: What an export adds

  private mutating func take(own: JSONValue, url: String) throws {
    let seen = self
    let told = try TimedCapture.open(
      own, tNs: open.startedAtNs, freshID: { _ in seen.open.id }, freshSalt: { seen.open.salt })
    guard told.namesCall, let ends = Self.frameEnds(own, count: raw.count) else { return }
    let ending = try TimedCapture.end(own)
    guard fits(ending), HARWriter.url(told.call) == url, told.call.method == open.method,
      told.head?.status == head?.status
    else { return }
    isOwn = true
    namesCall = true
    let (headers, body) = (open.headers, open.body)
    open = told.call
    open.headers = headers
    if own["request_base64"] == nil { open.body = body }
    let fields = head?.headers ?? []
    head = told.head
    head?.headers = fields
    frames = Frames(ends: ends, offsetsNs: try Self.offsets(own, told.call, count: ends.count))
    end = .own(ending)
  }

  /// nil if the lengths are not those of the body, which was changed then.
  private static func frameEnds(_ own: JSONValue, count: Int) -> [Int]? {
    guard let lengths = own["frame_bytes"]?.array else { return nil }
    var ends: [Int] = []
    var end = 0
    for length in lengths {
      guard let length = length.integer, length >= 0, length <= count - end else { return nil }
      end += length
      ends.append(end)
    }
    return end == count ? ends : nil
  }

  private static func offsets(_ own: JSONValue, _ call: CallOpen, count: Int) throws -> [Int64] {
    guard call.hasTimes else { return [] }
    let offsets = (own["frame_offsets_ns"]?.array ?? []).compactMap { $0.integer.map { Int64($0) } }
    guard offsets.count == count else {
      throw HARError("_tapedeck.frame_offsets_ns does not have a time for each frame")
    }
    return offsets
  }

  private func fits(_ ending: TimedCapture.End) -> Bool {
    guard case .exact(let end) = ending, let hash = end.sha256 else { return true }
    return hash == RawHash.of(raw)
  }

  // MARK: Versions of HTTP

  /// `1.1` as `HTTP/1.1`.
  static func httpVersion(written version: String) -> String { version.isEmpty ? "unknown" : "HTTP/\(version)" }

  /// `HTTP/1.1`, `h2`, `http/2.0`, `h3` as `1.1`, `2`, `2`, `3`; empty for what is no version.
  static func httpVersion(read text: String?) -> String {
    guard let text = text?.lowercased() else { return "" }
    let version = text.hasPrefix("http/") ? text.dropFirst(5) : text.hasPrefix("h") ? text.dropFirst(1) : ""
    return switch version {
    case "0.9", "1.0", "1.1": String(version)
    case "2", "2.0": "2"
    case "3", "3.0": "3"
    default: ""
    }
  }
}
