internal import TapeTypes

/// Numbers of bytes as flags have them.
package enum ByteCounts {
  private static let units: [(name: String, bytes: Int)] = [
    ("", 1), ("b", 1), ("k", 1 << 10), ("m", 1 << 20), ("g", 1 << 30), ("t", 1 << 40), ("kib", 1 << 10),
    ("mib", 1 << 20), ("gib", 1 << 30), ("tib", 1 << 40), ("kb", 1_000), ("mb", 1_000_000), ("gb", 1_000_000_000),
    ("tb", 1_000_000_000_000),
  ]

  /// Bytes of `50G`, `512MiB`, `10GB`: K, M, G and T are powers of 1024, KB and so on powers of 1000.
  ///
  /// - Throws: `TapeError` `.usage` naming the flag.
  package static func bytes(_ text: String, flag: String) throws -> Int {
    let digits = text.prefix { $0.isNumber }
    let unit = text.dropFirst(digits.count).lowercased().filter { $0 != " " }
    guard let number = Int(digits), let scale = units.first(where: { $0.name == unit })?.bytes else {
      throw TapeError(.usage, "\(flag) takes a number of bytes such as 50G, 512MiB or 10GB, not '\(text)'")
    }
    let (bytes, overflow) = number.multipliedReportingOverflow(by: scale)
    guard !overflow else { throw TapeError(.usage, "\(flag): \(text) is more than there is") }
    return bytes
  }
}
