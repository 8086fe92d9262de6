import Crypto
import TapeArchive
import TapeJSON
import TapeSSE
import TapeRedaction
import TapeTypes

/// A timed capture: calls side by side, one event a line.
final class ImportTimedCapture {
  /// What is known of a call when it starts.
  private enum Choice {
    case take
    /// A call with the same start is there, so that it has to be compared.
    case compare
    /// The capture names its id: that alone tells whether it is there.
    case takeIfIDIsFree
    case skip
    /// The capture names a call that was erased.
    case refuse
  }

  /// A call is written when it ends, so that a capture that turns out bad leaves no half of one; but no more than so
  /// many bytes of it wait for that.
  private static let mostWaitingBytes = 64 << 20

  /// A call of the capture that has not ended.
  private final class Call {
    /// Place in the list of outcomes.
    let place: Int
    var open: CallOpen
    var head: CallHead?
    let knowsHead: Bool
    var hash = SHA256()
    var frames = 0
    var bytes = 0
    /// The last two frames: an error comes last, or just before the end of the stream is told.
    private var lastFrames: [[UInt8]] = [[], []]
    /// What is done with it when it ends.
    let choice: Choice
    var hasEnded = false
    /// Something of its response was taken out: what the capture says of the whole is not true of the tape.
    var isRedacted = false
    var isEvents: Bool {
      head.map { HeaderRules.mediaType($0.headers.first("content-type")) == "text/event-stream" } ?? true
    }
    /// The call in the journal; nil while its frames wait here.
    var handle: JournalWriter.Handle?
    var waiting = RecordedCall(open: CallOpen(id: CallID(high: 0, low: 0), startedAtNs: 0, origin: .import, salt: []))

    init(place: Int, open: CallOpen, head: CallHead?, knowsHead: Bool, choice: Choice) {
      self.place = place
      self.choice = choice
      self.open = open
      self.head = head
      self.knowsHead = knowsHead
    }

    func note(_ frame: UnsafeRawBufferPointer) {
      hash.update(bufferPointer: frame)
      lastFrames[frames & 1].removeAll(keepingCapacity: true)
      lastFrames[frames & 1].append(contentsOf: frame)
      frames += 1
      bytes += frame.count
    }

    var endsInError: Bool {
      (head?.status ?? 0) >= 400 || lastFrames.contains { $0.withUnsafeBytes { ImportTimedCapture.isError($0) } }
    }
  }

  private let importer: Importer
  private let file: ImportFile
  private var calls: [Int: Call] = [:]
  private var outcomes: [Importer.Outcome] = []
  /// Places of calls that are not what their end says, and the first of them.
  private var refused: Set<Int> = []
  private var refusal: TapeError?
  private var lineNumber = 0
  private var scratch: [UInt8] = []

  init(importer: Importer, file: ImportFile) {
    self.importer = importer
    self.file = file
  }

  func run() -> Importer.FileResult {
    do {
      try readAll()
      let taken = outcomes.indices.filter { !refused.contains($0) }.map { outcomes[$0] }
      return Importer.FileResult(outcomes: taken, failure: refusal)
    } catch {
      for call in calls.values { call.handle.map { (try? importer.journal())?.abandon($0) } }
      let unfinished = Set(calls.values.filter { !$0.hasEnded }.map(\.place))
      let complete = outcomes.indices.filter { !unfinished.contains($0) && !refused.contains($0) }.map { outcomes[$0] }
      return Importer.FileResult(outcomes: complete, failure: error)
    }
  }

  private func readAll() throws {
    file.rewind()
    while let line = try file.line() {
      lineNumber += 1
      if line.allSatisfy({ $0 == 0x20 || $0 == 0x0D || $0 == 0x09 }) { continue }
      do {
        guard let envelope = TimedLine(line) else {
          throw TapeError(.failed, "no object with t_ns, call and ev (open, frame or end)")
        }
        try take(envelope, line)
      } catch let error as TapeError where error.code == .failed {
        throw TapeError(.failed, "cannot import line \(lineNumber) of \(file.path): \(error.description)")
      }
    }
    // The capture ends before they do.
    for call in calls.values.sorted(by: { $0.place < $1.place }) { try end(call, .none(nil), 0) }
    calls = [:]
  }

