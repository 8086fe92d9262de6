import CCurl
internal import TapeRedaction
import TapeTypes

/// Where calls go: scheme, host, port and the path in front of every request's path.
///
/// Userinfo is kept apart, so that what is printed, logged or taped never shows it. Read by
/// libcurl's own URL parser, which is the one that will connect.
package struct UpstreamURL: Sendable, Equatable, CustomStringConvertible {
  package enum Scheme: String, Sendable { case http, https }

  package let scheme: Scheme
  /// Name, IPv4 address or bracketed IPv6 address.
  package let host: String
  /// nil for the scheme's own port.
  package let port: Int?
  /// Path prefix without a trailing slash; empty for none.
  package let prefix: String
  /// Path and query as given, for a URL that is the whole address of one call.
  package let target: String
  /// Value of the `Authorization` header that userinfo asks for.
  package let authorization: String?

  /// Scheme, host and port: `https://api.orq.ai`.
  package var origin: String { port.map { "\(scheme)://\(host):\($0)" } ?? "\(scheme)://\(host)" }

  /// For people and logs: without credentials, also in the prefix.
  package var description: String { Secrets.clean(target: origin + prefix) }

  /// Whether the address is this machine's own, which no HTTP proxy of the environment can reach.
  package var isLoopback: Bool {
    host == "localhost" || host == "[::1]" || host.hasPrefix("127.")
  }

  /// - Throws: `TapeError` (`.usage`) for anything but an absolute http or https URL.
  package init(_ text: String) throws {
    let refusal = TapeError(
      .usage, "an upstream is an absolute URL like https://api.orq.ai/prefix, and this is none")
    guard let url = curl_url() else { throw refusal }
    defer { curl_url_cleanup(url) }
    let flags = UInt32(CURLU_PATH_AS_IS)
    guard curl_url_set(url, CURLUPART_URL, text, flags) == CURLUE_OK,
      let scheme = Self.part(url, CURLUPART_SCHEME).flatMap({ Scheme(rawValue: $0.lowercased()) }),
      let host = Self.part(url, CURLUPART_HOST), !host.isEmpty
    else { throw refusal }
    self.scheme = scheme
    self.host = host
    let port = Self.part(url, CURLUPART_PORT).flatMap { Int($0) }
    self.port = port == (scheme == .https ? 443 : 80) ? nil : port
    let path = Self.part(url, CURLUPART_PATH) ?? "/"
    var prefix = path[...]
    while prefix.hasSuffix("/") { prefix.removeLast() }
    self.prefix = String(prefix)
    target = path + (Self.part(url, CURLUPART_QUERY).map { "?" + $0 } ?? "")
    let user = Self.part(url, CURLUPART_USER, decoded: true)
    let password = Self.part(url, CURLUPART_PASSWORD, decoded: true)
    authorization =
      user == nil && password == nil
      ? nil : "Basic " + Base64.encode(Array("\(user ?? ""):\(password ?? "")".utf8))
  }

  private static func part(_ url: OpaquePointer, _ part: CURLUPart, decoded: Bool = false) -> String? {
    var text: UnsafeMutablePointer<CChar>?
    guard curl_url_get(url, part, &text, decoded ? UInt32(CURLU_URLDECODE) : 0) == CURLUE_OK, let text else {
      return nil
    }
    defer { curl_free(text) }
    return String(cString: text)
  }
}

/// RFC 4648 §4.
enum Base64 {
  private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

  static func encode(_ bytes: [UInt8]) -> String {
    var out: [UInt8] = []
    for start in stride(from: 0, to: bytes.count, by: 3) {
      let group = bytes[start..<min(start + 3, bytes.count)]
      let value = group.reduce(0) { $0 << 8 | Int($1) } << (8 * (3 - group.count))
      for digit in 0..<4 {
        out.append(digit <= group.count ? alphabet[value >> (18 - 6 * digit) & 63] : 0x3D)
      }
    }
    return String(decoding: out, as: UTF8.self)
  }
}
