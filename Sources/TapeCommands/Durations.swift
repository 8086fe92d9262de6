internal import TapeTypes

/// Spans of time as flags take them.
package enum Durations {
  /// ns of `500ms`, `2s`, `5m`, `1.5h`, `90d`; a bare number is seconds.
  ///
  /// - Throws: `TapeError` `.usage` naming the flag.
  package static func nanoseconds(_ text: String, flag: String) throws -> Int64 {
    let units: [(String, Double)] = [
      ("ns", 1), ("us", 1e3), ("ms", 1e6), ("s", 1e9), ("m", 60e9), ("h", 3600e9), ("d", 86_400e9), ("", 1e9),
    ]
    for (suffix, unit) in units where text.hasSuffix(suffix) {
      guard let number = Double(text.dropLast(suffix.count)), number >= 0, number * unit < 9e18 else { break }
      return Int64(number * unit)
    }
    throw TapeError(.usage, "\(flag) takes a duration such as 500ms, 2s, 5m or 90d, not '\(text)'")
  }
}
