internal import Crypto
package import Logging
package import TapeTypes

/// Writes one process' calls to its journals: see `schema/archive.md`.
///
/// Records are staged in memory and reach the file in one `write` a flush, which is when
/// they survive the death of the process. Everything but the syncing of the disk happens on
/// the caller's thread; use a writer from one thread only. Nothing here throws on the way:
/// what a disk does not take is counted as a gap of its calls, and the calls go on.
package final class JournalWriter {
  /// Names a call while it is recorded.
  package struct Handle: Hashable, Sendable {
    let slot: Int
    let number: Int
  }

  /// What could not be written, since the writer was made.
  package struct Counters: Sendable, Equatable {
    package var gapFrames = 0
    package var gapBytes = 0
    /// Calls that ended while nothing could be written and that had to be given up.
    package var droppedCalls = 0
    package var lastError: TapeError?
  }

  let store: Store
  let options: JournalOptions
  let clock: any TapeClock
  let log: Logger
  let syncer: JournalSyncer
  let writer: CallID

  @exclusivity(unchecked) var stage = JournalStage()
  @exclusivity(unchecked) var slots: [CallSlot] = []
  @exclusivity(unchecked) var freeSlots: [Int] = []
  @exclusivity(unchecked) var dirty: [CallSlot] = []
  @exclusivity(unchecked) var lastNumber = 0
  @exclusivity(unchecked) var journal: OpenJournal
  /// Written and not known to be synced; rewritten elsewhere when a sync fails.
  @exclusivity(unchecked) var unsynced = UnsyncedBytes()
  /// Where each journal's batches begin behind its first, with their `position` as `UnsyncedBytes` counts.
  @exclusivity(unchecked) var places: [(position: Int, sequence: Int, offset: Int, repeats: Bool)]
  /// Calls whose last records are among the unsynced ones; `position` as `UnsyncedBytes` counts.
  @exclusivity(unchecked) var endedUnsynced: [(position: Int, number: Int, id: CallID, progress: CallSlot.Progress)] =
    []
  /// Set while the disk takes no writes.
  @exclusivity(unchecked) var failure: TapeError?
  @exclusivity(unchecked) var nextRetryNs: Int64 = 0
  /// Set when the journal must be given up although it could be written: it has a torn tail.
  @exclusivity(unchecked) var mustReplace = false
  @exclusivity(unchecked) var isClosed = false
  /// Someone wants this journal to be followed by the next one; when to look again whether that is so.
  @exclusivity(unchecked) var isRollAsked = false
  @exclusivity(unchecked) var nextLookNs: Int64
  @exclusivity(unchecked) package internal(set) var counters = Counters()

  /// Makes the writer's first journal, and locks it.
  ///
  /// - Throws: `TapeError` `.readOnly` or `.io` when it cannot be made.
  package init(
    store: Store, options: JournalOptions = .init(), clock: any TapeClock = SystemClock(), log: Logger
  ) throws {
    self.store = store
    self.options = options
    self.clock = clock
    self.log = log
    writer = CallID(milliseconds: UInt64(max(0, clock.wallNs())) / 1_000_000)
    nextLookNs = clock.monotonicNs() + 1_000_000_000
    do {
      journal = try OpenJournal.create(store: store, writer: writer, sequence: 1, chain: .init(), clock: clock)
      places = [(0, 1, journal.size, false)]
      syncer = JournalSyncer(files: store.files, directory: store.archivePath, options: options)
      syncer.follow(journal.descriptor, retiring: nil, sync: false)
      try syncer.start()
    } catch {
      throw TapeError(
        error.isReadOnly ? .readOnly : .io,
        "cannot make a journal in \(store.archivePath): \(error.reason) (\(error.call))")
    }
  }

  deinit {
    guard !isClosed else { return }
    _ = syncer.stop()
    store.files.close(journal.descriptor)
  }

  /// How syncing is doing; from any thread.
  package var syncReadings: SyncReadings { syncer.readings }

  package var stagedBytes: Int { stage.count }

  /// The id of this writer, part of its journals' names.
  package var writerID: CallID { writer }

  // MARK: Recording

  /// Starts a call. Its `open` record is staged.
  package func open(_ call: CallOpen) -> Handle {
    let index: Int
    if let free = freeSlots.popLast() {
      index = free
    } else {
      index = slots.count
      slots.append(CallSlot(index: index))
    }
    lastNumber += 1
    let slot = slots[index]
    slot.begin(call, number: lastNumber)
    if failure == nil { stageOpen(slot) }
    return Handle(slot: index, number: lastNumber)
  }

  package func head(_ handle: Handle, _ head: CallHead) {
    guard let slot = slot(handle) else { return }
    slot.head = head
    slot.seen.hasHead = true
    if failure == nil, slot.staged.hasOpen { stageHead(slot, head) }
  }

  /// Bytes of a frame that has not ended.
  package func part(_ handle: Handle, offsetNs: Int64?, _ bytes: UnsafeRawBufferPointer) {
    guard bytes.count > 0, let slot = slot(handle) else { return }
    slot.hash.update(bufferPointer: bytes)
    if prepare(slot) {
      stagePiece("part", slot, offsetNs, bytes)
      slot.staged.bytes += bytes.count
      slot.staged.pending += bytes.count
      slot.lastPartNs = offsetNs
    } else {
      counters.gapBytes += bytes.count
    }
    slot.seen.bytes += bytes.count
    slot.seen.pending += bytes.count
  }

  /// Ends a frame: it consists of the parts since the frame before, and these bytes (which may be none).
  package func frame(_ handle: Handle, offsetNs: Int64?, _ bytes: UnsafeRawBufferPointer) {
    guard let slot = slot(handle) else { return }
    slot.hash.update(bufferPointer: bytes)
    if prepare(slot) {
      stageFrame(slot, offsetNs, bytes)
      slot.staged.frames += 1
      slot.staged.bytes += bytes.count
      slot.staged.pending = 0
    } else {
      counters.gapFrames += 1
      counters.gapBytes += bytes.count
    }
    slot.seen.frames += 1
    slot.seen.bytes += bytes.count
    slot.seen.pending = 0
  }

  /// What of the call is not on tape has reached nobody, and never will: its end counts what is, without a gap.
  ///
  /// For who lets nothing pass that the disk does not take, after a `flush` that failed.
  package func takeBack(_ handle: Handle) {
    guard let slot = slot(handle), !slot.isWhole else { return }
    counters.gapFrames -= slot.seen.frames - slot.staged.frames
    counters.gapBytes -= slot.seen.bytes - slot.staged.bytes
    slot.seen.frames = slot.staged.frames
    slot.seen.bytes = slot.staged.bytes
    slot.seen.pending = slot.staged.pending
    slot.isTakenBack = true
  }

  /// Ends a call. Counts, hash and gap are the writer's own: it saw every byte.
  package func end(
    _ handle: Handle, offsetNs: Int64?, cause: CallEnd.Cause, detail: String? = nil, clientClosedNs: Int64? = nil,
    sawDone: Bool = false, clockStepNs: Int64 = 0
  ) {
    let end = CallEnd(
      offsetNs: offsetNs, cause: cause, detail: detail, clientClosedNs: clientClosedNs, frames: 0, bytes: 0,
      sha256: nil, sawDone: sawDone, clockStepNs: clockStepNs)
    finish(handle, end, isGiven: false)
  }

  /// Ends a call with values taken from elsewhere (imports), as they are.
  package func end(_ handle: Handle, asGiven end: CallEnd) {
    finish(handle, end, isGiven: true)
  }

  /// Ends a call of which nothing more is known: it gets no end record, and reads as `lost` once this writer is gone.
  ///
  /// - Parameter loss: what another writer knew to be missing of it: that stands in the place of the end.
  package func abandon(_ handle: Handle, _ loss: CallLoss? = nil) {
    guard let slot = slot(handle) else { return }
    if let loss, failure == nil, slot.staged.hasOpen { stageEnding(slot, CallCoding.json(loss)) }
    slot.isAbandoned = true
    markDirty(slot)
  }

  private func finish(_ handle: Handle, _ end: CallEnd, isGiven: Bool) {
    guard let slot = slot(handle) else { return }
    // A tail that was cut off is a frame too.
    // One whose bytes are all on tape becomes one with the end, whenever that can be written.
    if slot.seen.pending > 0, failure == nil || !slot.isWhole {
      frame(handle, offsetNs: slot.lastPartNs, UnsafeRawBufferPointer(start: nil, count: 0))
    }
    slot.end = end
    slot.endIsGiven = isGiven
    slot.seen.hasEnd = true
    if failure == nil, slot.staged.hasOpen { stageEnd(slot, end) }
  }

  @inline(__always) private func slot(_ handle: Handle) -> CallSlot? {
    let slot = slots[handle.slot]
    return slot.number == handle.number && slot.end == nil && !slot.isAbandoned ? slot : nil
  }

  /// True if the bytes that come next may be staged; records a gap that ends here.
  @inline(__always) private func prepare(_ slot: CallSlot) -> Bool {
    if failure != nil { return false }
    if !slot.isDirty {
      slot.isDirty = true
      dirty.append(slot)
    }
    return slot.isWhole || closeGap(slot)
  }

  /// False inside a frame of which a piece is missing: its rest is no use, the gap ends with it.
  private func closeGap(_ slot: CallSlot) -> Bool {
    guard slot.seen.pending == 0, slot.staged.hasOpen else { return false }
    stageGap(slot)
    return true
  }
}
