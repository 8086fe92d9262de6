internal import TapeTypes

/// Spans of time as flags take them.
package enum Durations {
  /// ns of `500ms`, `2s`, `5m`, `1.5h`, `90d`; a bare number is seconds.
  ///
  /// - Throws: `TapeError` `.usage` naming the flag.
  package static func nanoseconds(_ text: String, flag: String) throws -> Int64 {
    let isBare = text.utf8.last.map { $0 >= 0x30 && $0 <= 0x39 } ?? false
    do {
      return try TimeParser.duration(isBare ? text + "s" : text)
    } catch let error as TapeError {
      throw TapeError(.usage, "\(flag): \(error.description)")
    }
  }

  /// The same of an age beyond which something is removed for good. Its unit has to be there: who writes `90` may well mean
  /// days, and seconds would be nearly everything.
  ///
  /// - Throws: `TapeError` `.usage` naming the flag.
  package static func age(_ text: String, flag: String) throws -> Int64 {
    guard let last = text.utf8.last, !(0x30...0x39).contains(last) else {
      throw TapeError(.usage, "\(flag): '\(text)' needs a unit: ms, s, m, h or d, such as 90d")
    }
    return try nanoseconds(text, flag: flag)
  }
}
