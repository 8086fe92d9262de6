import Synchronization
package import TapeTypes

/// What a recording loop counts. Written by the loop's thread, read by any.
package final class RecordingCounters: Sendable {
  private let openCallsNow = Atomic(0)
  private let connectionsNow = Atomic(0)
  private let callsEver = Atomic(0)
  private let passedEver = Atomic(0)
  private let framesEver = Atomic(0)
  private let bytesEver = Atomic(0)
  private let gapFramesEver = Atomic(0)
  private let gapBytesEver = Atomic(0)
  private let chunkTimesEver = Mutex(Histogram.operationNs)

  init() {}

  package var openCalls: Int { openCallsNow.load(ordering: .relaxed) }
  package var calls: Int { callsEver.load(ordering: .relaxed) }
  package var passedThrough: Int { passedEver.load(ordering: .relaxed) }
  package var frames: Int { framesEver.load(ordering: .relaxed) }
  package var bytes: Int { bytesEver.load(ordering: .relaxed) }
  package var gapFrames: Int { gapFramesEver.load(ordering: .relaxed) }
  package var gapBytes: Int { gapBytesEver.load(ordering: .relaxed) }

  /// Nanoseconds between the frames of event streams that follow each other.
  package var chunkTimes: Histogram { chunkTimesEver.withLock { $0 } }

  package var connections: Int { connectionsNow.load(ordering: .relaxed) }

  package func setConnections(_ count: Int) { connectionsNow.store(count, ordering: .relaxed) }

  func opened() {
    bump(openCallsNow, 1)
    bump(callsEver, 1)
  }

  func closed() { bump(openCallsNow, -1) }

  func passed() { bump(passedEver, 1) }

  /// Takes over what a batch has brought.
  func add(_ tally: BatchTally) {
    guard tally.bytes > 0 || tally.frames > 0 else { return }
    bump(framesEver, tally.frames)
    bump(bytesEver, tally.bytes)
    if tally.hasChunkTimes {
      chunkTimesEver.withLock { $0.add(tally.chunkTimes) }
      tally.chunkTimes.clear()
      tally.hasChunkTimes = false
    }
    tally.frames = 0
    tally.bytes = 0
  }

  func setGaps(frames: Int, bytes: Int) {
    gapFramesEver.store(frames, ordering: .relaxed)
    gapBytesEver.store(bytes, ordering: .relaxed)
  }

  /// One thread writes, so a load and a store do.
  private func bump(_ counter: borrowing Atomic<Int>, _ delta: Int) {
    counter.store(counter.load(ordering: .relaxed) &+ delta, ordering: .relaxed)
  }
}

/// Frames and bytes taped in the batch at work; plain numbers, since they change with every frame.
final class BatchTally {
  @exclusivity(unchecked) var frames = 0
  @exclusivity(unchecked) var bytes = 0
  @exclusivity(unchecked) var chunkTimes = Histogram.operationNs
  @exclusivity(unchecked) var hasChunkTimes = false

  /// A frame of an event stream came so long after the one before.
  func add(chunkTimeNs: Int64) {
    chunkTimes.add(chunkTimeNs)
    hasChunkTimes = true
  }
}
