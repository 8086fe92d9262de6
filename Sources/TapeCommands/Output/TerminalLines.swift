/// Text in lines of a width. It must be escaped; colours in it (`ESC [ … m`) are ours, and take no room.
package enum TerminalLines {
  /// Broken at spaces, beside wide characters, and within words that are too long for a line. Spaces at a break are
  /// left out.
  package static func wrapped(_ text: String, to columns: Int) -> [String] {
    text.unicodeScalars.split(separator: "\n", omittingEmptySubsequences: false).flatMap { line in
      wrapped(line: units(line), to: max(2, columns))
    }
  }

  /// A character with the combining ones behind it, and the colour that it changes to.
  private struct Unit {
    var colour = ""
    var text = ""
    var width = 0
    var isSpace = false
  }

  private static func units(_ line: Substring.UnicodeScalarView) -> [Unit] {
    var units: [Unit] = []
    var colour = ""
    var isInColour = false
    var column = 0
    for scalar in line {
      if isInColour || scalar == "\u{1B}" {
        if !isInColour { colour = "" }
        colour.unicodeScalars.append(scalar)
        isInColour = scalar != "m"
        continue
      }
      if scalar == "\t" {
        // Where a terminal would end it depends on where the line stands: to every fourth column of the text instead.
        let spaces = 4 - column % 4
        units += (0..<spaces).map { Unit(colour: $0 == 0 ? colour : "", text: " ", width: 1, isSpace: true) }
        column += spaces
        colour = ""
        continue
      }
      let width = TerminalText.width(scalar)
      column += width
      if width == 0, let last = units.indices.last, colour.isEmpty {
        units[last].text.unicodeScalars.append(scalar)
      } else {
        units.append(
          Unit(
            colour: colour, text: String(scalar), width: width,
            isSpace: scalar == " "))
        colour = ""
      }
    }
    if !colour.isEmpty { units.append(Unit(colour: colour)) }
    return units
  }

  private static func wrapped(line: [Unit], to columns: Int) -> [String] {
    var lines = Assembly(units: line)
    var start = 0
    var used = 0
    var hasWord = false
    // Where the line may end, and where the next one then begins.
    var place: (end: Int, next: Int)?
    var index = 0
    while index < line.count {
      let unit = line[index]
      let isBesideWide =
        index > start && !unit.isSpace && !line[index - 1].isSpace && (unit.width == 2 || line[index - 1].width == 2)
      if isBesideWide { place = (index, index) }
      if used + unit.width > columns, index > start, !(unit.isSpace && hasWord) {
        let cut: (end: Int, next: Int) =
          place.flatMap { $0.next < index && isLong(line, from: $0.next, columns) ? nil : $0 } ?? (index, index)
        lines.add(start..<cut.end)
        (start, index, used, hasWord, place) = (cut.next, cut.next, 0, false, nil)
        continue
      }
      if unit.isSpace {
        if hasWord { place = (line[index - 1].isSpace ? place?.end ?? index : index, index + 1) }
      } else {
        hasWord = true
      }
      used += unit.width
      index += 1
    }
    // Spaces behind the last word may have no room.
    lines.add(start..<(used > columns ? place?.end ?? line.count : line.count))
    return lines.lines
  }

  /// The word there has no room on a line of its own either.
  private static func isLong(_ line: [Unit], from start: Int, _ columns: Int) -> Bool {
    var width = 0
    for unit in line[start...] {
      if unit.isSpace || unit.width == 2 { return false }
      width += unit.width
      if width > columns { return true }
    }
    return false
  }

  /// Lines of units. A colour that goes on over the end of a line ends there and starts again on the next.
  private struct Assembly {
    let units: [Unit]
    private(set) var lines: [String] = []
    private var seen = 0
    private var colour = ""

    init(units: [Unit]) { self.units = units }

    mutating func add(_ range: Range<Int>) {
      for unit in units[seen..<range.lowerBound] { change(to: unit.colour) }
      var line = colour
      for unit in units[range] {
        let isChange = !unit.colour.isEmpty && !colour.isEmpty && unit.colour != TerminalLines.reset
        line += (isChange ? TerminalLines.reset : "") + unit.colour
        change(to: unit.colour)
        line += unit.text
      }
      lines.append(colour.isEmpty ? line : line + TerminalLines.reset)
      seen = range.upperBound
    }

    private mutating func change(to next: String) {
      if !next.isEmpty { colour = next == TerminalLines.reset ? "" : next }
    }
  }

  private static let reset = "\u{1B}[0m"
}
