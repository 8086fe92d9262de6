package import TapeTypes

/// What a tombstone keeps of a call's usage, as one canonical JSON object: made by who can read streams.
package typealias UsageKeeper = @Sendable (RecordedCall) -> [UInt8]

/// The calls that are to become tombstones, and how.
struct Erasing: Sendable {
  let list: ErasureList
  /// Wall clock, ns since 1970.
  let nowNs: Int64
  let keeper: UsageKeeper?

  static let nothing = Erasing(list: ErasureList(), nowNs: 0, keeper: nil)

  func wants(_ id: CallID) -> Bool { list[id] != nil && !mustWait(id) }

  /// Its usage is to be kept, and nobody here can tell it.
  func mustWait(_ id: CallID) -> Bool { keeper == nil && list[id]?.keepsUsage == true }

  func tombstone(of call: RecordedCall, leafHash: [UInt8]) -> Tombstone {
    let keeps = list[call.open.id]?.keepsUsage == true
    return Tombstone(
      id: call.open.id, startedAtNs: call.open.startedAtNs, leafHash: leafHash, erasedAtNs: nowNs,
      kept: keeps ? keeper?(call) : nil)
  }

  /// What takes an item's place; nil if it stays. A tombstone loses what it kept if that is to go too.
  func replacement(for item: SegmentItem, _ leafHash: [UInt8]) -> Tombstone? {
    guard wants(item.id) else { return nil }
    switch item {
    case .call(let call): return tombstone(of: call, leafHash: leafHash)
    case .tombstone(var tombstone):
      guard list[item.id]?.keepsUsage == false, tombstone.kept != nil else { return nil }
      tombstone.kept = nil
      return tombstone
    }
  }
}