  private func take(_ envelope: TimedLine, _ line: UnsafeRawBufferPointer) throws {
    if envelope.event == .open { return try open(envelope, line) }
    guard let call = calls[envelope.call] else { throw TapeError(.failed, "call \(envelope.call) is not open") }
    let (offset, overflow) = envelope.tNs.subtractingReportingOverflow(call.open.startedAtNs)
    guard !overflow else { throw TapeError(.failed, "t_ns is out of range") }
    if envelope.event == .frame { return try frame(call, envelope, line, offset) }
    guard let value = try? JSONValue(parsing: line) else { throw TapeError(.failed, "no JSON") }
    try end(call, TimedCapture.end(value), offset)
    calls[envelope.call] = nil
  }

  private func open(_ envelope: TimedLine, _ line: UnsafeRawBufferPointer) throws {
    guard calls[envelope.call] == nil else { throw TapeError(.failed, "call \(envelope.call) is open already") }
    guard let value = try? JSONValue(parsing: line) else { throw TapeError(.failed, "no JSON") }
    let parsed = try TimedCapture.open(
      value, tNs: envelope.tNs, freshID: Importer.freshID, freshSalt: Importer.freshSalt)
    var open = parsed.call
    if !parsed.hasRequest, let request = importer.options.request { open.body = request }
    if !parsed.knowsHead, !open.redactions.contains(Importer.assumedHead) {
      open.redactions.append(Importer.assumedHead)
    }
    var head = parsed.head
    if let headers = head?.headers { head?.headers = Secrets.clean(headers) }
    let call = Call(
      place: outcomes.count, open: importer.clean(open), head: head, knowsHead: parsed.knowsHead,
      choice: choice(open, isNamed: parsed.namesCall))
    calls[envelope.call] = call
    outcomes.append(Importer.Outcome(id: open.id, isNew: true))
    call.waiting = RecordedCall(open: open)
  }

  private func choice(_ open: CallOpen, isNamed: Bool) -> Choice {
    if importer.options.again { return .take }
    if isNamed, importer.known.isErased(open.id) { return .refuse }
    if isNamed, !importer.known.isRemoved(open.id) {
      return importer.known.contains(open.id) ? .skip : .takeIfIDIsFree
    }
    return importer.known.hasCalls(startedAtNs: open.startedAtNs) ? .compare : .take
  }

  /// Starts to write a call, under its own id unless the store has that already.
  private func begin(_ call: Call) throws {
    if importer.known.contains(call.open.id) {
      call.open.id = Importer.freshID(startedAtNs: call.open.startedAtNs)
      outcomes[call.place].id = call.open.id
    }
    call.handle = try importer.begin(call.open, head: call.head)
  }

  private func frame(_ call: Call, _ envelope: TimedLine, _ line: UnsafeRawBufferPointer, _ offset: Int64) throws {
    if let raw = envelope.raw, !envelope.rawHasEscapes {
      return try frame(call, UnsafeRawBufferPointer(rebasing: line[raw]), offset)
    }
    scratch.removeAll(keepingCapacity: true)
    guard envelope.appendFrame(of: line, to: &scratch) else {
      throw TapeError(
        .failed,
        "the frame has no raw or raw_base64 that can be read (half a surrogate pair stands for no bytes: use raw_base64)"
      )
    }
    try scratch.withUnsafeBytes { try frame(call, $0, offset) }
  }

  private func frame(_ call: Call, _ bytes: UnsafeRawBufferPointer, _ offset: Int64) throws {
    guard let redacted = importer.redacted(bytes, isEvent: call.isEvents) else {
      return try take(call, bytes, offset)
    }
    call.isRedacted = true
    try redacted.withUnsafeBytes { try take(call, $0, offset) }
  }

  private func take(_ call: Call, _ bytes: UnsafeRawBufferPointer, _ offset: Int64) throws {
    call.note(bytes)
    if call.choice == .skip || call.choice == .refuse { return }
    guard let handle = call.handle else {
      call.waiting.raw.append(contentsOf: bytes)
      call.waiting.frameEnds.append(call.waiting.raw.count)
      call.waiting.frameOffsetsNs.append(offset)
      if call.choice != .compare, call.waiting.raw.count > Self.mostWaitingBytes {
        try begin(call)
        try writeWaiting(call)
      }
      return
    }
    try write(call, handle, bytes, offset)
  }

  private func write(_ call: Call, _ handle: JournalWriter.Handle, _ bytes: UnsafeRawBufferPointer, _ offset: Int64)
    throws
  {
    let journal = try importer.journal()
    if call.head == nil, !call.knowsHead {
      // Frames came, so a response did; that it was a stream of events is what a capture of frames says.
      let head = CallHead(offsetNs: nil, status: 200, headers: [HeaderField("content-type", "text/event-stream")])
      call.head = head
      journal.head(handle, head)
    }
    journal.frame(handle, offsetNs: call.open.hasTimes ? offset : nil, bytes)
    try importer.flushIfLarge()
  }

