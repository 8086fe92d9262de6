package import TapeJSON

/// What became of one text in another, word by word.
package struct TextDiff: Sendable, Equatable {
  package enum Operation: String, Sendable { case same, removed, added }

  package struct Part: Sendable, Equatable {
    package var operation: Operation
    package var text: String
  }

  /// `same` and `removed` joined are the one text, `same` and `added` the other, byte for byte.
  package private(set) var parts: [Part] = []
  package private(set) var wordsSame = 0
  package private(set) var wordsRemoved = 0
  package private(set) var wordsAdded = 0
  /// The texts differ too much to look for the fewest words to change.
  package private(set) var isCoarse = false

  package var isSame: Bool { parts.allSatisfy { $0.operation == .same } }

  package init(_ a: String, _ b: String) {
    if a.utf8.elementsEqual(b.utf8) {
      wordsSame = Words(a).pieces.count { $0.kind == .word }
      if !a.isEmpty { parts = [Part(operation: .same, text: a)] }
      return
    }
    let (first, second) = (Words(a).pieces, Words(b).pieces)
    var numbers = Numbers()
    let diff = SequenceDiff(first.map { numbers[$0.text] }, second.map { numbers[$0.text] })
    isCoarse = !diff.isSmallest
    var (inA, inB) = (0, 0)
    for match in diff.matches {
      let text = first[match.a..<match.a + match.count]
      // A space between two changes is part of them: whole phrases read better than every other word.
      let isFiller =
        text.allSatisfy { $0.kind == .space && !$0.text.utf8.contains(0x0A) } && (match.a > inA || match.b > inB)
        && (match.a + match.count < first.count || match.b + match.count < second.count)
      if isFiller { continue }
      add(.removed, first[inA..<match.a])
      add(.added, second[inB..<match.b])
      add(.same, text)
      (inA, inB) = (match.a + match.count, match.b + match.count)
    }
    add(.removed, first[inA...])
    add(.added, second[inB...])
  }

  private mutating func add(_ operation: Operation, _ pieces: ArraySlice<Words.Piece>) {
    guard let start = pieces.first?.text, let end = pieces.last?.text else { return }
    let words = pieces.count { $0.kind == .word }
    switch operation {
    case .same: wordsSame += words
    case .removed: wordsRemoved += words
    case .added: wordsAdded += words
    }
    parts.append(Part(operation: operation, text: String(start.base[start.startIndex..<end.endIndex])))
  }

  /// Reads what `json` writes; nothing from anything else.
  package init(_ json: JSONValue) {
    wordsSame = json["words_same"]?.integer ?? 0
    wordsRemoved = json["words_removed"]?.integer ?? 0
    wordsAdded = json["words_added"]?.integer ?? 0
    isCoarse = json["coarse"]?.bool ?? false
    parts = (json["parts"]?.array ?? []).compactMap { part in
      guard let operation = part["op"]?.string.flatMap({ Operation(rawValue: $0) }) else { return nil }
      return Part(operation: operation, text: part["text"]?.string ?? "")
    }
  }

  package var json: JSONValue {
    .object([
      .init("same", .bool(isSame)), .init("words_same", .int(wordsSame)), .init("words_removed", .int(wordsRemoved)),
      .init("words_added", .int(wordsAdded)), .init("coarse", .bool(isCoarse)),
      .init(
        "parts",
        .array(
          parts.map { .object([.init("op", .string($0.operation.rawValue)), .init("text", .string($0.text))]) })),
    ])
  }
}

/// A number for each distinct run of bytes: `String`'s own equality takes é and e + ´ for the same.
private struct Numbers {
  private struct Key: Hashable {
    let text: Substring

    static func == (left: Key, right: Key) -> Bool { left.text.utf8.elementsEqual(right.text.utf8) }

    func hash(into hasher: inout Hasher) {
      var text = text
      text.withUTF8 { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
    }
  }

  private var known: [Key: Int32] = [:]

  subscript(text: Substring) -> Int32 {
    mutating get {
      let key = Key(text: text)
      if let number = known[key] { return number }
      let number = Int32(clamping: known.count)
      known[key] = number
      return number
    }
  }
}
