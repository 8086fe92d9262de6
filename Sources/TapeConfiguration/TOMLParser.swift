/// Reads the part of TOML that a configuration of this program needs: tables, lists of tables, strings of all four
/// kinds, whole numbers, booleans, lists and comments. Floats, dates, dotted keys and inline tables are refused by
/// name. Written here because an error has to say at which line and column a key stands, also one that is well formed
/// and unknown, and because the asking commands start in milliseconds without a C++ library.
struct TOMLParser {
  private let bytes: [UInt8]
  private var position = 0
  private var line = 1
  private var lineStart = 0

  private init(_ text: [UInt8]) { bytes = text }

  /// - Throws: `TOMLError` at the first thing that is wrong.
  static func parse(_ text: [UInt8]) throws(TOMLError) -> TOMLTable {
    var parser = TOMLParser(text)
    return try parser.document()
  }

  private var place: TOMLPlace {
    // Columns count characters, not bytes: continuation bytes are none.
    let column = bytes[lineStart..<min(position, bytes.count)].count { $0 & 0xC0 != 0x80 } + 1
    return TOMLPlace(line: line, column: column)
  }

  private func wrong(_ message: String) -> TOMLError { TOMLError(place: place, message: message) }

  private var peek: UInt8? { position < bytes.count ? bytes[position] : nil }

  private mutating func skipSpace() { while let byte = peek, byte == 0x20 || byte == 0x09 { position += 1 } }

  /// White space, line ends and comments.
  private mutating func skipLines() {
    while let byte = peek {
      switch byte {
      case 0x20, 0x09, 0x0D: position += 1
      case 0x0A: newline()
      case 0x23: while let next = peek, next != 0x0A { position += 1 }
      default: return
      }
    }
  }

  private mutating func newline() {
    position += 1
    line += 1
    lineStart = position
  }

  private mutating func endOfLine() throws(TOMLError) {
    skipSpace()
    if peek == 0x23 { while let next = peek, next != 0x0A { position += 1 } }
    if peek == 0x0D { position += 1 }
    guard let byte = peek else { return }
    guard byte == 0x0A else { throw wrong("there is more behind the value on this line") }
    newline()
  }

  // MARK: Structure

  private mutating func document() throws(TOMLError) -> TOMLTable {
    if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { (position, lineStart) = (3, 3) }
    guard String(validating: bytes, as: UTF8.self) != nil else { throw wrong("the file is not UTF-8") }
    var root = TOMLTable()
    // The table that keys go into: nil for the root.
    var current: (key: String, isList: Bool)?
    skipLines()
    while peek != nil {
      if peek == 0x5B {
        let header = try self.header()
        try open(header, in: &root)
        current = (header.key, header.isList)
      } else {
        let entry = try self.entry()
        try add(entry, to: current, in: &root)
      }
      try endOfLine()
      skipLines()
    }
    return root
  }

  private mutating func header() throws(TOMLError) -> (key: String, isList: Bool, place: TOMLPlace) {
    position += 1
    let isList = peek == 0x5B
    if isList { position += 1 }
    skipSpace()
    let start = place
    let key = try self.key()
    skipSpace()
    if peek == 0x2E { throw wrong("tables inside of tables are not known here") }
    for _ in 0..<(isList ? 2 : 1) {
      guard peek == 0x5D else { throw wrong(isList ? "expected ]]" : "expected ]") }
      position += 1
    }
    return (key, isList, start)
  }

  private func open(
    _ header: (key: String, isList: Bool, place: TOMLPlace), in root: inout TOMLTable
  ) throws(TOMLError) {
    let empty = TOMLValue(content: .table(TOMLTable()), place: header.place)
    guard let index = root.entries.firstIndex(where: { $0.key == header.key }) else {
      let value = header.isList ? TOMLValue(content: .array([empty]), place: header.place) : empty
      root.entries.append(.init(key: header.key, place: header.place, value: value))
      return
    }
    guard header.isList, case .array(let list) = root.entries[index].value.content,
      case .table? = list.first?.content
    else {
      throw TOMLError(place: header.place, message: "\(header.key) is there already, \(root.entries[index].place)")
    }
    root.entries[index].value.content = .array(list + [empty])
  }

  private mutating func entry() throws(TOMLError) -> TOMLTable.Entry {
    let start = place
    let key = try self.key()
    skipSpace()
    if peek == 0x2E { throw wrong("dotted keys are not known here: write a [table]") }
    guard peek == 0x3D else { throw wrong("expected = behind the key \(key)") }
    position += 1
    skipSpace()
    return TOMLTable.Entry(key: key, place: start, value: try value())
  }

  private func add(
    _ entry: TOMLTable.Entry, to current: (key: String, isList: Bool)?, in root: inout TOMLTable
  ) throws(TOMLError) {
    guard let current, let index = root.entries.firstIndex(where: { $0.key == current.key }) else {
      return try Self.add(entry, to: &root)
    }
    switch root.entries[index].value.content {
    case .table(var table):
      try Self.add(entry, to: &table)
      root.entries[index].value.content = .table(table)
    case .array(var list):
      guard let last = list.popLast(), case .table(var table) = last.content else { return }
      try Self.add(entry, to: &table)
      root.entries[index].value.content = .array(list + [TOMLValue(content: .table(table), place: last.place)])
    default: return
    }
  }

