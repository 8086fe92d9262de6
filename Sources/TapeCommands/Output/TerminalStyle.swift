#if canImport(Glibc)
  internal import Glibc
#else
  internal import Darwin
#endif

/// How a page for people may look where it goes to: colours only on a terminal that wants them.
struct TerminalStyle: Sendable {
  var isColoured: Bool
  /// Of the page.
  var columns: Int

  init(isColoured: Bool, columns: Int) {
    self.isColoured = isColoured
    self.columns = columns
  }

  /// That of stdout: the terminal's width, else `$COLUMNS`, else 100.
  static var standard: TerminalStyle {
    let terminal = StandardOutput.columns
    let named = getenv("COLUMNS").flatMap { Int(String(cString: $0)) } ?? 0
    let columns = terminal > 0 ? terminal : named > 0 ? named : 100
    return TerminalStyle(isColoured: StandardOutput.usesColour, columns: min(max(columns, 20), 1_000))
  }

  func bold(_ text: String) -> String { with("1", text) }
  func dim(_ text: String) -> String { with("2", text) }
  func red(_ text: String) -> String { with("31", text) }
  func green(_ text: String) -> String { with("32", text) }
  func yellow(_ text: String) -> String { with("33", text) }

  private func with(_ code: String, _ text: String) -> String {
    isColoured && !text.isEmpty ? "\u{1B}[\(code)m\(text)\u{1B}[0m" : text
  }

  /// `text`, which may have several lines and must be escaped, behind `title`: wrapped, all lines below the first.
  func block(_ title: String, titleWidth: Int, _ text: String, indent: Int = 2) -> [String] {
    let start = indent + titleWidth
    let lines = TerminalLines.wrapped(text, to: max(20, columns - start))
    return lines.enumerated().map { index, line in
      let name = index == 0 ? TerminalText.padded(title, to: titleWidth) : String(repeating: " ", count: titleWidth)
      return String(repeating: " ", count: indent) + (index == 0 ? dim(name) : name) + line
    }
  }
}
