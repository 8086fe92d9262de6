/// Texts as UTF-8, one after the other in one piece of memory: thousands of them are read without making a `String` of
/// each.
public struct TextList: Sendable {
  @usableFromInline var bytes: [UInt8] = []
  /// Where each ends.
  @usableFromInline var ends: [Int] = []

  package init() {}

  @inlinable public var count: Int { ends.count }

  @inlinable public var indices: Range<Int> { ends.indices }

  /// - Parameter text: UTF-8; what is none becomes U+FFFD when it is read.
  @inlinable public mutating func append(_ text: UnsafeRawBufferPointer) {
    bytes.append(contentsOf: text)
    ends.append(bytes.count)
  }

  package mutating func reserve(texts: Int, bytes count: Int) {
    ends.reserveCapacity(texts)
    bytes.reserveCapacity(count)
  }

  package subscript(_ place: Int) -> String { withBytes(of: place) { String(decoding: $0, as: UTF8.self) } }

  @inlinable public func withBytes<Result>(of place: Int, _ body: (UnsafeRawBufferPointer) -> Result) -> Result {
    bytes.withUnsafeBytes {
      body(UnsafeRawBufferPointer(rebasing: $0[(place == 0 ? 0 : ends[place - 1])..<ends[place]]))
    }
  }

  /// The place of a text, by its bytes; nil if it is not here.
  package func place(of text: String) -> Int? {
    var text = text
    return text.withUTF8 { text in
      indices.first { withBytes(of: $0) { $0.elementsEqual(UnsafeRawBufferPointer(text)) } }
    }
  }

  package var strings: [String] { indices.map { self[$0] } }
}

/// Numbers texts from 0 in the order in which they first come: a table for sums over millions of calls, where hashing by
/// the standard library was a tenth of the work. Texts are the same if their bytes are, as SQLite has it; characters that
/// can be written in two ways are two.
package struct TextNumbers: Sendable {
  /// The texts by their numbers.
  package private(set) var texts = TextList()
  /// For each slot half of a hash, and the number of the text that has it, or -1; linear probing, at most half full. A
  /// power of two of them.
  private var slots = [Slot](repeating: Slot(), count: 16)
  /// Texts were recorded, and nobody may choose them so that all have one hash.
  private let seed: UInt64

  private struct Slot {
    var hash: UInt32 = 0
    var number: Int32 = -1
  }

  package init() {
    var random = SystemRandomNumberGenerator()
    seed = random.next()
  }

  package mutating func number(_ text: String) -> Int {
    var text = text
    return text.withUTF8 { number(UnsafeRawBufferPointer($0)) }
  }

  /// The number of a text; `texts.count` as it was before if it is new. No more than 2³⁰ texts.
  package mutating func number(_ text: UnsafeRawBufferPointer) -> Int {
    let hash = hash(text)
    let high = UInt32(truncatingIfNeeded: hash >> 32)
    let known: (slot: Int, number: Int) = slots.withUnsafeBufferPointer { slots in
      var slot = Int(truncatingIfNeeded: hash) & (slots.count - 1)
      while slots[slot].number >= 0 {
        let number = Int(slots[slot].number)
        if slots[slot].hash == high, texts.withBytes(of: number, { $0.hasSameBytes(as: text) }) {
          return (slot, number)
        }
        slot = (slot + 1) & (slots.count - 1)
      }
      return (slot, -1)
    }
    if known.number >= 0 { return known.number }
    slots[known.slot] = Slot(hash: high, number: Int32(texts.count))
    texts.append(text)
    if texts.count * 2 > slots.count { grow() }
    return texts.count - 1
  }

  private mutating func grow() {
    slots = [Slot](repeating: Slot(), count: slots.count * 4)
    for number in texts.indices {
      let hash = texts.withBytes(of: number) { self.hash($0) }
      var slot = Int(truncatingIfNeeded: hash) & (slots.count - 1)
      while slots[slot].number >= 0 { slot = (slot + 1) & (slots.count - 1) }
      slots[slot] = Slot(hash: UInt32(truncatingIfNeeded: hash >> 32), number: Int32(number))
    }
  }

  private func hash(_ text: UnsafeRawBufferPointer) -> UInt64 {
    var mixed = seed ^ UInt64(text.count)
    var place = 0
    while place < text.count {
      let word = text.word(at: place)
      let product = (mixed ^ word).multipliedFullWidth(by: 0x9E37_79B9_7F4A_7C15 ^ seed)
      mixed = product.high ^ product.low &+ word
      place += 8
    }
    return mixed ^ mixed >> 32
  }
}

extension UnsafeRawBufferPointer {
  /// Eight bytes, or those that are left.
  fileprivate func word(at place: Int) -> UInt64 {
    if count - place >= 8 { return loadUnaligned(fromByteOffset: place, as: UInt64.self) }
    var word: UInt64 = 0
    for place in place..<count { word = word << 8 | UInt64(self[place]) }
    return word
  }

  fileprivate func hasSameBytes(as other: UnsafeRawBufferPointer) -> Bool {
    guard count == other.count else { return false }
    var place = 0
    while place < count {
      if word(at: place) != other.word(at: place) { return false }
      place += 8
    }
    return true
  }
}
