package import TapeTypes

/// What goes upstream, and what of it would go on tape.
package struct UpstreamRequest {
  package var upstream: UpstreamURL
  package var method: String
  /// Path and query as they go on the wire, prefix included.
  package var target: String
  /// As they go on the wire; neither `Host` nor fields of one connection.
  package var headers: [HeaderField]
  package var body: [UInt8]
  /// nil for a request without a body, which is not the same as an empty one.
  package var hasBody: Bool
  /// What the open record says, secrets removed; its body is filled in from `body`.
  package var open: CallOpen
  /// Tape from the start; otherwise only if the response is an event stream.
  package var isGeneration: Bool
  /// Monotonic ns of offset 0; nil: when the request's last byte has been sent.
  package var zeroNs: Int64?
  /// The body, where it still comes in; `body` is empty then.
  package var upload: UploadQueue?

  package init(
    upstream: UpstreamURL, method: String, target: String, headers: [HeaderField], body: [UInt8], hasBody: Bool,
    open: CallOpen, isGeneration: Bool, zeroNs: Int64?
  ) {
    self.upstream = upstream
    self.method = method
    self.target = target
    self.headers = headers
    self.body = body
    self.hasBody = hasBody
    self.open = open
    self.isGeneration = isGeneration
    self.zeroNs = zeroNs
  }

  /// The fields of a client's request that upstream shall see: those of its own connection and of the
  /// recorder left out, identity coding asked for, userinfo of the upstream URL as authorization.
  package static func forwarded(_ headers: [HeaderField], to upstream: UpstreamURL) -> [HeaderField] {
    var kept = HeaderRules.endToEnd(headers).filter { field in
      let name = field.name.lowercased()
      return !replaced.contains(name) && !name.hasPrefix("x-tapedeck-")
    }
    kept.append(HeaderField("Accept-Encoding", "identity"))
    if let authorization = upstream.authorization, kept.first("authorization") == nil {
      kept.append(HeaderField("Authorization", authorization))
    }
    return kept
  }

  /// Set anew on the way upstream.
  private static let replaced: Set<String> = ["host", "content-length", "expect", "accept-encoding"]
}

/// The head of upstream's response, as the client shall see it.
package struct UpstreamHead {
  package var status: Int
  /// Empty over HTTP/2.
  package var reason: String
  /// `1.0`, `1.1` or `2`.
  package var version: String
  /// End-to-end fields; without `Content-Length` and `Content-Encoding` if the body was decoded on the way.
  package var headers: [HeaderField]
  /// The coding that was removed.
  package var decoded: String?
}

/// How an exchange ended.
package struct ExchangeOutcome {
  package var cause: CallEnd.Cause
  /// One sentence on what failed; nil when nothing did.
  package var detail: String?
  /// It was this process that had no descriptor left.
  package var isOverload = false
}

/// Whoever made the request: a proxied client, or a task of this program.
///
/// All calls come on the loop's thread. None of them may end the exchange from inside but
/// `flush` and `ended`, which are called outside of libcurl.
package protocol ExchangeClient: AnyObject {
  /// The final head is there. What the client shall get in front of the body goes into `exchange.out`.
  func responded(_ exchange: Exchange, _ head: UpstreamHead)
  /// Upstream's part is over. What shall follow the body goes into `exchange.out`.
  func ended(_ exchange: Exchange, _ outcome: ExchangeOutcome)
  /// All that is in `out` is on tape, as far as the archive takes it: time to send.
  func flush(now: Int64)
}
