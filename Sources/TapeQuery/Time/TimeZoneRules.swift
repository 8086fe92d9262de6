internal import TapeTypes

#if canImport(Glibc)
  internal import Glibc
#else
  internal import Darwin
#endif

/// By how much a place's clocks were ahead of UTC, and when.
///
/// Read from the system's zone files, so that asking by day in a zone needs no ICU.
/// Source: RFC 8536 (TZif).
package struct TimeZoneRules: Sendable, Equatable {
  package static let utc = TimeZoneRules(name: "UTC")

  /// IANA name, e.g. `Europe/Amsterdam`.
  package let name: String
  /// Seconds since 1970 at which another offset begins, rising.
  private var transitions: [Int64] = []
  /// The offset from the transition of the same index on.
  private var offsets: [Int] = []
  /// The offset before the first transition.
  private var firstOffset = 0
  /// What holds after the last transition.
  private var rule: PosixTimeZone?

  private init(name: String) { self.name = name }

  /// The rules of a zone.
  ///
  /// - Throws: `TapeError` `.usage` if the system knows no zone of this name.
  package init(named name: String) throws {
    if ["UTC", "utc", "Z", "Etc/UTC", "GMT"].contains(name) {
      self = .utc
      return
    }
    let known = name.utf8.allSatisfy { byte in
      switch byte {
      case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2B, 0x2D, 0x2F, 0x5F: true
      default: false
      }
    }
    let directory = getenv("TZDIR").map { String(cString: $0) } ?? "/usr/share/zoneinfo"
    guard known, !name.isEmpty, !name.hasPrefix("/"), let bytes = Self.read("\(directory)/\(name)"),
      let rules = TimeZoneRules(name: name, file: bytes)
    else {
      throw TapeError(
        .usage, "there is no time zone '\(name)' in \(directory): give an IANA name such as Europe/Amsterdam or UTC")
    }
    self = rules
  }

  /// Seconds to add to UTC.
  package func offset(at seconds: Int64) -> Int {
    if let last = transitions.last, seconds < last || rule == nil {
      // The last transition at or before `seconds`.
      var (low, high) = (0, transitions.count)
      while low < high {
        let middle = (low + high) / 2
        if transitions[middle] <= seconds { low = middle + 1 } else { high = middle }
      }
      return low == 0 ? firstOffset : offsets[low - 1]
    }
    return rule?.offset(at: seconds) ?? firstOffset
  }

  /// What the clocks show at a moment.
  package func civil(at seconds: Int64) -> CivilTime { CivilTime(seconds: seconds + Int64(offset(at: seconds))) }

  /// The moment at which the clocks show `time`: the first one if they do twice; if they skip it, the moment that
  /// is as long after the jump.
  package func seconds(of time: CivilTime) -> Int64 {
    let local = time.seconds
    let candidates = [local - 86_400, local + 86_400].map { local - Int64(offset(at: $0)) }
    let hits = candidates.filter { $0 + Int64(offset(at: $0)) == local }
    return hits.min() ?? candidates[0]
  }

  private static func read(_ path: String) -> [UInt8]? {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    var bytes = [UInt8](repeating: 0, count: 1 << 20)
    let count = bytes.withUnsafeMutableBytes { readBytes(descriptor, $0) }
    return count > 0 ? Array(bytes.prefix(count)) : nil
  }
}

extension TimeZoneRules {
  /// Reads a TZif file of version 2 or later; nil if it is none.
  init?(name: String, file: [UInt8]) {
    guard file.count > 44, file.starts(with: Array("TZif".utf8)), file[4] >= 0x32 else { return nil }
    self.init(name: name)
    // The first block has 32-bit times, for readers of version 1: skip it.
    guard let first = TZifHeader(file[...]), let second = TZifHeader(file.dropFirst(first.totalBytes(timeBytes: 4)))
    else { return nil }
    var bytes = file.dropFirst(first.totalBytes(timeBytes: 4) + 44)
    guard bytes.count >= second.totalBytes(timeBytes: 8) - 44 else { return nil }
    let times = (0..<second.times).map { Self.integer(bytes, $0 * 8, 8) }
    bytes = bytes.dropFirst(second.times * 8)
    let kinds = bytes.prefix(second.times)
    bytes = bytes.dropFirst(second.times)
    let typeOffsets = (0..<second.types).map { Int(Self.integer(bytes, $0 * 6, 4)) }
    guard let initial = typeOffsets.first, kinds.allSatisfy({ Int($0) < typeOffsets.count }) else { return nil }
    transitions = times
    offsets = kinds.map { typeOffsets[Int($0)] }
    firstOffset = initial
    let rest = file.dropFirst(first.totalBytes(timeBytes: 4) + second.totalBytes(timeBytes: 8))
    rule = PosixTimeZone(Array(rest.drop { $0 == 0x0A }.prefix { $0 != 0x0A }))
  }

  /// A big-endian signed integer.
  private static func integer(_ bytes: ArraySlice<UInt8>, _ offset: Int, _ width: Int) -> Int64 {
    let start = bytes.startIndex + offset
    let raw = bytes[start..<start + width].reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    return width == 4 ? Int64(Int32(truncatingIfNeeded: raw)) : Int64(bitPattern: raw)
  }
}

/// The counts at the head of a TZif block.
private struct TZifHeader {
  var utFlags, standardFlags, leaps, times, types, characters: Int

  init?(_ bytes: ArraySlice<UInt8>) {
    guard bytes.count >= 44, bytes.starts(with: Array("TZif".utf8)) else { return nil }
    let counts = (0..<6).map { index in
      let start = bytes.startIndex + 20 + index * 4
      return bytes[start..<start + 4].reduce(0) { $0 << 8 | Int($1) }
    }
    guard counts.allSatisfy({ $0 < 1 << 20 }) else { return nil }
    (utFlags, standardFlags, leaps) = (counts[0], counts[1], counts[2])
    (times, types, characters) = (counts[3], counts[4], counts[5])
  }

  /// Header and data together.
  func totalBytes(timeBytes: Int) -> Int {
    44 + times * timeBytes + times + types * 6 + characters + leaps * (timeBytes + 4) + standardFlags + utFlags
  }
}

private func readBytes(_ descriptor: Int32, _ buffer: UnsafeMutableRawBufferPointer) -> Int {
  read(descriptor, buffer.baseAddress, buffer.count)
}