  private static func add(_ entry: TOMLTable.Entry, to table: inout TOMLTable) throws(TOMLError) {
    if let other = table.entries.first(where: { $0.key == entry.key }) {
      throw TOMLError(place: entry.place, message: "\(entry.key) is given twice, first at \(other.place)")
    }
    table.entries.append(entry)
  }

  private mutating func key() throws(TOMLError) -> String {
    if peek == 0x22 || peek == 0x27 { return try string() }
    let start = position
    while let byte = peek, Self.isBare(byte) { position += 1 }
    guard position > start else { throw wrong("expected a key") }
    return String(decoding: bytes[start..<position], as: UTF8.self)
  }

  private static func isBare(_ byte: UInt8) -> Bool {
    switch byte {
    case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x5F: true
    default: false
    }
  }

  // MARK: Values

  private mutating func value() throws(TOMLError) -> TOMLValue {
    let start = place
    switch peek {
    case 0x22, 0x27: return TOMLValue(content: .string(try string()), place: start)
    case 0x5B: return TOMLValue(content: .array(try list()), place: start)
    case 0x7B: throw wrong("inline tables are not known here: write a [table]")
    default: break
    }
    let first = position
    while let byte = peek, Self.isBare(byte) || byte == 0x2B || byte == 0x2E || byte == 0x3A { position += 1 }
    let word = String(decoding: bytes[first..<position], as: UTF8.self)
    let problem: String
    switch word {
    case "true": return TOMLValue(content: .bool(true), place: start)
    case "false": return TOMLValue(content: .bool(false), place: start)
    case "": problem = "expected a value"
    default:
      let digits = String(word.filter { $0 != "_" })
      if let number = Int(digits), !word.hasPrefix("_"), !word.hasSuffix("_"), !word.contains("__") {
        return TOMLValue(content: .integer(number), place: start)
      }
      problem = "'\(word)' is no value: texts stand in quotes, numbers are whole"
    }
    throw TOMLError(place: start, message: problem)
  }

  private mutating func list() throws(TOMLError) -> [TOMLValue] {
    position += 1
    var values: [TOMLValue] = []
    skipLines()
    while peek != 0x5D {
      values.append(try value())
      skipLines()
      if peek == 0x2C {
        position += 1
        skipLines()
      } else if peek != 0x5D {
        throw wrong("expected , or ] in the list")
      }
    }
    position += 1
    return values
  }

  private mutating func string() throws(TOMLError) -> String {
    let quote = bytes[position]
    let isLong = bytes[position...].starts(with: [quote, quote, quote])
    position += isLong ? 3 : 1
    if isLong {
      if peek == 0x0D { position += 1 }
      if peek == 0x0A { newline() }
    }
    var out: [UInt8] = []
    while let byte = peek {
      if byte == quote {
        if !isLong {
          position += 1
          return String(decoding: out, as: UTF8.self)
        }
        if bytes[position...].starts(with: [quote, quote, quote]) {
          position += 3
          // Up to two more quotes belong to the text.
          while peek == quote, out.count < bytes.count {
            out.append(quote)
            position += 1
          }
          return String(decoding: out, as: UTF8.self)
        }
      }
      if byte == 0x0A {
        guard isLong else { throw wrong("the text has no closing quote on its line") }
        out.append(byte)
        newline()
      } else if byte == 0x5C, quote == 0x22 {
        try escape(into: &out, isLong: isLong)
      } else if byte < 0x20, byte != 0x09, byte != 0x0D || !isLong {
        throw wrong("a control character in a text")
      } else {
        out.append(byte)
        position += 1
      }
    }
    throw wrong("the text has no closing quote")
  }

  private mutating func escape(into out: inout [UInt8], isLong: Bool) throws(TOMLError) {
    let start = place
    position += 1
    guard let byte = peek else { throw wrong("the text has no closing quote") }
    position += 1
    switch byte {
    case 0x62: out.append(0x08)
    case 0x74: out.append(0x09)
    case 0x6E: out.append(0x0A)
    case 0x66: out.append(0x0C)
    case 0x72: out.append(0x0D)
    case 0x22, 0x5C: out.append(byte)
    case 0x75, 0x55:
      let count = byte == 0x75 ? 4 : 8
      let digits = String(decoding: bytes[position..<min(position + count, bytes.count)], as: UTF8.self)
      guard digits.utf8.count == count, let scalar = UInt32(digits, radix: 16).flatMap(Unicode.Scalar.init) else {
        throw TOMLError(
          place: start, message: "\\\(Character(Unicode.Scalar(byte))) needs \(count) hex digits of a character")
      }
      position += count
      out += Array(String(Character(scalar)).utf8)
    case 0x0A where isLong, 0x0D where isLong, 0x20 where isLong:
      position -= 1
      while let next = peek, next == 0x20 || next == 0x09 || next == 0x0D || next == 0x0A {
        if next == 0x0A { newline() } else { position += 1 }
      }
    default:
      let shown = byte < 0x80 ? String(Character(Unicode.Scalar(byte))) : "…"
      throw TOMLError(
        place: start, message: "\\\(shown) is not known in a text; write \\\\ for a backslash, or use '…' quotes")
    }
  }
}
