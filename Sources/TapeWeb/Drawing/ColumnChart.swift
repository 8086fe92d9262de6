internal import TapeTypes

/// Columns over time, each a link. Positions are percent of the width, so that it fits any.
struct ColumnChart {
  struct Part {
    /// `line`: a mark at a height, not a piece of the column.
    var style: String
    var value: Double
  }

  struct Column {
    var title: String
    var href: String
    var parts: [Part]

    var height: Double { parts.reduce(0) { $1.style == "line" ? $0 : $0 + $1.value } }
    var highest: Double { parts.reduce(height) { max($0, $1.value) } }
  }

  private static let height = 120.0

  let title: String
  let unit: (Double) -> String
  let columns: [Column]

  /// What the upper line stands for.
  var peak: String { unit(columns.reduce(0) { max($0, $1.highest) }) }

  /// nil for nothing to show.
  var svg: HTML? {
    let most = columns.reduce(0) { max($0, $1.highest) }
    guard most > 0 else { return nil }
    var text =
      "<svg class=\"columns\" width=\"100%\" height=\"\(Int(Self.height) + 4)\" role=\"group\" aria-label=\"\(title)\">"
    for line in [0.0, 0.5] {
      let y = Show.plain(Self.height * line + 1)
      text += "<line class=\"grid\" x1=\"0\" x2=\"100%\" y1=\"\(y)\" y2=\"\(y)\"/>"
    }
    let width = 100 / Double(columns.count)
    for (place, column) in columns.enumerated() {
      text += self.column(column, x: Double(place) * width, width: width, most: most)
    }
    text += "<line class=\"axis\" x1=\"0\" x2=\"100%\" y1=\"\(Int(Self.height) + 1)\" y2=\"\(Int(Self.height) + 1)\"/>"
    return HTML(text + "</svg>")
  }

  private func column(_ column: Column, x: Double, width: Double, most: Double) -> String {
    guard column.highest > 0 else { return "" }
    let (left, wide) = (Show.plain(x + width * 0.12), Show.plain(width * 0.76))
    let label = HTML(escaping: column.title).text
    var text = "<a href=\"\(HTML.escaped(column.href))\" aria-label=\"\(label)\"><title>\(label)</title>"
    // All of the height answers to the pointer.
    text +=
      "<rect class=\"hit\" x=\"\(Show.plain(x))%\" y=\"0\" width=\"\(Show.plain(width))%\" height=\"\(Int(Self.height))\"/>"
    var top = Self.height + 1
    for part in column.parts where part.value > 0 {
      let height = max(1, part.value / most * Self.height)
      if part.style == "line" {
        let y = Show.plain(Self.height + 1 - height)
        text +=
          "<line class=\"p-line\" x1=\"\(left)%\" x2=\"\(Show.plain(x + width * 0.88))%\" y1=\"\(y)\" y2=\"\(y)\"/>"
      } else {
        top -= height
        text +=
          "<rect class=\"p-\(part.style)\" x=\"\(left)%\" y=\"\(Show.plain(top))\" width=\"\(wide)%\" "
          + "height=\"\(Show.plain(height))\"/>"
      }
    }
    return text + "</a>"
  }
}
