internal import TapeJSON

/// One column of a table: where its value lies in a row, and how it reads.
struct Column: Sendable {
  var title: String
  var right = false
  /// What it may be cut to where a terminal has no room; nil: it is never cut.
  var least: Int?
  /// Where cutting is not enough, columns with a rank are left out, the highest first; those with 0 never.
  var rank = 0
  /// Left out of a table in which every row has nothing or 0 in it.
  var hidesWhenEmpty = false
  var text: @Sendable (JSONValue) -> String

  init(_ title: String, right: Bool = false, text: @escaping @Sendable (JSONValue) -> String) {
    self.title = title
    self.right = right
    // Half of a number is another number.
    least = right ? nil : max(10, TerminalText.width(title))
    self.text = text
  }

  /// A column that shows the member at `path`, `–` when it is unknown.
  init(_ title: String, _ path: String..., right: Bool = false) {
    self.init(title, right: right) { row in
      Column.plain(path.reduce(Optional(row)) { $0?[$1] })
    }
  }

  /// A number of milliseconds, as people read it.
  static func duration(_ title: String, _ path: String...) -> Column {
    Column(title, right: true) { row in duration(path.reduce(Optional(row), { $0?[$1] })) ?? "–" }
  }

  /// Milliseconds as people read them; nil for what is no number.
  static func duration(_ milliseconds: JSONValue?) -> String? {
    guard case .number(let text) = milliseconds, let value = Double(text) else { return nil }
    return value >= 10_000 ? "\(fixed(value / 1000, 1)) s" : "\(fixed(value, value < 10 ? 1 : 0)) ms"
  }

  /// The same column, left out of tables where it says nothing.
  var whenNotEmpty: Column {
    var column = self
    column.hidesWhenEmpty = true
    return column
  }

  /// The same column, never cut: an id to go on with, a time, a state.
  var whole: Column {
    var column = self
    column.least = nil
    return column
  }

  /// The same column, cut to no less than `columns`.
  func least(_ columns: Int) -> Column {
    var column = self
    column.least = columns
    return column
  }

  /// The same column, left out of a table that is wider than the terminal; those of a higher rank go first.
  func optional(_ rank: Int) -> Column {
    var column = self
    column.rank = rank
    return column
  }

  static func plain(_ value: JSONValue?) -> String {
    switch value {
    case nil, .null: "–"
    case .string(let text): text
    case .number(let text): text
    case .bool(let value): value ? "yes" : "no"
    case .some(let other): other.compactString
    }
  }

  /// `value` with so many decimals, rounded; no locale.
  static func fixed(_ value: Double, _ decimals: Int) -> String {
    let scale = [1.0, 10, 100, 1000][decimals]
    let scaled = Int((value * scale).rounded())
    guard decimals > 0 else { return String(scaled) }
    let fraction = String(scaled % Int(scale))
    return "\(scaled / Int(scale))." + String(repeating: "0", count: decimals - fraction.count) + fraction
  }
}
