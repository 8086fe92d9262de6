package import TapeTypes

/// Tells what each frame of a call added to its text. Ask in rising order, each frame once.
package struct FrameTexts {
  /// What a frame added to one choice.
  package struct Piece: Sendable, Equatable {
    package var choice: Int
    package var content = ""
    package var reasoning = ""
  }

  /// Up to this many bytes are copied to tell pieces exactly.
  private static let copyLimit = 1 << 30

  private let call: RecordedCall
  private var reconstructor: Reconstructor
  private var before = Generation()
  /// Each frame is read by itself: for long calls, where putting the text together for each frame would cost the
  /// square of its length. A character whose halves came in two frames is not joined then.
  private let isAlone: Bool

  package init(of call: RecordedCall) {
    self.call = call
    reconstructor = Reconstructor(open: call.open, head: call.head)
    let whole = generation(of: call)
    let textBytes = whole.choices.reduce(0) { $0 + ($1.content?.utf8.count ?? 0) + ($1.reasoning?.utf8.count ?? 0) }
    isAlone = whole.contentMode == .delta && textBytes > Self.copyLimit / max(1, call.frameCount)
  }

  /// The pieces of frame `index`, by choice; none for a frame without text.
  package mutating func pieces(ofFrame index: Int) -> [Piece] {
    if isAlone { reconstructor = Reconstructor(open: call.open, head: call.head) }
    call.raw.withUnsafeBytes { raw in
      reconstructor.consume(
        frame: UnsafeRawBufferPointer(rebasing: raw[call.frameRange(index)]), offsetNs: call.frameOffsetNs(index))
    }
    let after = reconstructor.snapshot()
    defer { before = isAlone ? Generation() : after }
    return after.choices.compactMap { choice in
      let old = before.choices.first { $0.index == choice.index }
      let piece = Piece(
        choice: choice.index, content: Self.difference(old?.content, choice.content),
        reasoning: Self.difference(old?.reasoning, choice.reasoning))
      return piece.content.isEmpty && piece.reasoning.isEmpty ? nil : piece
    }
  }

  private static func difference(_ old: String?, _ new: String?) -> String {
    guard let new else { return "" }
    let count = old?.utf8.count ?? 0
    guard new.utf8.count > count else { return "" }
    return String(decoding: new.utf8.dropFirst(count), as: UTF8.self)
  }
}
