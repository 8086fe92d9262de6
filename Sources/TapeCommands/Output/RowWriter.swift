internal import TapeJSON

/// Prints rows one after the other as `RowPrinter` prints them all at once, and holds few of them. A table has the widths
/// that its first rows need, and wider ones from where they are needed.
struct RowWriter {
  private static let rowsAtOnce = 1_000

  private var printer: RowPrinter
  private var waiting: [JSONValue] = []
  private var layout: TableLayout?
  private var isBegun = false

  init(_ printer: RowPrinter) { self.printer = printer }

  mutating func write(_ row: JSONValue) {
    switch printer.format {
    case .ndjson: StandardOutput.write(json: row.compact)
    case .json:
      // As the elements of one array.
      let start: [UInt8] = Array((isBegun ? ",\n  " : "[\n  ").utf8)
      StandardOutput.write(lines: start + row.pretty(indent: 1))
      isBegun = true
    case .csv, .table, .markdown:
      waiting.append(row)
      if waiting.count == Self.rowsAtOnce { flush() }
    }
  }

  /// Nothing comes any more.
  mutating func finish() {
    if printer.format == .json { StandardOutput.write(isBegun ? "\n]\n" : "[]\n") } else { flush() }
  }

  private mutating func flush() {
    guard !waiting.isEmpty else { return }
    layout = printer.print(waiting, before: layout)
    printer.hasTitles = false
    waiting.removeAll(keepingCapacity: true)
  }
}
