package import TapePricing
package import TapeTypes

/// What a provider says that calls cost: a CSV file with the columns day, model, tokens and usd.
package struct Bill: Sendable {
  package struct Line: Sendable {
    /// `YYYY-MM-DD`
    package var day: String
    package var model: String
    package var tokens: Int
    package var usd: DecimalNumber
  }

  package static let columns = ["day", "model", "tokens", "usd"]

  package private(set) var lines: [Line] = []

  /// Reads RFC 4180: the columns in any order and case, a line each; amounts may have a `$` in front and commas between
  /// thousands.
  ///
  /// - Parameter name: of the file, for messages.
  /// - Throws: `TapeError.failed` naming the columns that are there, or the line that cannot be read.
  package init(csv bytes: [UInt8], name: String) throws(TapeError) {
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw TapeError(.failed, "cannot read the bill \(name): it is not UTF-8; save it as CSV in UTF-8")
    }
    do throws(CSVProblem) {
      var records = try [CSVRecord](csv: text).filter { $0.fields != [""] }[...]
      guard let header = records.popFirst() else { throw CSVProblem("it is empty; it needs \(Self.wanted)") }
      let places = try Self.places(header)
      for record in records { lines.append(try Self.line(record, places, header.fields.count)) }
    } catch {
      throw TapeError(.failed, "cannot read the bill \(name): \(error.message)")
    }
  }

  private static var wanted: String { "a first line with the columns \(columns.joined(separator: ", "))" }

  /// Where each of `columns` stands.
  private static func places(_ header: CSVRecord) throws(CSVProblem) -> [Int] {
    let names = header.fields.map { Self.trimmed($0).lowercased() }
    let missing = columns.filter { !names.contains($0) }
    let others = header.fields.filter { !columns.contains(trimmed($0).lowercased()) }
    guard missing.isEmpty, others.isEmpty, names.count == columns.count else {
      var parts = ["it needs \(wanted)"]
      if !missing.isEmpty { parts.append("missing: \(missing.joined(separator: ", "))") }
      if !others.isEmpty { parts.append("not known: \(others.joined(separator: ", "))") }
      if missing.isEmpty, others.isEmpty { parts.append("one of them is there twice") }
      throw CSVProblem(parts.joined(separator: "; "))
    }
    return columns.map { name in names.firstIndex(of: name) ?? 0 }
  }

  private static func line(_ record: CSVRecord, _ places: [Int], _ count: Int) throws(CSVProblem) -> Line {
    guard record.fields.count == count else {
      throw CSVProblem("line \(record.line) has \(record.fields.count) fields, not \(count)")
    }
    let fields = places.map { trimmed(record.fields[$0]) }
    guard CivilDate.isDay(fields[0]) else {
      throw CSVProblem("line \(record.line): day is '\(fields[0])', not a date such as 2026-11-20")
    }
    guard !fields[1].isEmpty else { throw CSVProblem("line \(record.line) has no model") }
    guard let tokens = Int(withoutCommas(fields[2])), tokens >= 0, fields[2].first != "+" else {
      throw CSVProblem("line \(record.line): tokens is '\(fields[2])', not a whole number from 0")
    }
    return Line(day: fields[0], model: fields[1], tokens: tokens, usd: try usd(fields[3], line: record.line))
  }

  private static func usd(_ text: String, line: Int) throws(CSVProblem) -> DecimalNumber {
    var rest = text[...]
    let isNegative = rest.first == "-"
    if isNegative { rest.removeFirst() }
    if rest.first == "$" { rest.removeFirst() }
    guard rest.first != "-", let amount = DecimalNumber(withoutCommas(String(rest))) else {
      throw CSVProblem("line \(line): usd is '\(text)', not an amount such as 12.34")
    }
    return isNegative ? -amount : amount
  }

  /// `1,234,567.8` as `1234567.8`; what has commas elsewhere stays as it is, and is no number.
  private static func withoutCommas(_ text: String) -> String {
    guard text.contains(",") else { return text }
    let whole = text.prefix { $0 != "." }
    let groups = whole.split(separator: ",", omittingEmptySubsequences: false)
    guard (1...3).contains(groups[0].count), groups.dropFirst().allSatisfy({ $0.count == 3 }) else { return text }
    return groups.joined() + text.dropFirst(whole.count)
  }

  private static func trimmed(_ text: String) -> String {
    var text = text[...]
    while text.first?.isWhitespace == true { text.removeFirst() }
    while text.last?.isWhitespace == true { text.removeLast() }
    return String(text)
  }
}
