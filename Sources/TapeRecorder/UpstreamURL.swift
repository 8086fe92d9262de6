import TapeTypes

/// Where calls go: scheme, host, port and the path in front of every request's path.
///
/// Userinfo is kept apart, so that what is printed, logged or taped never shows it.
package struct UpstreamURL: Sendable, Equatable, CustomStringConvertible {
  package enum Scheme: String, Sendable { case http, https }

  package let scheme: Scheme
  /// Name, IPv4 address or bracketed IPv6 address.
  package let host: String
  /// nil for the scheme's own port.
  package let port: Int?
  /// Path prefix without a trailing slash; empty for none.
  package let prefix: String
  /// Query of the URL with its `?`; empty for none. Only a single call's URL may have one.
  package let query: String
  /// Value of the `Authorization` header that userinfo asks for.
  package let authorization: String?

  /// Scheme, host and port: `https://api.orq.ai`.
  package var origin: String { port.map { "\(scheme)://\(host):\($0)" } ?? "\(scheme)://\(host)" }

  package var description: String { origin + prefix }

  /// - Throws: `TapeError` (`.usage`) for anything but an absolute http or https URL.
  package init(_ text: String) throws {
    throw TapeError(.usage, "not built yet")
  }
}
