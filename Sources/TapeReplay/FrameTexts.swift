internal import TapeDialects
internal import TapeJSON
internal import TapeSSE
public import TapeTypes

/// What each frame of a call adds to the message of its first choice, for typing it again.
public struct FrameTexts {
  public struct Piece: Sendable, Equatable {
    public var content = ""
    public var reasoning = ""
  }

  private let call: RecordedCall
  private let isCumulative: Bool
  private var contentSoFar = ""

  public init(of call: RecordedCall) {
    self.call = call
    isCumulative = generation(of: call).contentMode == .cumulative
  }

  /// The piece of frame `index`; ask in rising order. Empty for frames without text, and for
  /// bodies that are no event stream only the whole is a frame.
  public mutating func text(ofFrame index: Int) -> Piece {
    let data = frameData(Array(call.raw[call.frameRange(index)]))
    guard let chunk = try? JSONValue(parsing: data), let choices = chunk["choices"]?.array else { return Piece() }
    var piece = Piece()
    for choice in choices where (choice["index"]?.integer ?? 0) == 0 {
      guard let message = choice["message"] ?? choice["delta"] else { continue }
      piece.reasoning += message["reasoning"]?.string ?? ""
      piece.content += added(message["content"]?.string ?? "")
    }
    return piece
  }

  private mutating func added(_ text: String) -> String {
    guard isCumulative else { return text }
    guard !text.isEmpty, text.utf8.starts(with: contentSoFar.utf8) else { return "" }
    let rest = String(decoding: text.utf8.dropFirst(contentSoFar.utf8.count), as: UTF8.self)
    contentSoFar = text
    return rest
  }

  private func frameData(_ frame: [UInt8]) -> [UInt8] {
    var data: [UInt8]?
    var parser = EventParser()
    frame.withUnsafeBytes { parser.feed($0) { data = Array($0.data.utf8) } }
    return data ?? frame
  }
}
