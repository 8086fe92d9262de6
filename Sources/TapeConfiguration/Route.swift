internal import TapeRedaction
internal import TapeTypes

/// An upstream of its own for the requests below a path (`[[route]]`).
package struct Route: Sendable, Equatable {
  /// `/anthropic`: begins with a slash and does not end with one. The request's path without it goes to the upstream.
  package var prefix: String
  /// URL, as given.
  package var upstream: String

  package static let keys = ["prefix", "upstream"]

  /// The upstream without credentials, for people.
  package var shownUpstream: String { Self.shown(upstream: upstream) }

  /// A URL as it is shown: without userinfo, and `[redacted]` for credentials behind the host.
  package static func shown(upstream url: String) -> String { Secrets.clean(target: withoutUser(url)) }

  private static func withoutUser(_ url: String) -> String {
    let bytes = Array(url.utf8)
    guard let colon = bytes.firstIndex(of: 0x3A), bytes[colon...].starts(with: "://".utf8) else { return url }
    let start = colon + 3
    let end = bytes[start...].firstIndex { $0 == 0x2F || $0 == 0x3F || $0 == 0x23 } ?? bytes.endIndex
    guard let at = bytes[start..<end].lastIndex(of: 0x40) else { return url }
    return String(decoding: bytes[..<start] + bytes[(at + 1)...], as: UTF8.self)
  }

  // MARK: Reading

  static func read(_ entry: TOMLTable.Entry) throws(TOMLError) -> [Route] {
    let wanted = "routes stand in [[route]], with two brackets"
    guard case .array(let list) = entry.value.content else { throw TOMLError(place: entry.place, message: wanted) }
    var routes: [Route] = []
    for item in list {
      guard case .table(let table) = item.content else { throw TOMLError(place: item.place, message: wanted) }
      let route = try Route(table, place: item.place)
      guard !routes.contains(where: { $0.prefix == route.prefix }) else {
        throw TOMLError(
          place: table["prefix"]?.place ?? item.place, message: "the prefix \(route.prefix) is there already")
      }
      routes.append(route)
    }
    return routes.sorted { $0.prefix.utf8.count > $1.prefix.utf8.count }
  }

  private init(_ table: TOMLTable, place: TOMLPlace) throws(TOMLError) {
    var texts: [String: String] = [:]
    for entry in table.entries {
      guard Self.keys.contains(entry.key) else { throw Configuration.unknown(entry, among: Self.keys) }
      guard case .string(let text) = entry.value.content else {
        throw TOMLError(
          place: entry.value.place, message: "\(entry.key) takes a text in quotes, not \(entry.value.kind)")
      }
      if let problem = entry.key == "prefix" ? Self.problem(prefix: text) : Self.problem(upstream: text) {
        throw TOMLError(place: entry.value.place, message: problem)
      }
      texts[entry.key] = text
    }
    guard let prefix = texts["prefix"], let upstream = texts["upstream"] else {
      throw TOMLError(place: place, message: "a route has a prefix and an upstream")
    }
    (self.prefix, self.upstream) = (prefix, upstream)
  }

  private static func problem(prefix: String) -> String? {
    let segments = prefix.split(separator: "/", omittingEmptySubsequences: false).dropFirst()
    guard prefix.hasPrefix("/"), prefix.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != 0x3F && $0 != 0x23 }),
      segments.allSatisfy({ !$0.isEmpty && $0 != "." && $0 != ".." })
    else {
      return "a prefix is a path such as /anthropic, without a slash at its end, not '\(prefix)'; what no prefix fits "
        + "goes to the key upstream"
    }
    return nil
  }

  private static func problem(upstream: String) -> String? {
    let rest = ["https://", "http://"].first { upstream.lowercased().hasPrefix($0) }.map {
      upstream.dropFirst($0.count)
    }
    guard let rest, let first = rest.first, !"/?#:@".contains(first), !rest.contains(where: { $0 == "?" || $0 == "#" }),
      upstream.utf8.allSatisfy({ $0 > 0x20 && $0 != 0x7F })
    else {
      return "an upstream is an absolute URL like https://api.orq.ai/prefix, without a query"
    }
    return nil
  }
}
