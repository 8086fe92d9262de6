internal import CTapeShims
internal import Logging
internal import TapeTypes

/// How staged records reach the disk, and what happens when they do not.
extension JournalWriter {
  /// Writes everything staged with one `write`, and starts a new journal when that is due.
  package func flush() -> FlushResult {
    if failure != nil {
      guard clock.monotonicNs() >= nextRetryNs else { return stillFailing() }
      if mustReplace || syncer.failure != nil {
        guard replaceJournal() else { return stillFailing() }
      }
      stageOwed()
    } else if let failed = syncer.failure {
      log.error("syncing \(journal.name) failed, its unsynced records go to a new journal: \(failed.reason)")
      counters.lastError = error("sync", failed)
      if !replaceJournal() { return fail(error("sync", failed)) }
    }
    if stage.count > 0 {
      do throws(FileError) {
        try writeBatch()
      } catch {
        return fail(self.error("write to", error))
      }
    }
    if failure != nil {
      log.notice("\(journal.name) takes writes again", metadata: ["gap_frames": "\(counters.gapFrames)"])
      failure = nil
    }
    if options.durability == .strict, let failed = syncStrictly() { return failed }
    rollIfDue()
    return .written
  }

  private func stillFailing() -> FlushResult {
    giveUpOldest()
    return .failing(failure ?? TapeError(.io, "the journal takes no writes"))
  }

  private func error(_ what: String, _ error: FileError) -> TapeError {
    TapeError(.io, "cannot \(what) the journal \(store.archivePath)/\(journal.name): \(error.reason)")
  }

  /// One `write` of the staged bytes and their batch record. On failure the journal ends where it ended before.
  private func writeBatch() throws(FileError) {
    let before = journal
    journal.stageBatch(&stage)
    do throws(FileError) {
      try store.files.writeAll(journal.descriptor, stage.bytes)
    } catch {
      journal = before
      do throws(FileError) {
        try store.files.truncate(journal.descriptor, to: journal.size)
      } catch {
        mustReplace = true
      }
      throw error
    }
    journal.size += stage.count
    unsynced.append(stage.bytes)
    let synced = syncer.wrote(stage.count)
    commit()
    forget(upTo: synced)
  }

  /// Everything before this position is synced and never has to be written again.
  private func forget(upTo position: Int) {
    unsynced.drop(to: position)
    while places.count > 1, places[1].position < unsynced.start { places.removeFirst() }
    if let first = endedUnsynced.first, first.position <= position {
      endedUnsynced.removeAll { $0.position <= position }
    }
  }

  /// What was staged is on tape.
  private func commit() {
    stage.clear()
    for slot in dirty {
      journal.hasCalls = true
      slot.safe = slot.staged
      slot.isDirty = false
      if slot.safe.hasOpen { slot.open = nil }
      if slot.safe.hasHead { slot.head = nil }
      if slot.safe.hasEnd || slot.isAbandoned {
        endedUnsynced.append((unsynced.end, slot.number, slot.id, slot.safe))
        release(slot)
      }
    }
    dirty.removeAll(keepingCapacity: true)
  }

  private func release(_ slot: CallSlot) {
    slot.isActive = false
    slot.end = nil
    slot.number = 0
    freeSlots.append(slot.index)
  }

  /// What was staged is gone: its calls have a gap from the last batch on.
  private func fail(_ error: TapeError) -> FlushResult {
    if failure == nil { log.error("recording with gaps: \(error)") }
    failure = error
    counters.lastError = error
    // A large batch costs more to try again, so it is tried less often.
    nextRetryNs = clock.monotonicNs() + Int64(options.retryMs * (1 + stage.count >> 20)) * 1_000_000
    stage.clear()
    for slot in dirty {
      let (staged, safe) = (slot.staged, slot.safe)
      counters.gapFrames += staged.frames - staged.gapFrames - staged.tails - (safe.frames - safe.gapFrames)
      counters.gapBytes += staged.bytes - staged.gapBytes - (safe.bytes - safe.gapBytes)
      slot.staged = slot.safe
      slot.keyCount = 0
      slot.isDirty = false
    }
    dirty.removeAll(keepingCapacity: true)
    giveUpOldest()
    return .failing(error)
  }

  /// Calls that ended and never reached the disk wait in memory; not without bound.
  private func giveUpOldest() {
    let waiting = slots.filter { $0.isActive && $0.end != nil && !$0.safe.hasOpen }
    var bytes = waiting.reduce(0) { $0 + ($1.open?.body.count ?? 0) + 4096 }
    guard bytes > 64 << 20 else { return }
    for slot in waiting.sorted(by: { $0.number < $1.number }) {
      if bytes <= 32 << 20 { break }
      bytes -= (slot.open?.body.count ?? 0) + 4096
      counters.droppedCalls += 1
      counters.gapFrames += slot.seen.frames
      counters.gapBytes += slot.seen.bytes
      slot.open = nil
      slot.head = nil
      release(slot)
    }
    log.error(
      "the disk took no writes for so long that calls were given up", metadata: ["calls": "\(counters.droppedCalls)"])
  }

