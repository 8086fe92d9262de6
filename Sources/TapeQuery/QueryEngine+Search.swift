internal import TapeArchive
internal import TapeCatalogue
package import TapeJSON

extension QueryEngine {
  /// The calls whose prompt or completion has `filter.phrase`, each with where it stands.
  ///
  /// - Parameters:
  ///   - after: only those behind this call in the order of `sort`.
  ///   - context: about so many characters on either side of a match.
  ///   - body: gets one call after the other.
  package func search(
    _ filter: CallFilter, sort: CallSort = .newest, after: CallEntry? = nil, limit: Int? = nil,
    context: Int = usualContext,
    _ body: (FoundCall) throws -> Void
  ) throws {
    let finder = try PhraseFinder(filter.phrase ?? "")
    let columns = """
      c.call_id, c.started_ns, c.state, c.deployment, c.model, c.provider, c.identity_id, c.thread_id, \
      (SELECT prompt FROM call_text t WHERE t.call_key = c.call_key), \
      (SELECT completion FROM call_text t WHERE t.call_key = c.call_key)
      """
    let sql = "SELECT \(columns) FROM calls c WHERE c.call_key = ? AND c.erased_ns IS NULL"
    // Which calls they are first: to be sorted they need no texts.
    func forEachRow(_ body: (SQLRow) throws -> Void) throws {
      try forEachKey(filter, sort, after: after, limit) { keys in
        for key in keys { try catalogue.query(sql, [.integer(key)], body) }
      }
    }
    try forEachRow { row in
      let names = ["call_id", "", "state", "deployment", "model", "provider", "identity_id", "thread_id"]
      var members = names.enumerated().filter { $0.element != "" }.map { index, name in
        JSONValue.Member(name, .string(row.text(index)))
      }
      members.insert(.init("started_at", .string(RFC3339.string(Int64(row.integer(1) ?? 0)))), at: 1)
      var found = FoundCall(names: members)
      (found.snippets, found.matches) = try Self.snippets(finder, row.text(8), row.text(9), context)
      try body(found)
    }
  }

  /// Where a phrase stands in calls that have it, by their ids.
  package func snippets(of phrase: String, in calls: [String]) throws -> [String: [Snippet]] {
    let finder = try PhraseFinder(phrase)
    let sql = "SELECT t.prompt, t.completion FROM calls c JOIN call_text t USING (call_key) WHERE c.call_id = ?"
    return try catalogue.snapshot { snapshot in
      var snippets: [String: [Snippet]] = [:]
      for id in calls {
        try snapshot.query(sql, [.text(id)]) { row in
          snippets[id] = try Self.snippets(finder, row.text(0), row.text(1), Self.usualContext).snippets
        }
      }
      return snippets
    }
  }

  /// So many characters on either side of a match.
  package static var usualContext: Int { 60 }

  private static func snippets(
    _ finder: PhraseFinder, _ prompt: String?, _ completion: String?, _ context: Int
  ) throws -> (snippets: [Snippet], matches: Int) {
    var (snippets, matches): ([Snippet], Int) = ([], 0)
    for (place, text) in [(Snippet.Place.prompt, prompt ?? ""), (.completion, completion ?? "")] {
      let ranges = try finder.ranges(in: text)
      guard !ranges.isEmpty else { continue }
      matches += ranges.count
      snippets.append(Snippet(place, text, ranges, context: context))
    }
    return (snippets, matches)
  }
}

/// A call that `search` found.
package struct FoundCall: Sendable {
  /// What it is: `call_id`, `started_at` and so on.
  package let names: [JSONValue.Member]
  package fileprivate(set) var matches = 0
  /// One of the prompt, one of the completion, or both.
  package fileprivate(set) var snippets: [Snippet] = []

  /// The object of `search`; matches stand between ⟦ and ⟧.
  package var json: JSONValue {
    let snippets = snippets.map { snippet in
      JSONValue.object([.init("in", .string(snippet.place.rawValue)), .init("text", .string(snippet.marked("⟦", "⟧")))])
    }
    return .object(names + [.init("matches", .int(matches)), .init("snippets", .array(snippets))])
  }
}

/// A part of a text around its first match.
package struct Snippet: Sendable {
  package enum Place: String, Sendable { case prompt, completion }

  package let place: Place
  /// Text and matches in turn. Line ends are spaces; `…` stands for what was cut off at an end.
  package let parts: [(text: String, isMatch: Bool)]

  init(_ place: Place, _ text: String, _ ranges: [Range<String.Index>], context: Int) {
    self.place = place
    let first = ranges.first ?? text.startIndex..<text.startIndex
    let start = Self.start(text, before: first.lowerBound, context)
    let end = Self.end(text, after: first.upperBound, context)
    var parts: [(text: String, isMatch: Bool)] = start > text.startIndex ? [("…", false)] : []
    var position = start
    for range in ranges where range.lowerBound < end {
      parts.append((Self.line(text[position..<range.lowerBound]), false))
      // A match is never cut, but a very long one in its middle.
      parts.append((Self.line(text[range].prefix(max(200, context * 2))), true))
      position = range.upperBound
    }
    if position < end { parts.append((Self.line(text[position..<end]), false)) }
    if max(position, end) < text.endIndex { parts.append(("…", false)) }
    self.parts = parts.filter { !$0.text.isEmpty }
  }

  /// A beginning of a word, if one is near.
  private static func start(_ text: String, before match: String.Index, _ context: Int) -> String.Index {
    guard let cut = text.index(match, offsetBy: -context, limitedBy: text.startIndex) else { return text.startIndex }
    guard let space = text[cut..<match].prefix(context / 3).firstIndex(where: \.isWhitespace) else { return cut }
    return text.index(after: space)
  }

  private static func end(_ text: String, after match: String.Index, _ context: Int) -> String.Index {
    guard let cut = text.index(match, offsetBy: context, limitedBy: text.endIndex) else { return text.endIndex }
    return text[match..<cut].suffix(context / 3).lastIndex(where: \.isWhitespace) ?? cut
  }

  private static func line(_ text: some StringProtocol) -> String {
    String(String.UnicodeScalarView(text.unicodeScalars.map { $0 == "\n" || $0 == "\r" || $0 == "\t" ? " " : $0 }))
  }

  package func marked(_ start: String, _ end: String) -> String {
    parts.map { $0.isMatch ? start + $0.text + end : $0.text }.joined()
  }
}
