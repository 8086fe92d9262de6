import TapeJSON

/// One of the texts that chunks add pieces to. Places are those in the builder's lists.
enum JoinedText: Sendable, Equatable {
  /// `isDelta`: the API says that every piece is an addition.
  case content(choice: Int, isDelta: Bool = false)
  case reasoning(choice: Int)
  case refusal(choice: Int, isDelta: Bool = false)
  case arguments(choice: Int, call: Int)
  /// What the audio of an answer says.
  case transcript(choice: Int)
}

/// Which pieces one chunk had, for who looks for its shape.
struct ChunkTrace: Sendable, Equatable {
  /// The last piece that was not empty.
  private(set) var piece: JSONSlice?
  private(set) var text: JoinedText?
  /// How many there were.
  private(set) var pieces = 0
  /// One of them was in a final chunk, where it may be a repeat of the whole.
  private(set) var hasFinal = false

  fileprivate mutating func note(_ piece: JSONSlice, _ text: JoinedText, isFinal: Bool) {
    (self.piece, self.text) = (piece, text)
    pieces += 1
    hasFinal = hasFinal || isFinal
  }
}

extension GenerationBuilder {
  /// Adds a piece to a text: every piece comes through here.
  ///
  /// - Parameter isFinal: the chunk says `is_final`.
  mutating func append(
    _ piece: JSONSlice, of cursor: JSONCursor, to text: JoinedText, isFinal: Bool = false
  ) {
    if !piece.range.isEmpty { trace.note(piece, text, isFinal: isFinal) }
    switch text {
    case .content(let choice, true): choices.builders[choice].content.append(delta: piece, of: cursor)
    case .refusal(let choice, true): choices.builders[choice].refusal.append(delta: piece, of: cursor)
    case .content(let choice, false): choices.builders[choice].content.append(piece, of: cursor, isFinal: isFinal)
    case .reasoning(let choice): choices.builders[choice].reasoning.append(piece, of: cursor)
    case .refusal(let choice, false): choices.builders[choice].refusal.append(piece, of: cursor, isFinal: isFinal)
    case .transcript(let choice): choices.builders[choice].transcript.append(piece, of: cursor)
    case .arguments(let choice, let call):
      choices.builders[choice].tools.update(call) { $0.arguments.append(piece, of: cursor) }
    }
  }
}
