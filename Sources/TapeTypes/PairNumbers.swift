/// Numbers pairs of numbers from 0 in the order in which they first come: a table for sums over millions of calls, where
/// hashing by the standard library was most of the work.
public struct PairNumbers: Sendable {
  public struct Pair: Sendable, Equatable {
    public let first: Int
    public let second: Int

    @inlinable public init(first: Int, second: Int) {
      self.first = first
      self.second = second
    }
  }

  /// The pairs by their numbers.
  @usableFromInline package internal(set) var pairs: [Pair] = []
  /// The numbers by hash, -1 for none; linear probing, at most half full. A power of two of them.
  @usableFromInline var slots = [Int32](repeating: -1, count: 16)

  public init() {}

  package var count: Int { pairs.count }

  /// The number of a pair; `count` as it was before if it is new. No more than 2³⁰ pairs.
  @inlinable public mutating func number(_ first: Int, _ second: Int) -> Int {
    var slot = Self.hash(first, second) & (slots.count - 1)
    while slots[slot] >= 0 {
      let number = Int(slots[slot])
      if pairs[number].first == first, pairs[number].second == second { return number }
      slot = (slot + 1) & (slots.count - 1)
    }
    slots[slot] = Int32(pairs.count)
    pairs.append(Pair(first: first, second: second))
    if pairs.count * 2 > slots.count { grow() }
    return pairs.count - 1
  }

  @usableFromInline mutating func grow() {
    slots = [Int32](repeating: -1, count: slots.count * 4)
    for (number, pair) in pairs.enumerated() {
      var slot = Self.hash(pair.first, pair.second) & (slots.count - 1)
      while slots[slot] >= 0 { slot = (slot + 1) & (slots.count - 1) }
      slots[slot] = Int32(number)
    }
  }

  @inlinable static func hash(_ first: Int, _ second: Int) -> Int {
    let mixed = (UInt(bitPattern: first) &* 0x9E37_79B9_7F4A_7C15) ^ UInt(bitPattern: second)
    let spread = mixed.multipliedFullWidth(by: 0xD6E8_FEB8_6659_FD93)
    return Int(bitPattern: spread.high ^ spread.low)
  }
}
