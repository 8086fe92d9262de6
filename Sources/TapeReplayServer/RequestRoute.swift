internal import TapeRedaction
internal import TapeTypes

/// Method, path and query of a request, as far as they count.
struct RequestRoute: Hashable, Sendable {
  let method: String
  /// Without slashes at the end; empty where it is not known.
  let path: String
  /// Parameters in the order of their names, without credentials.
  let query: String

  /// - Parameter target: as in the request line, or as on tape.
  init(method: String, target: String) {
    self.method = method
    let clean = Secrets.clean(target: target)
    let parts = clean.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
    var path = parts.first ?? ""
    while path.hasSuffix("/") { path.removeLast() }
    self.path = parts.first?.isEmpty == false && path.isEmpty ? "/" : String(path)
    let parameters = (parts.count > 1 ? parts[1] : "").split(separator: "&").filter {
      $0 != Secrets.replacement && !$0.hasSuffix("=" + Secrets.replacement)
    }
    query = parameters.sorted().joined(separator: "&")
  }

  var isUnknown: Bool { path.isEmpty }

  /// How well a request of this route is answered by a recording of another.
  enum Fit: Int, CaseIterable {
    /// To the letter.
    case same
    /// One has a prefix that the other does not: a proxy's upstream, or a client's base URL.
    case prefixed
    /// Both have one, and the last two parts are the same.
    case differentlyPrefixed
    /// The recording does not say where it went.
    case unknown
  }

  /// nil if it is not.
  func fit(_ recorded: RequestRoute) -> Fit? {
    if recorded.isUnknown { return method == recorded.method ? .unknown : nil }
    guard method == recorded.method, query == recorded.query else { return nil }
    if path == recorded.path { return .same }
    if Self.ends(path, with: recorded.path) || Self.ends(recorded.path, with: path) { return .prefixed }
    return Self.lastParts(of: path).map { $0 == Self.lastParts(of: recorded.path) } == true ? .differentlyPrefixed : nil
  }

  /// The last two parts of a path that has more.
  private static func lastParts(of path: String) -> [Substring]? {
    let parts = path.split(separator: "/")
    return parts.count > 2 ? Array(parts.suffix(2)) : nil
  }

  private static func ends(_ path: String, with other: String) -> Bool {
    other.utf8.count > 1 && other.utf8.first == 0x2F && path.utf8.count > other.utf8.count
      && path.utf8.suffix(other.utf8.count).elementsEqual(other.utf8)
  }

  /// Path and query.
  var target: String { path + (query.isEmpty ? "" : "?" + query) }

  var description: String { "\(method) \(target)" }
}
