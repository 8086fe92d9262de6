import TapeJSON

/// The content of one choice: pieces that are deltas, or, as some providers send it, each
/// the whole text so far.
///
/// It is cumulative only if every non-empty piece after the first starts with all the text
/// before it and grows, over at least 3 pieces. A last piece in a final chunk that equals
/// the whole text is a repeat, not an addition, if at least 3 pieces and 16 bytes came before it.
struct ContentText: Sendable, Equatable {
  /// All pieces, one behind the other.
  private var text = WTF8Text()
  /// Where the last piece starts in `text`. Of a piece whose first half character was joined with the text before
  /// it, that is inside the character: such a piece is an addition, and no place is needed any more.
  private var lastStart = 0
  private var pieces = 0
  private var growsEveryTime = true
  /// A piece that looks like a repeat: one if nothing follows it.
  private var repeated: WTF8Text?
  /// Some piece was not null, perhaps empty.
  private var hasValue = false

  var isCumulative: Bool { growsEveryTime && pieces >= 3 }

  func string(limit: Int) -> String? {
    hasValue ? text.string(from: isCumulative ? lastStart : 0, limit: limit) : nil
  }

  /// Bytes of all pieces.
  var count: Int { text.count + (repeated?.count ?? 0) }

  /// - Parameter isFinal: the chunk says `is_final`.
  mutating func append(_ slice: JSONSlice, of cursor: JSONCursor, isFinal: Bool) {
    hasValue = true
    guard !slice.range.isEmpty else { return }
    if let held = repeated {
      // Something follows, so it was no repeat.
      repeated = nil
      let start = text.count
      text.append(held)
      count(pieceFrom: start)
    }
    let start = text.count
    text.append(slice, of: cursor)
    if isFinal, repeatsWhole(from: start) {
      repeated = text.split(at: start)
    } else {
      count(pieceFrom: start)
    }
  }

  private func repeatsWhole(from start: Int) -> Bool {
    let whole = (isCumulative ? lastStart : 0)..<start
    let piece = start..<text.count
    return pieces >= 3 && whole.count >= 16 && piece.count == whole.count && text.has(piece, prefix: whole)
  }

  private mutating func count(pieceFrom start: Int) {
    let last = lastStart..<start
    let piece = start..<text.count
    if pieces > 0, growsEveryTime {
      growsEveryTime = piece.count > last.count && text.has(piece, prefix: last)
    }
    pieces += 1
    lastStart = start
  }
}

/// Text of which pieces are appended unless they repeat: signatures, redacted reasoning.
struct SignatureText: Sendable, Equatable {
  private var text = WTF8Text()
  private var lastStart = 0
  private var hasValue = false

  func string(limit: Int) -> String? { hasValue ? text.string(from: 0, limit: limit) : nil }
  var count: Int { text.count }

  /// Appends the piece unless it is identical to the one before it or to all of them together.
  mutating func append(_ slice: JSONSlice, of cursor: JSONCursor) {
    hasValue = true
    let start = text.count
    text.append(slice, of: cursor)
    let piece = start..<text.count
    let isRepeat = [0..<start, lastStart..<start].contains {
      !$0.isEmpty && $0.count == piece.count && text.has(piece, prefix: $0)
    }
    if isRepeat {
      _ = text.split(at: start)
    } else if !piece.isEmpty {
      lastStart = start
    }
  }
}
