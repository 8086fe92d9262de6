internal import TapeQuery
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
}
