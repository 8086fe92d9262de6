internal import TapeCommands
internal import TapeConfiguration
internal import TapeHTTP
internal import TapeProxy
internal import TapeRecorder
internal import TapeTypes

/// What the configuration says of a proxy.
extension Configuration {
  /// - Parameter upstream: for what no route of the file fits.
  /// - Throws: `TapeError(.usage)` for what is no URL.
  func proxyRoutes(upstream: String?) throws -> [ProxyRoute] {
    if let upstream, upstream.contains("?") || upstream.contains("#") {
      throw TapeError(
        .usage,
        "--upstream takes an absolute URL like https://api.orq.ai/prefix, without a query: requests have their own")
    }
    return try routes.map { ProxyRoute(prefix: $0.prefix, upstream: try UpstreamURL($0.upstream)) }
      + (upstream.map { [ProxyRoute(prefix: "", upstream: try UpstreamURL($0))] } ?? [])
  }

  /// - Throws: `TapeError(.usage)` naming the flag.
  func limits(connections: String?, headerBytes: String?, bodyBytes: String?) throws -> ConnectionLimits {
    var limits = ConnectionLimits()
    if let text = setting("max-connections", flag: connections) {
      limits.maxConnections = try Self.number(Int(text) ?? 0, 1...1_000_000, "--max-connections", text)
    }
    if let text = setting("max-header-bytes", flag: headerBytes) {
      let bytes = try ByteCounts.bytes(text, flag: "--max-header-bytes")
      limits.maxHeaderBytes = try Self.number(bytes, 1 << 10...64 << 10, "--max-header-bytes", text)
    }
    if let text = setting("max-body-bytes", flag: bodyBytes) {
      let bytes = try ByteCounts.bytes(text, flag: "--max-body-bytes")
      limits.maxBodyBytes = try Self.number(bytes, 1...1 << 30, "--max-body-bytes", text)
    }
    return limits
  }

  private static func number(_ number: Int, _ range: ClosedRange<Int>, _ flag: String, _ text: String) throws -> Int {
    guard range.contains(number) else {
      throw TapeError(.usage, "\(flag) takes a number from \(range.lowerBound) to \(range.upperBound), not '\(text)'")
    }
    return number
  }
}
