internal import TapeJSON

/// How values read on a page; nil for what is not known.
enum Show {
  /// `1,234,567`
  static func count(_ value: JSONValue?) -> String? { value?.integer.map(count) }

  static func count(_ number: Int) -> String {
    let digits = Array(String(number.magnitude).utf8)
    var out: [UInt8] = number < 0 ? Array("−".utf8) : []
    for (index, digit) in digits.enumerated() {
      if index > 0, (digits.count - index) % 3 == 0 { out.append(0x2C) }
      out.append(digit)
    }
    return String(decoding: out, as: UTF8.self)
  }

  static func calls(_ number: Int) -> String { "\(count(number)) \(number == 1 ? "call" : "calls")" }

  static func number(_ value: JSONValue?) -> Double? {
    switch value {
    case .number(let text), .string(let text): Double(text)
    default: nil
    }
  }

  /// Milliseconds: `0.8 ms`, `420 ms`, `1.24 s`, `2 min 5 s`.
  static func duration(_ value: JSONValue?) -> String? { number(value).map(duration) }

  static func duration(_ ms: Double) -> String {
    let size = abs(ms)
    if size < 9.95 { return "\(fixed(ms, 1)) ms" }
    if size < 999.5 { return "\(fixed(ms, 0)) ms" }
    if size < 59_950 { return "\(fixed(ms / 1000, size < 9_995 ? 2 : 1)) s" }
    let seconds = Int((ms / 1000).rounded())
    if seconds < 3600 { return "\(seconds / 60) min \(seconds % 60) s" }
    return "\(seconds / 3600) h \(seconds % 3600 / 60) min"
  }

  /// `$1,234.57` from a dollar on, below it four digits that count. What it is exactly is for a title.
  static func usd(_ value: JSONValue?) -> String? {
    guard let amount = number(value) else { return nil }
    if amount == 0 { return "$0" }
    let size = abs(amount)
    let sign = amount < 0 ? "−" : ""
    if size >= 1 {
      let cents = Int((size * 100).rounded())
      let rest = cents % 100
      return "\(sign)$\(count(cents / 100)).\(rest < 10 ? "0" : "")\(rest)"
    }
    var (decimals, scale) = (0, 1.0)
    while size * scale < 1000, decimals < 12 {
      decimals += 1
      scale *= 10
    }
    var digits = String(Int((size * scale).rounded()))
    digits = String(repeating: "0", count: max(0, decimals - digits.count)) + digits
    if digits.count > decimals { return "\(sign)$1.00" }
    while digits.hasSuffix("0") { digits.removeLast() }
    return "\(sign)$0.\(digits)"
  }

  /// `1.2 MB`
  static func bytes(_ value: JSONValue?) -> String? { value?.integer.map(bytes) }

  static func bytes(_ bytes: Int) -> String {
    var (size, names) = (Double(bytes), ["B", "kB", "MB", "GB", "TB"][...])
    while abs(size) >= 999.5, names.count > 1 {
      size /= 1000
      names.removeFirst()
    }
    let isWhole = names.first == "B" || abs(size) >= 99.95
    return "\(fixed(size, isWhole ? 0 : 1)) \(names.first ?? "")"
  }

  /// `2026-11-20 12:00:00`, in UTC.
  static func time(_ value: JSONValue?) -> String? {
    guard let text = value?.string, text.utf8.count >= 19 else { return value?.string }
    let second = text.prefix(19)
    return second.prefix(10) + " " + second.dropFirst(11)
  }

  /// A share as percent.
  static func share(_ part: Int, of whole: Int) -> String? {
    guard whole > 0 else { return nil }
    let percent = Double(part) / Double(whole) * 100
    return part == 0 ? "0%" : percent < 0.1 ? "<0.1%" : "\(fixed(percent, percent < 9.95 ? 1 : 0))%"
  }

  static func fixed(_ value: Double, _ decimals: Int) -> String {
    let scale = (0..<decimals).reduce(1.0) { scale, _ in scale * 10 }
    // What is beyond all bounds is shown as the last that is not.
    let scaled = Int(max(-9e15, min(9e15, value * scale)).rounded())
    let (whole, fraction) = (scaled.magnitude / UInt(scale), scaled.magnitude % UInt(scale))
    let sign = scaled < 0 ? "−" : ""
    guard decimals > 0 else { return sign + count(Int(whole)) }
    let digits = String(fraction)
    return "\(sign)\(count(Int(whole)))." + String(repeating: "0", count: decimals - digits.count) + digits
  }

  /// The beginning of a text that may have any length.
  static func cut(_ text: String, to characters: Int = 200) -> String {
    guard text.utf8.count > characters else { return text }
    let head = String(text.unicodeScalars.prefix(characters))
    return head.utf8.count < text.utf8.count ? head + "…" : text
  }

  /// For attributes of SVG: no grouping, a point.
  static func plain(_ value: Double, _ decimals: Int = 2) -> String {
    fixed(value, decimals).split(separator: ",").joined().split(separator: "−", omittingEmptySubsequences: false)
      .joined(separator: "-")
  }
}

extension JSONValue {
  /// The member of a member; nil for none, and for null.
  func at(_ path: String...) -> JSONValue? {
    let found = path.reduce(Optional(self)) { $0?[$1] }
    return found?.isNull == true ? nil : found
  }

  /// Text as it is, other values as JSON; nil for null.
  var shown: String? {
    switch self {
    case .null: nil
    case .string(let text): text
    default: compactString
    }
  }
}
