package import TapeRecorder

/// Where the requests below a path go.
package struct ProxyRoute: Sendable {
  /// Begins with a slash and does not end with one; empty: all requests that fit no other.
  package var prefix: String
  package var upstream: UpstreamURL

  package init(prefix: String, upstream: UpstreamURL) {
    self.prefix = prefix
    self.upstream = upstream
  }

  /// What upstream is asked for: the request's target, the prefix replaced by the path of the upstream's URL; nil if the
  /// target is not below the prefix.
  ///
  /// - Parameter target: path and query of a request.
  package func target(for target: String) -> String? {
    guard target.utf8.starts(with: prefix.utf8) else { return nil }
    let rest = target.utf8.dropFirst(prefix.utf8.count)
    switch rest.first {
    case 0x2F: return upstream.prefix + Substring(rest)
    case nil, 0x3F: return upstream.prefix + "/" + Substring(rest)
    default: return nil
    }
  }
}
