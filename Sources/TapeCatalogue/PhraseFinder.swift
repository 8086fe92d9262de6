internal import GRDB
internal import TapeTypes

/// Finds where a phrase stands in a text, by the same words as `call_fts`: that one keeps no texts and cannot say it.
package final class PhraseFinder {
  private let phrase: String
  /// nil: the phrase has no word, and is looked for as it is.
  private let query: String?
  private let database: DatabaseQueue

  /// - Throws: if SQLite has no memory.
  package init(_ phrase: String) throws {
    self.phrase = phrase
    query = FullText.query(phrase: phrase)
    database = try DatabaseQueue()
    try database.write { database in
      try database.execute(sql: "CREATE VIRTUAL TABLE t USING fts5 (text, tokenize = '\(FullText.tokenizer)')")
    }
  }

  /// In their order; what stands side by side is one.
  package func ranges(in text: String) throws -> [Range<String.Index>] {
    guard let query else { return literalRanges(in: text) }
    let marked = try database.write { database in
      try database.execute(sql: "DELETE FROM t")
      try database.execute(
        sql: "INSERT INTO t VALUES (?)",
        arguments: [FullText.indexed(String(String.UnicodeScalarView(Self.plain(text))))])
      return try String.fetchOne(
        database,
        sql: "SELECT highlight(t, 0, char(\(Self.start.value)), char(\(Self.end.value))) FROM t WHERE t MATCH ?",
        arguments: [query])
    }
    return marked.map { Self.ranges(marked: $0, in: text) } ?? []
  }

  private static let start: Unicode.Scalar = "\u{1}"
  private static let end: Unicode.Scalar = "\u{2}"

  /// Without what marks a match, and without NUL, at which SQLite ends a text.
  private static func plain(_ text: String) -> [Unicode.Scalar] {
    text.unicodeScalars.map { $0.value <= end.value ? " " : $0 }
  }

  /// Goes through both texts: what the marked one has more is marks, and spaces around characters that are words.
  private static func ranges(marked: String, in text: String) -> [Range<String.Index>] {
    var ranges: [Range<String.Index>] = []
    let scalars = text.unicodeScalars
    var position = scalars.startIndex
    var begin: String.Index?
    for scalar in marked.unicodeScalars {
      if scalar == start {
        begin = position
      } else if scalar == end {
        if let begin { ranges.append(begin..<position) }
        begin = nil
      } else if position < scalars.endIndex {
        let next = scalars[position]
        if scalar == (next.value <= end.value ? " " : next) { position = scalars.index(after: position) }
      }
    }
    return ranges
  }

  private func literalRanges(in text: String) -> [Range<String.Index>] {
    var ranges: [Range<String.Index>] = []
    let (pattern, scalars) = (Array(phrase.unicodeScalars), text.unicodeScalars)
    var position = scalars.startIndex
    while !pattern.isEmpty, position < scalars.endIndex {
      if scalars[position...].starts(with: pattern) {
        let end = scalars.index(position, offsetBy: pattern.count)
        ranges.append(position..<end)
        position = end
      } else {
        position = scalars.index(after: position)
      }
    }
    return ranges
  }
}
