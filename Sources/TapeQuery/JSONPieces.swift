internal import TapeDialects
internal import TapeJSON
internal import TapePricing
internal import TapeTypes

/// Small pieces that several of the JSON objects are made of.
enum JSONPieces {
  /// ns as a number of milliseconds, exactly.
  static func milliseconds(_ ns: Int64?) -> JSONValue { ns.map { .number(millisecondsText($0)) } ?? .null }

  static func millisecondsText(_ ns: Int64) -> String {
    DecimalText.trimmed(UInt128(ns.magnitude), isNegative: ns < 0, places: 6)
  }

  static func strings(_ texts: [String]) -> JSONValue { .array(texts.map { .string($0) }) }

  static func defects(_ defects: [Defect]) -> JSONValue {
    .array(
      defects.map { defect in
        .object([
          .init("kind", .string(defect.kind.rawValue)), .init("frame", .int(defect.frame)),
          .init("message", .string(defect.message)),
        ])
      })
  }

  static func error(message: String?, code: JSONValue, source: String?, frame: Int?) -> JSONValue {
    guard let message else { return .null }
    return .object([
      .init("message", .string(message)), .init("code", code), .init("source", .string(source)),
      .init("frame", .int(frame)),
    ])
  }

  /// Bytes as base64 (RFC 4648 §4).
  static func base64(_ bytes: [UInt8]) -> String {
    let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
    var text: [UInt8] = []
    text.reserveCapacity((bytes.count + 2) / 3 * 4)
    for start in stride(from: 0, to: bytes.count, by: 3) {
      let group = bytes[start..<min(start + 3, bytes.count)]
      let bits = group.reduce(UInt32(0)) { $0 << 8 | UInt32($1) } << UInt32((3 - group.count) * 8)
      for position in 0..<4 {
        text.append(position <= group.count ? alphabet[Int(bits >> UInt32(18 - position * 6)) & 63] : 0x3D)
      }
    }
    return String(decoding: text, as: UTF8.self)
  }
}

/// The token counts of a call, wherever they were read from.
struct TokenCounts {
  var prompt: Int?
  var completion: Int?
  var total: Int?
  var cached: Int?
  var reasoning: Int?
  var frame: Int?

  /// nil unless both are known.
  var promptAndCompletion: Int? {
    guard let prompt, let completion else { return nil }
    let (sum, overflow) = prompt.addingReportingOverflow(completion)
    return overflow ? nil : sum
  }

  var json: JSONValue {
    .object([
      .init("prompt_tokens", .int(prompt)), .init("completion_tokens", .int(completion)),
      .init("total_tokens", .int(total)), .init("cached_tokens", .int(cached)),
      .init("reasoning_tokens", .int(reasoning)), .init("frame", .int(frame)),
    ])
  }
}
