internal import Crypto
import TapeJSON
import TapeTypes

/// Why an entry cannot be read.
func HARError(_ what: String) -> TapeError { TapeError(.failed, what) }

enum RawHash {
  static func of(_ bytes: [UInt8]) -> [UInt8] { Array(SHA256.hash(data: bytes)) }
}

/// An object of an HTTP Archive: members may be missing or null, and are what they should be otherwise.
struct HARObject {
  private let value: JSONValue
  private let path: String

  init(root: JSONValue) { (value, path) = (root, "") }

  private init(_ value: JSONValue, path: String) { (self.value, self.path) = (value, path) }

  /// A member that has to be there.
  init(_ parent: JSONValue, _ name: String) throws {
    guard let object = try HARObject(root: parent).object(name) else { throw HARError("\(name) is missing") }
    self = object
  }

  func object(_ name: String) throws -> HARObject? {
    try member(name, "an object") { $0.members == nil ? nil : HARObject($0, path: "\(path)\(name).") }
  }

  func string(_ name: String) throws -> String? { try member(name, "a text", \.string) }

  /// Whole numbers, also written as text or with a fraction of zeros.
  func integer(_ name: String) throws -> Int? {
    try member(name, "a whole number") { $0.integer ?? $0.string.flatMap { Int($0) } }
  }

  func array(_ name: String) throws -> [JSONValue]? { try member(name, "a list", \.array) }

  private func member<T>(_ name: String, _ kind: String, _ read: (JSONValue) -> T?) throws -> T? {
    guard let member = value[name], !member.isNull else { return nil }
    guard let result = read(member) else { throw HARError("\(path)\(name) is not \(kind)") }
    return result
  }

  /// Without the pseudo-fields of HTTP/2, which say what method and URL do.
  func headers() throws -> [HeaderField] {
    try (array("headers") ?? []).compactMap { item in
      guard let name = item["name"]?.string else { throw HARError("\(path)headers has one without a name") }
      guard !name.hasPrefix(":"), !name.isEmpty else { return nil }
      switch item["value"] ?? .null {
      case .string(let text), .number(let text): return HeaderField(name, text)
      case .null: return HeaderField(name, "")
      default: throw HARError("\(path)headers has a value that is no text")
      }
    }
  }
}

/// A body as the archive has it.
struct HARBody {
  var bytes: [UInt8] = []
  /// How many the archive says that there are, and does not have.
  var missing = 0

  static func request(_ request: HARObject) throws -> [UInt8] {
    guard let data = try request.object("postData") else { return [] }
    if let text = try data.string("text"), !text.isEmpty { return try decoded(text, try data.string("encoding")) }
    guard let params = try data.array("params"), !params.isEmpty else { return [] }
    guard try data.string("mimeType")?.lowercased().hasPrefix("application/x-www-form-urlencoded") ?? false else {
      return []
    }
    let pairs = try params.map { param in
      guard let name = param["name"]?.string else { throw HARError("request.postData.params has one without a name") }
      return "\(form(name))=\(form(param["value"]?.string ?? ""))"
    }
    return Array(pairs.joined(separator: "&").utf8)
  }

  static func response(_ response: HARObject) throws -> HARBody {
    guard let content = try response.object("content") else { return HARBody() }
    if let text = try content.string("text") {
      return HARBody(bytes: try decoded(text, try content.string("encoding")))
    }
    return HARBody(missing: max(0, try content.integer("size") ?? 0))
  }

  private static func decoded(_ text: String, _ encoding: String?) throws -> [UInt8] {
    switch encoding?.lowercased() ?? "" {
    case "", "utf-8", "utf8": return Array(text.utf8)
    case "base64":
      // Some tools break its lines.
      let characters = text.utf8.filter { $0 != 0x0A && $0 != 0x0D && $0 != 0x20 }
      guard let bytes = Base64.bytes(characters[...]) else {
        throw HARError("a body is not the base64 that it should be")
      }
      return bytes
    case let other: throw HARError("the encoding '\(other.prefix(40))' of a body is not known")
    }
  }

  /// The way of forms: some tools give parameters as they were sent, some decoded.
  private static func form(_ text: String) -> String {
    text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && $0 != 0x26 && $0 != 0x3D } ? text : URLText.escaped(text)
  }
}

/// The response of an entry, and how it ended as far as an archive can tell.
struct HARResponse {
  private(set) var head: CallHead?
  private(set) var body = HARBody()
  private(set) var end: HAREntry.End

  init(_ entry: JSONValue) throws {
    let response = try HARObject(root: entry).object("response")
    let error = entry["response"]?["_error"]?.string ?? entry["_error"]?.string
    let failure = error.flatMap { $0.isEmpty ? nil : String($0.prefix(500)) }
    if let response {
      body = try HARBody.response(response)
      // Browsers write 0 for a response that did not come.
      if let status = try response.integer("status"), status > 0 {
        guard (100..<1000).contains(status) else { throw HARError("response.status is \(status)") }
        head = Self.head(
          status, try response.headers(), HAREntry.httpVersion(read: try response.string("httpVersion")),
          type: try response.object("content")?.string("mimeType"))
      }
    }
    end = .seen(
      Self.cause(failure, hasHead: head != nil), detail: Self.detail(failure, hasHead: head != nil), offsetNs: nil,
      missingBytes: body.missing)
  }

  private static func head(_ status: Int, _ headers: [HeaderField], _ version: String, type: String?) -> CallHead {
    var headers = headers
    // The text of an archive is what came out of the content coding.
    let coding = headers.first("content-encoding").flatMap { ["", "identity"].contains($0.lowercased()) ? nil : $0 }
    if coding != nil {
      headers.removeAll { ["content-encoding", "content-length"].contains($0.name.lowercased()) }
    }
    if headers.first("content-type") == nil, let type, !type.isEmpty, type != "x-unknown" {
      headers.append(HeaderField("content-type", type))
    }
    return CallHead(offsetNs: nil, status: status, httpVersion: version, headers: headers, decoded: coding)
  }

  private static func cause(_ failure: String?, hasHead: Bool) -> CallEnd.Cause {
    guard let failure else { return hasHead ? .endOfBody : .upstreamFailed }
    if failure.uppercased().contains("ABORTED") { return .clientClosed }
    if failure.uppercased().contains("TIMED_OUT") { return .timeout }
    return hasHead ? .upstreamClosed : .upstreamFailed
  }

  private static func detail(_ failure: String?, hasHead: Bool) -> String? {
    failure ?? (hasHead ? nil : "the HTTP archive has no response")
  }
}

/// Times and durations as archives have them.
enum HARTime {
  /// RFC 3339, also with an offset without colon, or without zone (UTC then).
  static func ns(_ text: String) -> Int64? {
    if let ns = RFC3339.ns(text) ?? RFC3339.ns(text + "Z") { return ns }
    let bytes = Array(text.utf8)
    guard bytes.count > 24, let sign = bytes.dropLast(4).last, sign == 0x2B || sign == 0x2D else { return nil }
    return RFC3339.ns(text.dropLast(2) + ":" + text.suffix(2))
  }

  /// Milliseconds, perhaps with a fraction, as ns; nil for what is missing, negative (not known) or no number.
  static func durationNs(_ value: JSONValue?) -> Int64? {
    guard case .number(let text)? = value, let number = Double(text), number >= 0, number < 1e11 else { return nil }
    return Int64((number * 1_000_000).rounded())
  }
}
