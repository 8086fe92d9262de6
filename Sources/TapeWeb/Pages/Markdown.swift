internal import TapeTypes

/// The Markdown that models write, as HTML: headings, lists, quotes, code, tables, emphasis and links. Whatever it does not
/// know is text. All text is escaped before it becomes markup, nothing is loaded (an image is a link), links go to the web
/// or mail only; work and depth are bounded.
struct Markdown {
  private static let mostDepth = 6

  static func html(_ text: String) -> HTML {
    let safe = VisibleText.escaped(withoutCarriageReturns(text), keepingLines: true)
    let lines = safe.utf8.split(separator: 0x0A, omittingEmptySubsequences: false).map { String(Substring($0)) }
    var out = "<div class=\"md\">"
    blocks(lines[...], depth: 0, &out)
    return HTML(out + "</div>")
  }

  private static func withoutCarriageReturns(_ text: String) -> String {
    guard text.utf8.contains(0x0D) else { return text }
    var scalars = String.UnicodeScalarView()
    var last: Unicode.Scalar = " "
    for scalar in text.unicodeScalars {
      if scalar == "\n", last == "\r" {
        last = scalar
        continue
      }
      scalars.append(scalar == "\r" ? "\n" : scalar)
      last = scalar
    }
    return String(scalars)
  }

  // MARK: Blocks

  private static func blocks(_ lines: ArraySlice<String>, depth: Int, _ out: inout String) {
    var rest = lines
    while let line = rest.first {
      let trimmed = Line.trimmed(line)
      if trimmed.isEmpty {
        rest.removeFirst()
      } else if let fence = Line.fence(trimmed) {
        code(&rest, fence, &out)
      } else if let level = Line.heading(trimmed) {
        rest.removeFirst()
        let text = Line.trimmed(String(trimmed.dropFirst(level)))
        // The page has headings of its own above these.
        out += "<h\(min(6, level + 2))>\(MarkdownText.html(text))</h\(min(6, level + 2))>"
      } else if Line.isRule(trimmed) {
        rest.removeFirst()
        out += "<hr>"
      } else if trimmed.hasPrefix(">"), depth < mostDepth {
        let quoted = taken(&rest) { Line.trimmed($0).hasPrefix(">") }
        out += "<blockquote>"
        blocks(quoted.map { Line.unquoted($0) }[...], depth: depth + 1, &out)
        out += "</blockquote>"
      } else if Line.marker(line) != nil, depth < mostDepth {
        list(&rest, depth: depth, &out)
      } else if trimmed.hasPrefix("|"), rest.count > 1, Line.isTableRule(rest[rest.startIndex + 1]) {
        table(&rest, &out)
      } else {
        paragraph(&rest, depth: depth, &out)
      }
    }
  }

  private static func taken(_ rest: inout ArraySlice<String>, while isMeant: (String) -> Bool) -> ArraySlice<String> {
    let found = rest.prefix(while: isMeant)
    rest = rest.dropFirst(found.count)
    return found
  }

  private static func paragraph(_ rest: inout ArraySlice<String>, depth: Int, _ out: inout String) {
    var lines: [String] = []
    while let line = rest.first {
      let trimmed = Line.trimmed(line)
      let isOther =
        trimmed.isEmpty || Line.fence(trimmed) != nil || Line.heading(trimmed) != nil || Line.isRule(trimmed)
        || depth < mostDepth && (trimmed.hasPrefix(">") || Line.marker(line) != nil)
      if isOther, !lines.isEmpty { break }
      lines.append(trimmed)
      rest.removeFirst()
      if trimmed.isEmpty { break }
    }
    out += "<p>" + lines.map { MarkdownText.html($0) }.joined(separator: "<br>") + "</p>"
  }

  private static func code(_ rest: inout ArraySlice<String>, _ fence: String, _ out: inout String) {
    let indent = rest.first.map { Line.indent($0) } ?? 0
    rest.removeFirst()
    let lines = taken(&rest) { !Line.closes(Line.trimmed($0), fence) }
    rest = rest.dropFirst()
    let shown = lines.map { Line.dropping(indent, of: $0) }.joined(separator: "\n")
    out += "<pre tabindex=\"0\"><code>\(HTML.escaped(shown))</code></pre>"
  }

  private static func list(_ rest: inout ArraySlice<String>, depth: Int, _ out: inout String) {
    guard let first = rest.first, let kind = Line.marker(first) else { return }
    let tag = kind.isOrdered ? "ol" : "ul"
    out += kind.isOrdered && kind.number != 1 ? "<ol start=\"\(kind.number)\">" : "<\(tag)>"
    while let line = rest.first, let marker = Line.marker(line), marker.isOrdered == kind.isOrdered,
      Line.indent(line) <= kind.indent + 1
    {
      rest.removeFirst()
      var item = [marker.text]
      while let next = rest.first {
        let isEmpty = Line.trimmed(next).isEmpty
        let belongs = Line.indent(next) >= min(marker.width, marker.indent + 2)
        if isEmpty {
          // A blank line belongs to the item if what follows does.
          guard let after = rest.dropFirst().first, !Line.trimmed(after).isEmpty,
            Line.indent(after) >= min(marker.width, marker.indent + 2)
          else { break }
        } else if !belongs {
          break
        }
        item.append(Line.dropping(marker.width, of: next))
        rest.removeFirst()
      }
      out += "<li>"
      if item.count == 1 { out += MarkdownText.html(marker.text) } else { blocks(item[...], depth: depth + 1, &out) }
      out += "</li>"
      // A list goes on behind a blank line.
      if let next = rest.first, Line.trimmed(next).isEmpty, let after = rest.dropFirst().first,
        Line.marker(after)?.isOrdered == kind.isOrdered
      {
        rest.removeFirst()
      }
    }
    out += "</\(tag)>"
  }

