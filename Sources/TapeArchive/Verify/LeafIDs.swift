internal import TapeTypes

/// Which ids come more than once, in eight bytes an id while they go by: an archive may have millions.
struct LeafIDs {
  /// The part of each id that is random; of two ids that share it the whole is looked at later.
  private var keys: [UInt64] = []

  mutating func append(_ id: CallID) { keys.append(id.low) }

  /// What is known when all have gone by: ids with one of these keys may have come more than once.
  consuming func repeated() -> Set<UInt64> {
    keys.sort()
    var repeated: Set<UInt64> = []
    for index in keys.indices.dropFirst() where keys[index] == keys[index - 1] { repeated.insert(keys[index]) }
    return repeated
  }
}
