/// What is wrong with a CSV file: words that follow its name.
struct CSVProblem: Error {
  var message: String

  init(_ message: String) { self.message = message }
}

/// One record of a CSV file, and the line that it starts on, counted from 1.
struct CSVRecord {
  var line: Int
  var fields: [String]
}

extension [CSVRecord] {
  /// Reads CSV (RFC 4180) with any line ends; a byte order mark is passed over.
  ///
  /// - Throws: for a quote that is never closed, or that has something behind it.
  init(csv text: String) throws(CSVProblem) {
    self = []
    var line = 1
    var record = CSVRecord(line: 1, fields: [])
    var field = String.UnicodeScalarView()
    var quoting = Quoting.none
    var scalars = text.unicodeScalars[...]
    if scalars.first == "\u{FEFF}" { scalars.removeFirst() }
    while let scalar = scalars.popFirst() {
      if scalar == "\n" { line += 1 }
      switch (scalar, quoting) {
      case ("\"", .none) where field.isEmpty: quoting = .open(line)
      case ("\"", .open(let start)):
        quoting = scalars.first == "\"" ? .open(start) : .closed
        if scalars.first == "\"" { field.append(scalars.removeFirst()) }
      case (_, .open): field.append(scalar)
      case (",", _):
        record.fields.append(String(field))
        (field, quoting) = (String.UnicodeScalarView(), .none)
      case ("\r", _) where scalars.first == "\n": break
      case ("\n", _), ("\r", _):
        record.fields.append(String(field))
        append(record)
        record = CSVRecord(line: line, fields: [])
        (field, quoting) = (String.UnicodeScalarView(), .none)
      case (_, .closed): throw CSVProblem("line \(line) has something behind a closing quote")
      case (_, .none): field.append(scalar)
      }
    }
    if case .open(let start) = quoting { throw CSVProblem("the quote on line \(start) is never closed") }
    if !record.fields.isEmpty || !field.isEmpty || quoting == .closed {
      record.fields.append(String(field))
      append(record)
    }
  }

  private enum Quoting: Equatable {
    case none
    /// Since this line.
    case open(Int)
    case closed
  }
}