  private static func table(_ rest: inout ArraySlice<String>, _ out: inout String) {
    let lines = Array(taken(&rest) { Line.trimmed($0).hasPrefix("|") })
    let rules = Line.cells(lines[1])
    func row(_ line: String, _ tag: String) -> String {
      let cells = Line.cells(line).prefix(max(rules.count, 1)).enumerated().map { place, cell in
        let isRight = place < rules.count && rules[place].hasSuffix(":")
        return "<\(tag)\(isRight ? " class=\"num\"" : "")>\(MarkdownText.html(cell))</\(tag)>"
      }
      return "<tr>\(cells.joined())</tr>"
    }
    out +=
      "<div tabindex=\"0\" role=\"group\" aria-label=\"Table\" class=\"scroll\"><table><thead>\(row(lines[0], "th"))</thead><tbody>"
    for line in lines.dropFirst(2) { out += row(line, "td") }
    out += "</tbody></table></div>"
  }
}

/// What a line is.
private enum Line {
  struct Marker {
    var isOrdered: Bool
    var number: Int
    var indent: Int
    /// Columns up to the text.
    var width: Int
    var text: String
  }

  static func trimmed(_ line: String) -> String {
    var bytes = Array(line.utf8)[...]
    while let first = bytes.first, first == 0x20 || first == 0x09 { bytes.removeFirst() }
    while let last = bytes.last, last == 0x20 || last == 0x09 { bytes.removeLast() }
    return String(decoding: bytes, as: UTF8.self)
  }

  static func indent(_ line: String) -> Int {
    var columns = 0
    for byte in line.utf8 {
      if byte == 0x20 { columns += 1 } else if byte == 0x09 { columns += 4 } else { break }
    }
    return columns
  }

  static func dropping(_ columns: Int, of line: String) -> String {
    var left = columns
    let rest = line.utf8.drop { byte in
      guard left > 0, byte == 0x20 || byte == 0x09 else { return false }
      left -= byte == 0x20 ? 1 : 4
      return true
    }
    return String(rest) ?? ""
  }

  static func heading(_ line: String) -> Int? {
    let count = line.utf8.prefix { $0 == 0x23 }.count
    guard (1...6).contains(count), line.utf8.dropFirst(count).first == 0x20 else { return nil }
    return count
  }

  static func isRule(_ line: String) -> Bool {
    let bytes = line.utf8.filter { $0 != 0x20 }
    guard bytes.count >= 3, let first = bytes.first, [0x2D, 0x2A, 0x5F].contains(first) else { return false }
    return bytes.allSatisfy { $0 == first }
  }

  /// The run of ` or ~ that opens a block of code.
  static func fence(_ line: String) -> String? {
    guard let first = line.utf8.first, first == 0x60 || first == 0x7E else { return nil }
    let run = line.utf8.prefix { $0 == first }
    guard run.count >= 3, first == 0x7E || !line.utf8.dropFirst(run.count).contains(0x60) else { return nil }
    return String(decoding: Array(run), as: UTF8.self)
  }

  static func closes(_ line: String, _ fence: String) -> Bool {
    line.utf8.count >= fence.utf8.count && line.utf8.allSatisfy { $0 == fence.utf8.first }
  }

  static func unquoted(_ line: String) -> String {
    let rest = trimmed(line).utf8.dropFirst()
    return String(decoding: Array(rest.first == 0x20 ? rest.dropFirst() : rest), as: UTF8.self)
  }

  /// `- `, `* `, `+ `, `1. `, `1) `
  static func marker(_ line: String) -> Marker? {
    let indent = indent(line)
    let bytes = Array(trimmed(line).utf8)
    guard let first = bytes.first else { return nil }
    if [0x2D, 0x2A, 0x2B].contains(first) {
      guard bytes.count > 1, bytes[1] == 0x20 else { return nil }
      return Marker(
        isOrdered: false, number: 1, indent: indent, width: indent + 2,
        text: String(decoding: bytes[2...], as: UTF8.self))
    }
    let digits = bytes.prefix { (0x30...0x39).contains($0) }
    guard (1...9).contains(digits.count), bytes.count > digits.count + 1,
      bytes[digits.count] == 0x2E || bytes[digits.count] == 0x29, bytes[digits.count + 1] == 0x20
    else { return nil }
    return Marker(
      isOrdered: true, number: Int(String(decoding: digits, as: UTF8.self)) ?? 1, indent: indent,
      width: indent + digits.count + 2, text: String(decoding: bytes[(digits.count + 2)...], as: UTF8.self))
  }

  static func isTableRule(_ line: String) -> Bool {
    let text = trimmed(line)
    return text.hasPrefix("|") && text.utf8.contains(0x2D)
      && text.utf8.allSatisfy { [0x7C, 0x2D, 0x3A, 0x20].contains($0) }
  }

  static func cells(_ line: String) -> [String] {
    var bytes = Array(trimmed(line).utf8)[...]
    if bytes.first == 0x7C { bytes.removeFirst() }
    if bytes.last == 0x7C { bytes.removeLast() }
    var cells: [[UInt8]] = [[]]
    var isEscaped = false
    for byte in bytes {
      if byte == 0x7C, !isEscaped {
        cells.append([])
      } else {
        cells[cells.count - 1].append(byte)
      }
      isEscaped = byte == 0x5C && !isEscaped
    }
    return cells.map { trimmed(String(decoding: $0, as: UTF8.self)) }
  }
}
