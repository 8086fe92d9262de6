/// Text in lines of a width. It must be escaped; colours in it (`ESC [ … m`) are ours, and take no room.
package enum TerminalLines {
  /// Broken at spaces, beside wide characters, and within words that are too long for a line. Spaces at a break are
  /// left out.
  package static func wrapped(_ text: String, to columns: Int) -> [String] {
    text.unicodeScalars.split(separator: "\n", omittingEmptySubsequences: false).flatMap { line in
      wrapped(line: units(line), to: max(2, columns))
    }
  }

  /// A character with the combining ones behind it and the colours before it.
  private struct Unit {
    var text = String.UnicodeScalarView()
    var width = 0
    var isSpace = false
  }

  private static func units(_ line: Substring.UnicodeScalarView) -> [Unit] {
    var units: [Unit] = []
    var colour = String.UnicodeScalarView()
    var isInColour = false
    for scalar in line {
      if isInColour || scalar == "\u{1B}" {
        colour.append(scalar)
        isInColour = scalar != "m"
        continue
      }
      // A tab ends at every eighth column: where that is, the terminal knows.
      let width = scalar == "\t" ? 8 : TerminalText.width(String(scalar))
      if width == 0, let last = units.indices.last, colour.isEmpty {
        units[last].text.append(scalar)
      } else {
        units.append(Unit(text: colour + [scalar], width: width, isSpace: scalar == " " || scalar == "\t"))
        colour = String.UnicodeScalarView()
      }
    }
    if !colour.isEmpty {
      if units.isEmpty { units.append(Unit()) }
      units[units.count - 1].text.append(contentsOf: colour)
    }
    return units
  }

  private static func wrapped(line: [Unit], to columns: Int) -> [String] {
    var lines: [String] = []
    var start = 0
    var used = 0
    var hasWord = false
    // Where the line may end, and where the next one then begins.
    var place: (end: Int, next: Int)?
    var index = 0
    while index < line.count {
      let unit = line[index]
      if used + unit.width > columns, index > start, !(unit.isSpace && hasWord) {
        let cut = place ?? (index, index)
        lines.append(text(line[start..<cut.end]))
        (start, index, used, hasWord, place) = (cut.next, cut.next, 0, false, nil)
        continue
      }
      if unit.isSpace {
        if hasWord { place = (line[index - 1].isSpace ? place?.end ?? index : index, index + 1) }
      } else {
        let isBesideWide = index > start && !line[index - 1].isSpace && (unit.width == 2 || line[index - 1].width == 2)
        if isBesideWide { place = (index, index) }
        hasWord = true
      }
      used += unit.width
      index += 1
    }
    lines.append(text(line[start...]))
    return lines
  }

  private static func text(_ units: ArraySlice<Unit>) -> String {
    var text = String.UnicodeScalarView()
    for unit in units { text.append(contentsOf: unit.text) }
    return String(text)
  }
}
