internal import TapeJSON

/// Prints rows one after the other as `RowPrinter` prints them all at once, and holds few of them. A table has the widths
/// that its first rows need, and wider ones from where they are needed.
struct RowWriter {
  private static let rowsAtOnce = 1_000
  private static let bytesAtOnce = 1 << 16

  private var printer: RowPrinter
  private var waiting: [JSONValue] = []
  /// Lines of JSON that wait.
  private var lines: [UInt8] = []
  private var layout: TableLayout?
  private var isBegun = false

  init(_ printer: RowPrinter) { self.printer = printer }

  mutating func write(_ row: JSONValue) {
    switch printer.format {
    case .ndjson:
      row.write(into: &lines)
      lines.append(0x0A)
    case .json:
      // As the elements of one array.
      lines += (isBegun ? ",\n  " : "[\n  ").utf8
      row.write(into: &lines, indent: 1)
      isBegun = true
    case .csv, .table, .markdown:
      waiting.append(row)
    }
    if waiting.count == Self.rowsAtOnce || lines.count >= Self.bytesAtOnce { flush() }
  }

  /// Nothing comes any more.
  mutating func finish() {
    if printer.format == .json { lines += (isBegun ? "\n]\n" : "[]\n").utf8 }
    flush()
  }

  private mutating func flush() {
    if !lines.isEmpty {
      StandardOutput.write(lines: lines)
      lines.removeAll(keepingCapacity: true)
    }
    guard !waiting.isEmpty else { return }
    layout = printer.print(waiting, before: layout)
    printer.hasTitles = false
    waiting.removeAll(keepingCapacity: true)
  }
}
