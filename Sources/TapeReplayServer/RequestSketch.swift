internal import TapeJSON

/// A few of the hashes of a request's values and words: of requests that have much in common, the same few.
///
/// The smallest of all hashes (a bottom-k sketch), so that what is in common of the sketches estimates what is in
/// common of the requests. Kept of every recording, to find the nearest one without reading them all.
struct RequestSketch: Sendable, Equatable {
  static let size = 24

  /// Rising.
  private(set) var hashes: [UInt32] = []

  /// - Parameter value: canonical.
  init(_ value: JSONValue) {
    var all: [UInt32] = []
    Self.walk(value, path: 0xCBF2_9CE4_8422_2325, &all)
    hashes = Self.smallest(&all)
  }

  init(text: [UInt8]) {
    var all: [UInt32] = []
    Self.words(text[...], path: 0, &all)
    hashes = Self.smallest(&all)
  }

  /// Each once.
  private static func smallest(_ all: inout [UInt32]) -> [UInt32] {
    all.sort()
    var hashes: [UInt32] = []
    hashes.reserveCapacity(size)
    for hash in all where hash != hashes.last {
      hashes.append(hash)
      if hashes.count == size { break }
    }
    return hashes
  }

  /// How many hashes the sketch has in common with one that lies in an array, filled up with `UInt32.max`.
  func common(with other: ArraySlice<UInt32>) -> Int {
    var count = 0
    var position = other.startIndex
    for hash in hashes {
      while position < other.endIndex, other[position] < hash { position += 1 }
      if position == other.endIndex { break }
      if other[position] == hash { count += 1 }
    }
    return count
  }

  private static func walk(_ value: JSONValue, path: UInt64, _ all: inout [UInt32]) {
    switch value {
    case .object(let members):
      for member in members { walk(member.value, path: hash(member.key.utf8, path), &all) }
    case .array(let elements):
      for (index, element) in elements.enumerated() {
        walk(element, path: hash(CollectionOfOne(UInt8(truncatingIfNeeded: index)), path), &all)
      }
    case .string(let text): words(text.utf8, path: path, &all)
    case .number(let text): all.append(folded(hash(text.utf8, path)))
    case .bool(let isTrue): all.append(folded(hash(CollectionOfOne(isTrue ? 1 : 2), path)))
    case .null: all.append(folded(hash(CollectionOfOne(3), path)))
    }
  }

  /// A text by its words, so that one that is much like it has most of them.
  private static func words(_ text: some Sequence<UInt8>, path: UInt64, _ all: inout [UInt32]) {
    var word = path &* prime
    var isInWord = false
    for byte in text.prefix(mostText) {
      if byte > 0x20 {
        word = (word ^ UInt64(byte)) &* prime
        isInWord = true
      } else if isInWord {
        all.append(folded(word))
        (word, isInWord) = (path &* prime, false)
      }
    }
    if isInWord { all.append(folded(word)) }
  }

  private static let mostText = 64 << 10

  /// FNV-1a.
  private static func hash(_ bytes: some Sequence<UInt8>, _ start: UInt64) -> UInt64 {
    bytes.reduce(start &* prime) { ($0 ^ UInt64($1)) &* prime }
  }

  private static let prime: UInt64 = 0x100_0000_01B3

  private static func folded(_ hash: UInt64) -> UInt32 {
    // FNV's low bits are its better ones, and the smallest are what is kept: mix.
    var mixed = hash
    mixed ^= mixed >> 33
    mixed &*= 0xFF51_AFD7_ED55_8CCD
    mixed ^= mixed >> 33
    return min(UInt32(truncatingIfNeeded: mixed), .max - 1)
  }
}
