/// Says where the next piece of a text ends, from what follows and from how such text was split before. Part of the
/// format: `schema/archive.md` has the rules, and an example that the tests run.
///
/// The text is read in units: a word with the space before it, a run of digits, of line ends, of other signs, or one
/// ideograph. A piece mostly is one unit; where it was less, that is remembered under the unit's hash.
final class CutPredictor {
  /// Learned lengths by the hash of a unit; 0 where nothing was learned.
  private let table = UnsafeMutablePointer<UInt8>.allocate(capacity: 1 << 16)

  init() { table.initialize(repeating: 0, count: 1 << 16) }

  deinit { table.deallocate() }

  struct Unit {
    var length: Int
    fileprivate var slot: Int
  }

  private enum Kind: UInt8 { case word, digit, lineEnd, ideograph, space, sign }

  private static let longestUnit = 32

  /// The unit at `position`, which is before the text's end.
  @inline(__always)
  static func unit(_ text: UnsafeBufferPointer<UInt8>, _ position: Int) -> Unit {
    var end = position
    var hash: UInt32 = 0x811C_9DC5
    if text[position] == 0x20, position + 1 < text.count, text[position + 1] != 0x20 {
      end += 1
      hash = (hash ^ 0x20) &* 0x0100_0193
    }
    var kind: Kind?
    while end < text.count {
      let (next, length) = atom(text, end)
      if let kind, kind != next { break }
      guard end + length - position <= longestUnit else { break }
      for offset in 0..<length {
        hash = (hash ^ UInt32(next == .digit ? 0x30 : text[end + offset])) &* 0x0100_0193
      }
      end += length
      if next == .ideograph { break }
      kind = next
    }
    return Unit(length: end - position, slot: Int((hash >> 16 ^ hash) & 0xFFFF))
  }

  /// Kind and length of the smallest part at `position`.
  @inline(__always)
  private static func atom(_ text: UnsafeBufferPointer<UInt8>, _ position: Int) -> (Kind, Int) {
    let byte = text[position]
    if byte < 0x80 {
      if byte | 0x20 >= 0x61, byte | 0x20 <= 0x7A { return (.word, 1) }
      if byte == 0x20 { return (.space, 1) }
      if byte >= 0x30, byte <= 0x39 { return (.digit, 1) }
      guard byte == 0x5C, position + 1 < text.count else { return (.sign, 1) }
      return escape(text, position)
    }
    let left = text.count - position
    if byte < 0xE0 { return (.word, min(2, left)) }
    if byte < 0xE2 { return (.word, min(3, left)) }
    if byte == 0xE2 { return (.sign, min(3, left)) }
    return (.ideograph, min(byte < 0xF0 ? 3 : 4, left))
  }

  private static func escape(_ text: UnsafeBufferPointer<UInt8>, _ position: Int) -> (Kind, Int) {
    switch text[position + 1] {
    case 0x6E, 0x72, 0x74: return (.lineEnd, 2)
    case 0x75 where position + 6 <= text.count:
      switch text[position + 2] {
      case 0x30, 0x31: return (.word, 6)
      case 0x32: return (.sign, 6)
      default: return (.ideograph, 6)
      }
    default: return (.sign, 2)
    }
  }

  /// Length of the piece that is expected at a unit.
  @inline(__always)
  func prediction(_ unit: Unit) -> Int {
    let learned = Int(table[unit.slot])
    return learned > 0 && learned < unit.length ? learned : unit.length
  }

  /// The piece at this unit was no longer than it, and not as expected.
  @inline(__always)
  func learn(_ unit: Unit, length: Int) { table[unit.slot] = UInt8(length) }
}
