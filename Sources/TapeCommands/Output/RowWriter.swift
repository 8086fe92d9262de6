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
    if printer.format.isJSON {
      writeJSON { row.write(into: &$0, indent: $1) }
    } else {
      waiting.append(row)
      if waiting.count == Self.rowsAtOnce { flush() }
    }
  }

  /// A row that is written by `write`, as deep as it is told, or compact: for `json` and `ndjson`.
  mutating func writeJSON(_ write: (inout [UInt8], Int?) -> Void) {
    if printer.format == .ndjson {
      write(&lines, nil)
      lines.append(0x0A)
    } else {
      // As the elements of one array.
      lines += (isBegun ? ",\n  " : "[\n  ").utf8
      write(&lines, 1)
      isBegun = true
    }
    if lines.count >= Self.bytesAtOnce { flush() }
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
