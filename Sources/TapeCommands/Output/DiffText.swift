internal import TapeQuery

/// A text with what was taken out and what was put in: in colour, else between `[-` and `-]`, `{+` and `+}`.
struct DiffText {
  private let diff: TextDiff
  private let style: TerminalStyle
  /// Words that are the same and shown beside a change; nil shows all.
  private let context: Int?

  init(_ diff: TextDiff, style: TerminalStyle, context: Int? = 12) {
    self.diff = diff
    self.style = style
    self.context = context
  }

  /// Escaped for a terminal.
  var text: String {
    diff.parts.enumerated().map { index, part in
      let shown = TerminalText.escaped(part.text, keepingLines: true)
      switch part.operation {
      case .removed: return style.isColoured ? lines(shown, style.red) : "[-\(shown)-]"
      case .added: return style.isColoured ? lines(shown, style.green) : "{+\(shown)+}"
      case .same:
        return cut(shown, isFirst: index == 0, isLast: index == diff.parts.count - 1)
      }
    }.joined()
  }

  /// Each line in colour by itself: lines are indented later.
  private func lines(_ text: String, _ colour: (String) -> String) -> String {
    text.split(separator: "\n", omittingEmptySubsequences: false).map { colour(String($0)) }.joined(separator: "\n")
  }

  /// The middle of a long stretch that is the same is left out.
  private func cut(_ text: String, isFirst: Bool, isLast: Bool) -> String {
    guard let context, !(isFirst && isLast) else { return text }
    let words = text.split(omittingEmptySubsequences: true, whereSeparator: \.isWhitespace)
    guard words.count > 2 * context + 4 else { return text }
    let head = isFirst ? "" : String(text[..<words[context - 1].endIndex]) + " "
    let tail = isLast ? "" : " " + String(text[words[words.count - context].startIndex...])
    let left = words.count - (isFirst ? 0 : context) - (isLast ? 0 : context)
    return head + style.dim("[… \(left) words …]") + tail
  }
}