  /// Syncs what is written, or writes it again to a new journal and syncs that. nil if it went well.
  package func syncStrictly() -> FlushResult? {
    do throws(FileError) {
      try syncer.syncNow()
      forget(upTo: unsynced.end)
      return nil
    } catch {
      let failed = self.error("sync", error)
      log.error("\(failed); its records go to a new journal")
      counters.lastError = failed
      guard replaceJournal() else { return .failing(failed) }
      do throws(FileError) {
        try syncer.syncNow()
        forget(upTo: unsynced.end)
        return nil
      } catch {
        return .failing(self.error("sync", error))
      }
    }
  }

  // MARK: The next journal

  private func rollIfDue() {
    guard journal.hasCalls else { return }
    let now = clock.monotonicNs()
    let isOld = now - journal.createdNs >= Int64(options.rollSeconds) * 1_000_000_000
    guard journal.size >= options.rollBytes || isOld || isAskedToRoll(now), now >= nextRetryNs else { return }
    if !startJournal(syncOld: true, rewriting: nil) {
      nextRetryNs = now + Int64(options.retryMs) * 1_000_000
    }
  }

  /// An erasure wants a call out of this journal: it has asked for the next one. Looked for once a second.
  private func isAskedToRoll(_ now: Int64) -> Bool {
    if now >= nextLookNs {
      nextLookNs = now + 1_000_000_000
      let request = store.archivePath + "/" + JournalFormat.rollRequest(for: journal.name)
      isRollAsked = ((try? store.files.status(request)) ?? nil) != nil
    }
    return isRollAsked
  }

  /// Gives up a journal that cannot be synced or has a torn tail: its unsynced records are written again.
  private func replaceJournal() -> Bool {
    if unsynced.isIncomplete {
      log.error("more was unsynced than is kept in memory: some records are only in \(journal.name)")
    }
    guard startJournal(syncOld: false, rewriting: unsynced.bytes) else { return false }
    mustReplace = false
    return true
  }

  /// Starts the next journal with what its readers need of the calls that go on.
  private func startJournal(syncOld: Bool, rewriting old: [UInt8]?) -> Bool {
    let next: OpenJournal
    do throws(FileError) {
      var chain = OpenJournal.Chain()
      chain.value = journal.chain
      let origin = place(of: old == nil ? unsynced.end : unsynced.start)
      next = try OpenJournal.create(
        store: store, writer: writer, sequence: journal.sequence + 1, chain: chain, origin: origin, clock: clock
      ) { batch, seed in
        stageResumes(&batch, seed: seed, rewriting: old != nil)
        if let old { RecordLines.copy(old, into: &batch, seed: seed) }
      }
    } catch {
      counters.lastError = self.error("follow", error)
      return false
    }
    // Records that were staged for the old journal get the checksums of the new one.
    RecordLines.rechecksum(stage.mutableBytes, seed: next.seed)
    syncer.follow(next.descriptor, retiring: journal.descriptor, sync: syncOld)
    journal = next
    isRollAsked = false
    places.append((unsynced.end, next.sequence, next.size, old != nil))
    return true
  }

  /// Where the byte at this position was written: in the last journal that repeats it, or behind that. At the end of a
  /// journal rather than at the start of the next, whose header need not be synced.
  private func place(of position: Int) -> JournalOrigin {
    // The first journal's header is nothing that anybody misses.
    if position == 0 { return JournalOrigin(sequence: 1, offset: 0) }
    let base = places.lastIndex { $0.repeats && $0.position <= position } ?? 0
    let next = places[(base + 1)...].firstIndex { position <= $0.position } ?? places.count
    let start = places[next - 1]
    return JournalOrigin(sequence: start.sequence, offset: start.offset + position - start.position)
  }

  /// - Parameter rewriting: records of calls that have ended come along, so their ids are needed too.
  private func stageResumes(_ stage: inout JournalStage, seed: UInt32, rewriting: Bool) {
    if rewriting {
      for ended in endedUnsynced { stageResume(&stage, seed, ended.number, ended.id, ended.progress) }
    }
    for slot in slots where slot.isActive && slot.safe.hasOpen && !slot.isAbandoned {
      stageResume(&stage, seed, slot.number, slot.id, slot.safe)
      slot.keyCount = 0
    }
  }

  private func stageResume(
    _ stage: inout JournalStage, _ seed: UInt32, _ number: Int, _ id: CallID, _ progress: CallSlot.Progress
  ) {
    let start = stage.begin("resume", payload: 0)
    stage.field(number)
    stage.field(text: id.description.utf8)
    stage.field(progress.frames)
    stage.field(progress.bytes)
    stage.field(progress.pending)
    stage.endLine()
    stage.finish(start, seed: seed)
  }

  // MARK: The end

  /// Writes and syncs what is left and unlocks the journal. Calls that have not ended stay without end.
  ///
  /// - Throws: `TapeError` `.io` when something did not reach the disk.
  package func close() throws {
    guard !isClosed else { return }
    nextRetryNs = .min
    let result = flush()
    isClosed = true
    // Here and not on the syncer's thread: a sync that fails is made good as in any flush.
    let unsynced = syncStrictly()
    let failed = syncer.stop()
    if !journal.hasCalls { try? store.files.unlink(store.archivePath + "/" + journal.name) }
    store.files.close(journal.descriptor)
    if case .failing(let error) = result { throw error }
    if case .failing(let error) = unsynced { throw error }
    if let failed { throw error("sync", failed) }
  }
}
