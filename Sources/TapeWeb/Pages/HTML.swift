internal import Mustache
internal import TapeTypes

/// Text that is markup. All that was recorded gets in by `init(escaping:)`.
struct HTML: Sendable, Equatable {
  private(set) var text: String

  /// Markup of our own.
  init(_ markup: String) { text = markup }

  /// Text of unknown origin: what markup, a browser or a reader's eye would obey is shown instead.
  init(escaping text: String, keepingLines: Bool = false) {
    self.text = Self.escaped(VisibleText.escaped(text, keepingLines: keepingLines))
  }

  static func += (left: inout HTML, right: HTML) { left.text += right.text }

  /// Byte by byte: a Swift character may be a quote with an accent on it, which a browser takes for a quote.
  static func escaped(_ text: String) -> String {
    guard text.utf8.contains(where: { replacement($0) != nil }) else { return text }
    var out: [UInt8] = []
    out.reserveCapacity(text.utf8.count + text.utf8.count / 8)
    for byte in text.utf8 {
      if let replacement = replacement(byte) { out.append(contentsOf: replacement.utf8) } else { out.append(byte) }
    }
    return String(decoding: out, as: UTF8.self)
  }

  private static func replacement(_ byte: UInt8) -> StaticString? {
    switch byte {
    case UInt8(ascii: "&"): "&amp;"
    case UInt8(ascii: "<"): "&lt;"
    case UInt8(ascii: ">"): "&gt;"
    case UInt8(ascii: "\""): "&quot;"
    case UInt8(ascii: "'"): "&#39;"
    default: nil
    }
  }
}

extension StaticString {
  fileprivate var utf8: UnsafeBufferPointer<UInt8> {
    UnsafeBufferPointer(start: utf8Start, count: utf8CodeUnitCount)
  }
}

/// What a template is filled with. Text is escaped when it gets in here, once and by bytes, so templates take values as
/// they are, in three braces: the escaping of the template library goes by characters, and lets `"` with an accent by.
struct PageData {
  private(set) var values: [String: Any] = [:]

  init() {}

  init(_ texts: [String: String]) {
    for (name, text) in texts { self[name] = text }
  }

  /// Text of unknown origin; sections of a name that has nil are left out.
  subscript(_ name: String) -> String? {
    get { values[name] as? String }
    set { values[name] = newValue.map { HTML(escaping: $0).text } ?? Nothing() as Any }
  }

  /// The same with its lines.
  subscript(lines name: String) -> String? {
    get { values[name] as? String }
    set { values[name] = newValue.map { HTML(escaping: $0, keepingLines: true).text } ?? Nothing() as Any }
  }

  subscript(html name: String) -> HTML? {
    get { (values[name] as? String).map { HTML($0) } }
    set { values[name] = newValue?.text ?? Nothing() as Any }
  }

  subscript(flag name: String) -> Bool {
    get { values[name] as? Bool ?? false }
    set { values[name] = newValue }
  }

  subscript(list name: String) -> [PageData] {
    get { [] }
    set {
      values[name] = newValue.map(\.values)
      // Mustache has no test for an empty list around it.
      values[name + "?"] = !newValue.isEmpty
    }
  }

  subscript(part name: String) -> PageData? {
    get { nil }
    set { values[name] = newValue?.values ?? Nothing() as Any }
  }

  /// A name that was given no value. One that is not there at all would be looked for further out.
  private struct Nothing: MustacheCustomRenderable {
    var renderText: String { "" }
    var isNull: Bool { true }
  }
}
