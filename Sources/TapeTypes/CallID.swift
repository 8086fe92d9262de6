/// The name of one call: a ULID, 48 bits of milliseconds since 1970 and 80 random bits,
/// written as 26 Crockford base-32 characters. Ids of one writer sort in start order.
///
/// Source: <https://github.com/ulid/spec>.
public struct CallID: Hashable, Comparable, Sendable, CustomStringConvertible, LosslessStringConvertible {
  /// The upper 64 of the 128 bits.
  public let high: UInt64
  /// The lower 64 of the 128 bits.
  public let low: UInt64

  public init(high: UInt64, low: UInt64) {
    self.high = high
    self.low = low
  }

  /// A new id for a call that starts at `milliseconds` since 1970; only the lower 48 bits are kept.
  public init(milliseconds: UInt64, using generator: inout some RandomNumberGenerator) {
    let random16 = UInt64.random(in: 0...0xFFFF, using: &generator)
    high = (milliseconds & 0xFFFF_FFFF_FFFF) << 16 | random16
    low = UInt64.random(in: 0...UInt64.max, using: &generator)
  }

  public init(milliseconds: UInt64) {
    var generator = SystemRandomNumberGenerator()
    self.init(milliseconds: milliseconds, using: &generator)
  }

  /// Reads 26 Crockford characters in either case; nil for anything else, also for values over 128 bits.
  public init?(_ text: String) {
    guard text.utf8.count == 26 else { return nil }
    var high: UInt64 = 0
    var low: UInt64 = 0
    for (position, byte) in text.utf8.enumerated() {
      guard let digit = Self.digit(byte), position > 0 || digit < 8 else { return nil }
      high = high << 5 | low >> 59
      low = low << 5 | UInt64(digit)
    }
    self.high = high
    self.low = low
  }

  /// The start time in the id, milliseconds since 1970.
  public var milliseconds: UInt64 { high >> 16 }

  public var description: String {
    var bytes = [UInt8](repeating: 0, count: 26)
    var (high, low) = (high, low)
    for position in stride(from: 25, through: 0, by: -1) {
      bytes[position] = Self.alphabet[Int(low & 31)]
      low = low >> 5 | high << 59
      high >>= 5
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  public static func < (left: CallID, right: CallID) -> Bool {
    (left.high, left.low) < (right.high, right.low)
  }

  private static let alphabet = Array("0123456789ABCDEFGHJKMNPQRSTVWXYZ".utf8)

  private static func digit(_ byte: UInt8) -> UInt8? {
    let upper = byte >= 0x61 && byte <= 0x7A ? byte - 32 : byte
    return alphabet.firstIndex(of: upper).map(UInt8.init)
  }
}
