internal import TapeDialects

/// A message as it is typed piece by piece: reasoning dimmed and apart from what follows it, tool calls on lines of
/// their own.
struct TypedMessage {
  private enum Place: Equatable {
    case start, reasoning, content
    case tool(Int)
    case image(String)
  }

  /// For a terminal control characters are shown; a pipe gets the message as it came.
  let isEscaped: Bool
  let isColoured: Bool
  private var place = Place.start

  init(isEscaped: Bool, isColoured: Bool) {
    self.isEscaped = isEscaped
    self.isColoured = isColoured
  }

  /// What a frame adds.
  mutating func text(of piece: FrameTexts.Piece) -> String {
    var text = ""
    if !piece.reasoning.isEmpty {
      let reasoning = shown(piece.reasoning)
      text += move(to: .reasoning) + (isColoured ? "\u{1B}[2m\(reasoning)\u{1B}[0m" : reasoning)
    }
    if !piece.content.isEmpty { text += move(to: .content) + shown(piece.content) }
    for tool in piece.tools {
      let isNew = place != .tool(tool.index)
      text += move(to: .tool(tool.index))
      if isNew { text += "→ \(shown(tool.name ?? ""))(" }
      text += shown(tool.arguments)
    }
    for url in piece.imageURLs { text += move(to: .image(url)) + "[image \(shown(withoutInlineMedia(url)))]" }
    return text
  }

  /// What is behind the last piece.
  var end: String { (isInTool ? ")" : "") + "\n" }

  private var isInTool: Bool {
    if case .tool = place { return true }
    return false
  }

  /// What stands between two places.
  private mutating func move(to next: Place) -> String {
    defer { place = next }
    if place == next || place == .start { return "" }
    if place == .reasoning || next == .reasoning { return (isInTool ? ")" : "") + "\n\n" }
    return (isInTool ? ")" : "") + "\n"
  }

  private func shown(_ text: String) -> String { isEscaped ? TerminalText.escaped(text, keepingLines: true) : text }
}
