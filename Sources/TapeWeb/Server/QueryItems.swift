internal import HTTPTypes
package import TapeQuery
internal import TapeTypes

/// The query of a URL, or a form: names with values, in their order (URL standard, application/x-www-form-urlencoded).
package struct QueryItems: Sendable, Equatable {
  package var items: [(name: String, value: String)] = []

  package init() {}

  package static func == (left: QueryItems, right: QueryItems) -> Bool {
    left.items.elementsEqual(right.items) { $0.name == $1.name && $0.value == $1.value }
  }

  /// - Throws: `WebError` 400 for what is no UTF-8, or has a NUL.
  package init(_ text: String) throws {
    for item in text.utf8.split(separator: UInt8(ascii: "&")) {
      let parts = item.split(separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
      let name = try URLText.decoded(parts[0], plusIsSpace: true)
      items.append((name, parts.count > 1 ? try URLText.decoded(parts[1], plusIsSpace: true) : ""))
    }
  }

  /// As they stand in a URL behind `?`.
  package var text: String {
    items.map { "\(URLText.encoded($0.name))=\(URLText.encoded($0.value))" }.joined(separator: "&")
  }

  package var isEmpty: Bool { items.isEmpty }

  package func all(_ name: String) -> [String] { items.filter { $0.name == name }.map(\.value) }

  /// - Throws: `WebError` 400 for one that is given twice.
  package func one(_ name: String) throws -> String? {
    let values = all(name)
    guard values.count < 2 else { throw WebError.field(name, "\(name) is given \(values.count) times") }
    return values.first
  }

  /// A whole number of a range.
  package func number(_ name: String, _ range: ClosedRange<Int>) throws -> Int? {
    guard let text = try one(name) else { return nil }
    guard !text.isEmpty, text.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let number = Int(text),
      range.contains(number)
    else {
      throw WebError.field(
        name, "\(name) takes a whole number from \(range.lowerBound) to \(range.upperBound), not '\(text)'")
    }
    return number
  }

  /// A length of time such as `500ms`, in ns.
  package func duration(_ name: String, usually: String?) throws -> Int64? {
    guard let text = try one(name) ?? usually else { return nil }
    do { return try Durations.nanoseconds(text, flag: name) } catch let error as TapeError {
      throw WebError.field(name, error.description)
    }
  }

  /// `true`, `1`, `false` or `0`; false without it.
  package func flag(_ name: String) throws -> Bool {
    switch try one(name) {
    case nil, "false", "0": return false
    case "true", "1": return true
    case .some(let text): throw WebError.field(name, "\(name) takes true or false, not '\(text)'")
    }
  }

  /// - Throws: `WebError` 400 naming a parameter that nobody knows, with the nearest one that there is.
  package func check(known names: [String]) throws {
    for item in items where !names.contains(item.name) {
      let near = Spelling.nearest(to: item.name, among: names).map { "did you mean \($0)?" }
      let hint = near ?? (names.isEmpty ? "there are none here" : "there are \(names.joined(separator: ", "))")
      throw WebError.field(item.name, "there is no parameter '\(item.name)'; \(hint)")
    }
  }

  /// The same without those of a name, and with a value for it if there is one.
  package func with(_ name: String, _ value: String?) -> QueryItems {
    var copy = self
    copy.items.removeAll { $0.name == name }
    if let value { copy.items.append((name, value)) }
    return copy
  }

  package func without(_ names: String...) -> QueryItems {
    var copy = self
    copy.items.removeAll { names.contains($0.name) }
    return copy
  }

  /// What forms send of fields that nobody filled in is left out.
  package var filled: QueryItems {
    var copy = self
    copy.items.removeAll { $0.value.isEmpty }
    return copy
  }

  // MARK: Filters

  /// The shared filters, named as the flags are.
  package static let filterNames = [
    "trace", "span", "thread", "identity", "tag", "identity-tag", "deployment", "model", "provider", "state", "meta",
    "from", "to", "min-duration", "text", "mock", "where", "tz",
  ]

  /// - Throws: `WebError` 400 naming what cannot be read.
  package func filterFields() throws -> FilterFields {
    var fields = FilterFields()
    fields.trace = try one("trace")
    fields.span = try one("span")
    fields.thread = try one("thread")
    fields.identity = try one("identity")
    fields.tags = all("tag")
    fields.identityTags = all("identity-tag")
    fields.deployment = try one("deployment")
    fields.model = try one("model")
    fields.provider = try one("provider")
    fields.state = try one("state")
    fields.metadata = all("meta")
    fields.from = try one("from")
    fields.to = try one("to")
    fields.minDuration = try one("min-duration")
    fields.text = try one("text")
    fields.mock = try flag("mock")
    fields.condition = try one("where")
    fields.timeZone = try one("tz")
    return fields
  }

  package func filter() throws -> CallFilter {
    do { return try filterFields().filter() } catch let error as FieldError { throw WebError(error) }
  }

  package func zone() throws -> TimeZoneRules {
    do { return try filterFields().zone() } catch let error as FieldError { throw WebError(error) }
  }
}

/// Percent encoding (RFC 3986 §2.1), over bytes.
enum URLText {
  /// - Throws: `WebError` 400.
  static func decoded(_ text: some Collection<UInt8>, plusIsSpace: Bool = false) throws -> String {
    var bytes: [UInt8] = []
    var index = text.startIndex
    func next() -> UInt8? {
      text.formIndex(after: &index)
      return index < text.endIndex ? hex(text[index]) : nil
    }
    while index < text.endIndex {
      switch text[index] {
      case 0x25:
        guard let high = next(), let low = next() else { throw malformed }
        bytes.append(high << 4 | low)
      case 0x2B where plusIsSpace: bytes.append(0x20)
      case let byte: bytes.append(byte)
      }
      text.formIndex(after: &index)
    }
    guard !bytes.contains(0), let decoded = String(validating: bytes, as: UTF8.self) else { throw malformed }
    return decoded
  }

  private static let malformed = WebError(.badRequest, "bad_request", "the address is no percent-encoded UTF-8")

  private static func hex(_ byte: UInt8) -> UInt8? {
    switch byte {
    case 0x30...0x39: byte - 0x30
    case 0x41...0x46: byte - 0x37
    case 0x61...0x66: byte - 0x57
    default: nil
    }
  }

  /// All but unreserved characters are encoded.
  static func encoded(_ text: String) -> String {
    let digits = Array("0123456789ABCDEF".utf8)
    var out: [UInt8] = []
    for byte in text.utf8 {
      switch byte {
      case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x2E, 0x5F, 0x7E: out.append(byte)
      default: out += [0x25, digits[Int(byte >> 4)], digits[Int(byte & 15)]]
      }
    }
    return String(decoding: out, as: UTF8.self)
  }
}
