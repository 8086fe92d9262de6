import TapeArchive
import TapeJSON
import TapeRedaction
import TapeSSE
import TapeTypes

/// An HTTP Archive, of tapedeck or of any other tool. All of it is checked before any of it is taken.
struct ImportHAR {
  let importer: Importer
  let file: ImportFile

  /// - Throws: `TapeError` `.failed` for a file that is none, or has an entry that cannot be read; then nothing was
  ///   taken.
  func run() throws -> Importer.FileResult {
    var others = 0
    try read { entry in
      if entry.map(isGeneration) != true { others += 1 }
    }
    var outcomes: [Importer.Outcome] = []
    try read { entry in
      guard let entry, isGeneration(entry) else { return }
      outcomes.append(try take(entry))
    }
    let left = others == 1 ? "1 entry that is" : "\(others) entries that are"
    return Importer.FileResult(
      outcomes: outcomes, remark: others == 0 ? nil : "\(file.path): left out \(left) no generation")
  }

  private func read(_ body: (HAREntry?) throws -> Void) throws {
    let fallbackStart = try importer.options.startedAtNs ?? file.modifiedNs()
    var number = 0
    try withoutActuallyEscaping(body) { body in
      var archive = HARFile { bytes in
        number += 1
        do {
          let value = try JSONValue(parsing: bytes)
          try body(
            try HAREntry.read(
              value, fallbackStartNs: fallbackStart, freshID: Importer.freshID, freshSalt: Importer.freshSalt))
        } catch let error as JSONError {
          throw refusal("entry \(number) is no JSON: \(error.description)")
        } catch let error as TapeError where error.code == .failed {
          throw refusal("entry \(number): \(error.description)")
        }
      }
      file.rewind()
      do {
        while let chunk = try file.chunk() { try archive.feed(chunk) }
        try archive.finish()
      } catch let error as TapeError where error.code == .failed && !error.description.hasPrefix("cannot import") {
        throw refusal(error.description)
      }
    }
  }

  private func refusal(_ why: String) -> TapeError {
    TapeError(.failed, "cannot import \(file.path) as a HAR file: \(why); nothing of it was taken")
  }

  /// A browser's archive has pages and pictures too. What the proxy would have put on tape counts, and what was asked
  /// in JSON.
  private func isGeneration(_ entry: HAREntry) -> Bool {
    entry.isOwn || entry.isEventStream
      || GenerationEndpoints.contains(method: entry.open.method, target: entry.open.path)
      || entry.open.method == "POST" && HeaderRules.mediaType(entry.requestType) == "application/json"
  }

  private func take(_ entry: HAREntry) throws -> Importer.Outcome {
    var call = recorded(entry)
    let changed = redact(&call, isEvents: entry.isEventStream)
    let content = ImportKnownCalls.Content(call)
    if let known = try knownCall(call, isNamed: entry.namesCall, content) { return known }
    if importer.known.contains(call.open.id) { call.open.id = Importer.freshID(startedAtNs: call.open.startedAtNs) }
    let handle = try importer.begin(call.open, head: call.head)
    let journal = try importer.journal()
    try call.raw.withUnsafeBytes { raw in
      for index in 0..<call.frameCount {
        let frame = UnsafeRawBufferPointer(rebasing: raw[call.frameRange(index)])
        journal.frame(handle, offsetNs: call.frameOffsetNs(index), frame)
        try importer.flushIfLarge()
      }
    }
    end(handle, journal, entry.end, call, isChanged: changed)
    try importer.flushIfLarge()
    importer.remember(call.open, content)
    return Importer.Outcome(id: call.open.id, isNew: true)
  }

  /// Without credentials, and divided into frames.
  private func recorded(_ entry: HAREntry) -> RecordedCall {
    var open = entry.open
    if open.body.isEmpty, !entry.isOwn, let request = importer.options.request { open.body = request }
    var head = entry.head
    if let headers = head?.headers { head?.headers = Secrets.clean(headers) }
    let ends =
      entry.frames?.ends ?? FrameSplitter.split(entry.raw, mode: entry.isEventStream ? .events : .opaque).frameEnds
    return RecordedCall(
      open: importer.clean(open), head: head, raw: entry.raw, frameEnds: ends,
      frameOffsetsNs: entry.frames?.offsetsNs ?? [])
  }

  /// Takes out what rules say must not get on tape; true if there was anything.
  private func redact(_ call: inout RecordedCall, isEvents: Bool) -> Bool {
    var raw: [UInt8] = []
    var ends: [Int] = []
    var isChanged = false
    for index in 0..<call.frameCount {
      let frame = call.raw[call.frameRange(index)]
      let redacted = Array(frame).withUnsafeBytes { importer.redacted($0, isEvent: isEvents) }
      isChanged = isChanged || redacted != nil
      raw += redacted ?? Array(frame)
      ends.append(raw.count)
    }
    if isChanged { (call.raw, call.frameEnds) = (raw, ends) }
    return isChanged
  }

  private func end(
    _ handle: JournalWriter.Handle, _ journal: JournalWriter, _ end: HAREntry.End, _ call: RecordedCall, isChanged: Bool
  ) {
    switch end {
    case .own(.exact(let end)) where isChanged:
      journal.end(
        handle, offsetNs: end.offsetNs, cause: end.cause, detail: end.detail, clientClosedNs: end.clientClosedNs,
        sawDone: end.sawDone, clockStepNs: end.clockStepNs)
    case .own(.exact(let end)): journal.end(handle, asGiven: end)
    case .own(.none(let loss)): journal.abandon(handle, loss)
    case .own(.how(let cause)): journal.end(handle, offsetNs: nil, cause: cause)
    case .own(.error): journal.end(handle, offsetNs: nil, cause: .upstreamFailed)
    case .seen(let cause, let detail, let offset, let missing) where missing > 0:
      // The archive knows the size of a body that it does not have: to the tape that is a gap.
      journal.end(
        handle,
        asGiven: CallEnd(
          offsetNs: offset, cause: cause, detail: detail, frames: 1, bytes: missing, sha256: nil, gapFrames: 1,
          gapBytes: missing))
    case .seen(let cause, let detail, let offset, _):
      journal.end(
        handle, offsetNs: offset, cause: cause, detail: detail, clientClosedNs: cause == .clientClosed ? offset : nil)
    }
  }

  /// The call of the store that this one is, or was before it was erased.
  private func knownCall(
    _ call: RecordedCall, isNamed: Bool, _ content: ImportKnownCalls.Content
  ) throws -> Importer.Outcome? {
    guard !importer.options.again else { return nil }
    let (id, start) = (call.open.id, call.open.startedAtNs)
    if isNamed {
      if importer.known.isErased(id) { return Importer.Outcome(id: id, isNew: false, wasErased: true) }
      if importer.known.contains(id), !importer.known.isRemoved(id) { return Importer.Outcome(id: id, isNew: false) }
      return nil
    }
    if let known = try importer.known.find(startedAtNs: start, content) {
      return Importer.Outcome(id: known, isNew: false)
    }
    return importer.known.erasedCall(startedAtNs: start).map {
      Importer.Outcome(id: $0, isNew: false, wasErased: true)
    }
  }
}
