/// A name in lower case, searched as bytes: `String.contains` is a hundred times as slow, and
/// this runs for every header of every request.
struct AsciiName {
  private let bytes: ArraySlice<UInt8>

  init(_ name: some Collection<UInt8>) { bytes = name.map { $0 >= 0x41 && $0 <= 0x5A ? $0 | 0x20 : $0 }[...] }

  private init(slice: ArraySlice<UInt8>) { bytes = slice }

  var text: String { String(decoding: bytes, as: UTF8.self) }

  /// The parts between `-`, `_`, `.` and spaces.
  var words: [AsciiName] {
    bytes.split { $0 == 0x2D || $0 == 0x5F || $0 == 0x2E || $0 == 0x20 }.map { AsciiName(slice: $0) }
  }

  func equals(_ word: StaticString) -> Bool { bytes.count == word.utf8CodeUnitCount && matches(word, at: 0) }

  func starts(with word: StaticString) -> Bool { bytes.count >= word.utf8CodeUnitCount && matches(word, at: 0) }

  func ends(with word: StaticString) -> Bool {
    bytes.count >= word.utf8CodeUnitCount && matches(word, at: bytes.count - word.utf8CodeUnitCount)
  }

  func contains(_ word: StaticString) -> Bool {
    guard bytes.count >= word.utf8CodeUnitCount else { return false }
    return (0...bytes.count - word.utf8CodeUnitCount).contains { matches(word, at: $0) }
  }

  private func matches(_ word: StaticString, at start: Int) -> Bool {
    bytes.withUnsafeBufferPointer { bytes in
      for offset in 0..<word.utf8CodeUnitCount where bytes[start + offset] != word.utf8Start[offset] { return false }
      return true
    }
  }
}
