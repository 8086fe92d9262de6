import TapeArchive
import TapeTypes

/// A tape: calls as another store had them, with their proofs. All of it is checked before any of it is taken.
struct ImportTape {
  let importer: Importer
  let file: ImportFile

  /// - Throws: `TapeError` `.failed` when the tape is not what was exported; then nothing was taken.
  func run() throws -> Importer.FileResult {
    var calls = 0
    var proven = 0
    var strangers: [CallID] = []
    let note = try read { entry in
      calls += 1
      if entry.place != nil { proven += 1 }
      let id = entry.call.open.id
      if !importer.options.again, importer.known.isErased(id) {
        throw TapeError(
          .failed,
          "cannot import \(file.path): call \(id) was erased from this store; nothing of the tape was taken. --again takes "
            + "it, that call as a new one"
        )
      }
      if try isStranger(entry.call) { strangers.append(entry.call.open.id) }
    }
    if let id = strangers.first {
      throw TapeError(
        .failed,
        "cannot import \(file.path): the store has another call of the id \(id); --again takes the tape's under a new id"
      )
    }
    var outcomes: [Importer.Outcome] = []
    var changed = 0
    _ = try read { entry in
      let outcome = try take(entry.call, &changed)
      outcomes.append(outcome)
    }
    return Importer.FileResult(outcomes: outcomes, remark: remark(calls, proven, note, changed))
  }

  private func remark(_ calls: Int, _ proven: Int, _ note: CheckpointNote?, _ changed: Int) -> String {
    var remark = "\(file.path): the leaf hash of \(calls == 1 ? "its call is" : "all \(calls) calls is") right"
    if let note = note, proven > 0 {
      let checkpoint = note.checkpoint
      remark += ", and \(proven) \(proven == 1 ? "is" : "are") proven to be of the \(checkpoint.size) calls of "
      remark += "\(checkpoint.origin) with root \(checkpoint.root)"
    }
    if proven < calls { remark += "; \(calls - proven) had no proof, as they were not sealed" }
    if changed > 0 { remark += "; \(changed) got another leaf hash here, with a new id or as credentials were removed" }
    return remark
  }

  /// Reads the whole file; delivers its calls, which are right as far as each of them tells.
  private func read(_ body: (TapeFile.Entry) throws -> Void) throws -> CheckpointNote? {
    file.rewind()
    var reader = TapeFile.Reader()
    var number = 0
    do {
      while let line = try file.line() {
        number += 1
        if let entry = try reader.take(line) { try body(entry) }
      }
      try reader.finish()
      return reader.note
    } catch let error as TapeError where error.code == .failed || error.code == .newerVersion {
      guard error.description.hasPrefix("cannot import") else {
        throw TapeError(
          error.code, "cannot import \(file.path), line \(number): \(error.description); nothing of it was taken")
      }
      throw error
    }
  }

  /// The store has a call of this id that is not this one.
  private func isStranger(_ call: RecordedCall) throws -> Bool {
    let id = call.open.id
    guard !importer.options.again, importer.known.contains(id), !importer.known.isRemoved(id) else { return false }
    guard let (known, _) = try ArchiveReader(store: importer.store).find(call.open.id) else { return false }
    return leafHash(of: known) != leafHash(of: call)
  }

  private func take(_ call: RecordedCall, _ changed: inout Int) throws -> Importer.Outcome {
    var open = call.open
    if importer.known.contains(open.id) {
      guard importer.options.again || importer.known.isRemoved(open.id) else { return Importer.Outcome(id: open.id, isNew: false) }
      open.id = Importer.freshID(startedAtNs: open.startedAtNs)
    }
    open = importer.clean(open)
    if open != call.open { changed += 1 }
    let handle = try importer.begin(open, head: call.head)
    let journal = try importer.journal()
    try call.raw.withUnsafeBytes { raw in
      for index in 0..<call.frameCount {
        let frame = UnsafeRawBufferPointer(rebasing: raw[call.frameRange(index)])
        journal.frame(handle, offsetNs: call.frameOffsetNs(index), frame)
        try importer.flushIfLarge()
      }
    }
    if let end = call.end { journal.end(handle, asGiven: end) } else { journal.abandon(handle, call.loss) }
    try importer.flushIfLarge()
    importer.remember(open, ImportKnownCalls.Content(call))
    return Importer.Outcome(id: open.id, isNew: true)
  }
}
