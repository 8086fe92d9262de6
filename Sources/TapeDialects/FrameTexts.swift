package import TapeTypes

/// Tells what each frame of a call added to its text and tool calls. Ask in rising order, each frame once.
package struct FrameTexts {
  /// What a frame added to one choice.
  package struct Piece: Sendable, Equatable {
    package var choice: Int
    /// A refusal is content too.
    package var content = ""
    package var reasoning = ""
    package var tools: [ToolPiece] = []
    package var imageURLs: [String] = []

    fileprivate var isEmpty: Bool { content.isEmpty && reasoning.isEmpty && tools.isEmpty && imageURLs.isEmpty }
  }

  /// What a frame added to one tool call.
  package struct ToolPiece: Sendable, Equatable {
    package var index: Int
    /// Where the frame gave it.
    package var name: String?
    package var arguments = ""
  }

  /// Up to this many bytes are copied to tell pieces exactly.
  private static let copyLimit = 1 << 30

  private let call: RecordedCall
  private var reconstructor: Reconstructor
  private var before = Generation()
  /// Each frame is read by itself: for long calls, where putting the text together for each frame would cost the
  /// square of its length. A character whose halves came in two frames is not joined then.
  private let isAlone: Bool
  /// What all of the call is: the first frames may be anybody's.
  private let dialect: Dialect
  /// The indices of the choices that the call has at its end.
  package let choices: [Int]

  package init(of call: RecordedCall) {
    self.call = call
    reconstructor = Reconstructor(open: call.open, head: call.head)
    let whole = generation(of: call)
    dialect = whole.dialect
    choices = whole.choices.map(\.index)
    let textBytes = whole.choices.reduce(0) { $0 + $1.textBytes }
    isAlone = whole.contentMode == .delta && textBytes > Self.copyLimit / max(1, call.frameCount)
  }

  /// The pieces of frame `index`, by choice; none for a frame without text.
  package mutating func pieces(ofFrame index: Int) -> [Piece] {
    if isAlone { reconstructor = Reconstructor(open: call.open, head: call.head) }
    call.raw.withUnsafeBytes { raw in
      reconstructor.consume(
        frame: UnsafeRawBufferPointer(rebasing: raw[call.frameRange(index)]), offsetNs: call.frameOffsetNs(index))
    }
    var after = reconstructor.snapshot()
    if after.dialect == .unknown, dialect != .unknown { after.choices = [] }
    defer { before = isAlone ? Generation() : after }
    return after.choices.compactMap { choice in
      let old = before.choices.first { $0.index == choice.index }
      let piece = Piece(
        choice: choice.index,
        content: Self.difference(old?.content, choice.content) + Self.difference(old?.refusal, choice.refusal),
        reasoning: Self.difference(old?.reasoning, choice.reasoning),
        tools: Self.tools(old?.toolCalls ?? [], choice.toolCalls),
        imageURLs: Array(choice.imageURLs.dropFirst(old?.imageURLs.count ?? 0)))
      return piece.isEmpty ? nil : piece
    }
  }

  private static func tools(_ old: [ToolCall], _ new: [ToolCall]) -> [ToolPiece] {
    new.compactMap { call in
      let known = old.first { $0.index == call.index }
      let piece = ToolPiece(
        index: call.index, name: known?.name == call.name ? nil : call.name,
        arguments: difference(known?.arguments, call.arguments))
      return known != nil && piece.name == nil && piece.arguments.isEmpty ? nil : piece
    }
  }

  private static func difference(_ old: String?, _ new: String?) -> String {
    guard let new else { return "" }
    let count = old?.utf8.count ?? 0
    guard new.utf8.count > count else { return "" }
    return String(decoding: new.utf8.dropFirst(count), as: UTF8.self)
  }
}

extension Choice {
  fileprivate var textBytes: Int {
    let texts = [content, reasoning, refusal].reduce(0) { $0 + ($1?.utf8.count ?? 0) }
    return toolCalls.reduce(texts) { $0 + $1.arguments.utf8.count }
  }
}
