internal import Dispatch
internal import Synchronization
internal import TapeArchive
internal import TapeLoop
internal import TapeTypes

/// The calls of segment blocks that were decoded as a whole, until they are asked for or too old.
///
/// A block is decoded on the thread that asks for it, or ahead on a thread of its own: those who replay a test-suite ask
/// in the order of the recordings, mostly.
final class BlockShelf: Sendable {
  private struct Block {
    let location: CallLocation
    /// Of its file, before it was decoded.
    let status: FileStatus?
    var calls: [CallID: RecordedCall]
    /// Of all its responses.
    let bytes: Int
    var usedNs: Int64
  }

  private struct State {
    var blocks: [Block] = []
    /// The one that is decoded ahead.
    var ahead: CallLocation?

    var bytes: Int { blocks.reduce(0) { $0 + $1.bytes } }
  }

  private let state = Mutex(State())
  private let archive: ArchiveReader
  private let queue = DispatchQueue(label: "tapedeck.replay.ahead", qos: .utility)

  /// Those of two lanes, and the ones behind them …
  private static let most = 4
  /// … but of large ones no more than one beyond this.
  private static let mostBytes = 64 << 20
  /// For so long a block is kept that nobody asks.
  private static let keptNs: Int64 = 1_000_000_000

  init(_ archive: ArchiveReader) { self.archive = archive }

  /// The call, once, if its block is here and its file is what it was.
  func take(_ id: CallID, at location: CallLocation) -> RecordedCall? {
    let status = archive.status(ofFile: location.file)
    return state.withLock { state in
      state.blocks.removeAll { $0.location.file == location.file && $0.status != status }
      guard let index = state.blocks.firstIndex(where: { $0.location == location }) else { return nil }
      state.blocks[index].usedNs = MonotonicClock.nowNs
      return state.blocks[index].calls.removeValue(forKey: id)
    }
  }

  /// Decodes a block that is not here.
  func fetch(_ location: CallLocation) {
    guard !state.withLock({ $0.blocks.contains { $0.location == location } }) else { return }
    let status = archive.status(ofFile: location.file)
    let calls = decoded(location)
    let bytes = calls.values.reduce(0) { $0 + $1.raw.count }
    let block = Block(
      location: location, status: status, calls: calls, bytes: bytes, usedNs: MonotonicClock.nowNs)
    state.withLock { state in
      state.blocks.append(block)
      while state.blocks.count > Self.most || state.blocks.count > 1 && state.bytes > Self.mostBytes {
        let others = state.blocks.indices.filter { state.blocks[$0].location != location }
        guard let oldest = others.min(by: { state.blocks[$0].usedNs < state.blocks[$1].usedNs }) else { return }
        state.blocks.remove(at: oldest)
      }
    }
  }

  /// The same, on another thread.
  func fetchAhead(_ location: CallLocation) {
    let isNew = state.withLock { state in
      guard state.ahead == nil, !state.blocks.contains(where: { $0.location == location }) else { return false }
      state.ahead = location
      return true
    }
    guard isNew else { return }
    queue.async { [self] in
      fetch(location)
      state.withLock { $0.ahead = nil }
    }
  }

  /// Lets go of what nobody has asked for in time.
  func rest() {
    let now = MonotonicClock.nowNs
    state.withLock { $0.blocks.removeAll { now - $0.usedNs >= Self.keptNs } }
  }

  /// Nothing where the block cannot be read as a whole.
  private func decoded(_ location: CallLocation) -> [CallID: RecordedCall] {
    var calls: [CallID: RecordedCall] = [:]
    do {
      try archive.neighbours(of: location) { call, _ in calls[call.open.id] = call }
    } catch {
      return [:]
    }
    return calls
  }
}