  private func end(_ call: Call, _ end: TimedCapture.End, _ offset: Int64) throws {
    let content = ImportKnownCalls.Content(
      raw: Array(call.hash.finalize()), body: ImportHash.of(call.open.body))
    if case .exact(let end) = end, contradicts(end, call, content) {
      return refuse(
        call,
        "its end says \(end.frames) frames and \(end.bytes) bytes, less \(end.gapFrames) and "
          + "\(end.gapBytes) that are missing, and the capture has \(call.frames) and \(call.bytes), or others")
    }
    if call.handle == nil {
      if let known = try knownCall(call, content) {
        outcomes[call.place] = known
        call.hasEnded = true
        return
      }
      try begin(call)
      try writeWaiting(call)
    }
    guard let handle = call.handle else { return }
    let journal = try importer.journal()
    let time = call.open.hasTimes ? offset : nil
    switch end {
    case .exact(let end) where call.isRedacted:
      journal.end(
        handle, offsetNs: end.offsetNs, cause: end.cause, detail: end.detail, clientClosedNs: end.clientClosedNs,
        sawDone: end.sawDone, clockStepNs: end.clockStepNs)
    case .exact(let end): journal.end(handle, asGiven: end)
    case .how(let cause):
      journal.end(handle, offsetNs: time, cause: cause, clientClosedNs: cause == .clientClosed ? time : nil)
    case .error:
      let wasAnswered = call.endsInError
      journal.end(
        handle, offsetNs: time, cause: wasAnswered ? .endOfBody : .upstreamFailed,
        detail: wasAnswered ? nil : "the capture says that the call failed")
    case .none(let loss): journal.abandon(handle, loss)
    }
    importer.remember(call.open, content)
    call.hasEnded = true
    try importer.flushIfLarge()
  }

  private func contradicts(_ end: CallEnd, _ call: Call, _ content: ImportKnownCalls.Content) -> Bool {
    // What is there already, or was taken out on the way, is not held against the capture.
    if call.choice == .skip || call.choice == .refuse || call.isRedacted { return false }
    if [end.frames, end.bytes, end.gapFrames, end.gapBytes].contains(where: { $0 < 0 }) { return true }
    return Integrity.problem(end, frames: call.frames, bytes: call.bytes) { content.raw } != nil
  }

  /// A call that was changed, or lost frames, since it was recorded is none that was: on tape it would be damage.
  private func refuse(_ call: Call, _ why: String) {
    call.handle.map { (try? importer.journal())?.abandon($0) }
    call.hasEnded = true
    refused.insert(call.place)
    let what =
      "cannot import the call that ends in line \(lineNumber) of \(file.path): \(why); all others were imported"
    if refusal == nil { refusal = TapeError(.failed, what) }
  }

  /// The call of the store that this one is, or was before it was erased.
  private func knownCall(_ call: Call, _ content: ImportKnownCalls.Content) throws -> Importer.Outcome? {
    switch call.choice {
    case .skip: return Importer.Outcome(id: call.open.id, isNew: false)
    case .refuse: return Importer.Outcome(id: call.open.id, isNew: false, wasErased: true)
    case .takeIfIDIsFree:
      // Another call of the capture may have taken it meanwhile.
      return importer.known.contains(call.open.id) ? Importer.Outcome(id: call.open.id, isNew: false) : nil
    case .take: return nil
    case .compare:
      let start = call.open.startedAtNs
      if let id = try importer.known.find(startedAtNs: start, content) { return Importer.Outcome(id: id, isNew: false) }
      return importer.known.erasedCall(startedAtNs: start).map {
        Importer.Outcome(id: $0, isNew: false, wasErased: true)
      }
    }
  }

  private func writeWaiting(_ call: Call) throws {
    guard let handle = call.handle else { return }
    let waiting = call.waiting
    try waiting.raw.withUnsafeBytes { raw in
      for index in 0..<waiting.frameCount {
        let frame = UnsafeRawBufferPointer(rebasing: raw[waiting.frameRange(index)])
        try write(call, handle, frame, waiting.frameOffsetsNs[index])
      }
    }
    call.waiting.raw = []
  }

  /// True for a frame that is an event `error`, or whose data has a member `error`.
  private static func isError(_ bytes: UnsafeRawBufferPointer) -> Bool {
    let fields = FrameFields(bytes)
    if let event = fields.event, bytes[event].elementsEqual("error".utf8) { return true }
    return fields.withData(of: bytes) { data in
      guard let data, let value = (try? JSONValue(parsing: data))?["error"] else { return false }
      return !value.isNull
    }
  }
}
