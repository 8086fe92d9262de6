/// Numbers texts from 0 in the order in which they first come: a table for sums over millions of calls, where hashing by
/// the standard library was a tenth of the work. Texts are the same if their bytes are, as SQLite has it; characters that
/// can be written in two ways are two.
package struct TextNumbers: Sendable {
  /// The texts by their numbers.
  package private(set) var texts: [String] = []
  /// The numbers by hash, -1 for none; linear probing, at most half full. A power of two of them.
  private var slots = [Int32](repeating: -1, count: 16)
  /// Texts were recorded, and nobody may choose them so that all have one hash.
  private let seed: UInt64

  package init() {
    var random = SystemRandomNumberGenerator()
    seed = random.next()
  }

  /// The number of a text; `texts.count` as it was before if it is new. No more than 2³⁰ texts.
  package mutating func number(_ text: String) -> Int {
    var slot = hash(text) & (slots.count - 1)
    while slots[slot] >= 0 {
      let number = Int(slots[slot])
      if texts[number].hasSameBytes(as: text) { return number }
      slot = (slot + 1) & (slots.count - 1)
    }
    slots[slot] = Int32(texts.count)
    texts.append(text)
    if texts.count * 2 > slots.count { grow() }
    return texts.count - 1
  }

  private mutating func grow() {
    slots = [Int32](repeating: -1, count: slots.count * 4)
    for (number, text) in texts.enumerated() {
      var slot = hash(text) & (slots.count - 1)
      while slots[slot] >= 0 { slot = (slot + 1) & (slots.count - 1) }
      slots[slot] = Int32(number)
    }
  }

  private func hash(_ text: String) -> Int {
    var text = text
    return text.withUTF8 { bytes in
      var mixed = seed ^ UInt64(bytes.count)
      var place = 0
      while place < bytes.count {
        var word: UInt64 = 0
        let count = min(8, bytes.count - place)
        if count == 8 {
          word = UnsafeRawBufferPointer(bytes).loadUnaligned(fromByteOffset: place, as: UInt64.self)
        } else {
          for byte in bytes[place...] { word = word << 8 | UInt64(byte) }
        }
        let product = (mixed ^ word).multipliedFullWidth(by: 0x9E37_79B9_7F4A_7C15 ^ seed)
        mixed = product.high ^ product.low &+ word
        place += count
      }
      return Int(truncatingIfNeeded: mixed ^ mixed >> 32)
    }
  }
}

extension String {
  /// Without regard to what other characters mean the same.
  package func hasSameBytes(as other: String) -> Bool {
    var (left, right) = (self, other)
    return left.withUTF8 { left in right.withUTF8 { right in left.elementsEqual(right) } }
  }
}
