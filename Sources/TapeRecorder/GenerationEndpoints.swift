/// The paths whose answers are generations: taped also when they are no event stream.
package enum GenerationEndpoints {
  /// A request with method POST is a generation if its path ends with one of these.
  private static let suffixes = [
    // orq.ai
    "/deployments/stream", "/deployments/invoke", "/agents/stream-run",
    // OpenAI and what copies it, orq's router, and orq's agents (`/v2/agents/KEY/responses`)
    "/chat/completions", "/completions", "/responses",
    // Anthropic
    "/v1/messages",
    // Google
    ":generateContent", ":streamGenerateContent", ":rawPredict", ":streamRawPredict",
  ]

  /// - Parameter target: path and query as in the request line.
  package static func contains(method: String, target: String) -> Bool {
    guard method == "POST" else { return false }
    let path = self.path(of: target)
    return suffixes.contains { ends(path, with: $0) }
  }

  /// Where orq's own `invoke_options` is understood.
  package static func isOrqDeployment(_ target: String) -> Bool {
    let path = self.path(of: target)
    return ends(path, with: "/deployments/stream") || ends(path, with: "/deployments/invoke")
  }

  /// Where OpenAI's `stream_options` is understood.
  package static func isChatCompletion(_ target: String) -> Bool {
    ends(path(of: target), with: "/chat/completions")
  }

  /// The path without query and trailing slashes, an escaped colon as a colon.
  private static func path(of target: String) -> [UInt8] {
    var path = Array(target.utf8.prefix { $0 != 0x3F && $0 != 0x23 })
    while path.last == 0x2F { path.removeLast() }
    var index = 0
    while index + 2 < path.count {
      if path[index] == 0x25, path[index + 1] == 0x33, path[index + 2] | 0x20 == 0x61 {
        path.replaceSubrange(index..<index + 3, with: [0x3A])
      }
      index += 1
    }
    return path
  }

  private static func ends(_ path: [UInt8], with suffix: String) -> Bool {
    path.count >= suffix.utf8.count && path.suffix(suffix.utf8.count).elementsEqual(suffix.utf8)
  }
}
