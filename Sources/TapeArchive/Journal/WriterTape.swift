internal import TapeJSON
internal import TapeTypes

/// One call as the reader of its writer's journals knows it so far.
final class CallTrack {
  let number: Int
  let id: CallID
  let location: CallLocation
  let startedAtNs: Int64
  var hasHead = false
  let decoder = FrameDecoder()
  /// The last journal with a record of it.
  var sequence: Int
  /// Something of it is missing.
  var problems: [String] = []
  /// Where its records are, when asked for.
  var records = RecordPlaces()
  var requestBytes = 0
  /// Of the response, on tape.
  private(set) var frames = 0
  private(set) var bytes = 0
  /// What the archive could not take.
  private(set) var gapFrames = 0
  private(set) var gapBytes = 0

  init(number: Int, id: CallID, location: CallLocation, startedAtNs: Int64, sequence: Int) {
    self.number = number
    self.id = id
    self.location = location
    self.startedAtNs = startedAtNs
    self.sequence = sequence
  }

  func count(_ frame: UnsafeRawBufferPointer) {
    frames += 1
    bytes += frame.count
  }

  func countGap(frames: Int, bytes: Int) {
    gapFrames += frames
    gapBytes += bytes
  }

  /// What is known to be missing, if it gets no end to say it.
  var loss: CallLoss? {
    let loss = CallLoss(gapFrames: gapFrames, gapBytes: gapBytes, missingFrames: decoder.missing)
    return loss.isNothing ? nil : loss
  }
}

/// Joins the records of one writer's journals into calls. Does no I/O.
final class WriterTape {
  /// Calls without end, by number.
  private(set) var tracks: [Int: CallTrack] = [:]
  /// Numbers of calls that have ended or are sealed, with the journal where that was seen.
  private var done: [Int: Int] = [:]
  /// Calls that go on from an earlier journal that was not read.
  private var resumed: [Int: CallID] = [:]
  private let keepsRecords: Bool
  /// Takes each call that has ended, with its track, after its `ended` event.
  var onEnd: (CallTrack) -> Void = { _ in }

  init(keepsRecords: Bool = false) { self.keepsRecords = keepsRecords }

  typealias Deliver = (JournalEvent) throws -> Void

  /// Takes a record in. Returns a sentence when something is missing or makes no sense, and whose it is.
  ///
  /// - Parameter hasPrevious: the journal before this one is still there.
  func apply(
    _ record: JournalRecord, file: String, sequence: Int, hasPrevious: Bool, _ deliver: Deliver
  ) throws -> (message: String, call: CallID?)? {
    guard let kind = record.kind, kind != .journal, kind != .batch else { return nil }
    var fields = record.fields
    guard let number = fields.count() else { return ("a record without call number", nil) }
    switch kind {
    case .open:
      return try open(record, number, &fields, CallLocation(file: file, offset: record.offset), sequence, deliver)
    case .resume: return try resume(number, &fields, sequence, hasPrevious, deliver)
    default: break
    }
    guard let track = tracks[number] else { return try orphan(number, sequence, hasPrevious, deliver) }
    track.sequence = sequence
    if keepsRecords { track.records.append(sequence: sequence, offset: record.offset) }
    let problem =
      kind == .head || kind == .end
      ? try json(record, kind, track, deliver) : try frames(record, kind, track, &fields, deliver)
    guard let problem else { return nil }
    track.problems.append(problem)
    return (problem, track.id)
  }

  private func open(
    _ record: JournalRecord, _ number: Int, _ fields: inout JournalFields, _ location: CallLocation, _ sequence: Int,
    _ deliver: Deliver
  ) throws -> (message: String, call: CallID?)? {
    if tracks[number] != nil || done[number] != nil { return nil }
    guard let call = JournalOpen.parse(record, &fields) else { return ("an open record that makes no sense", nil) }
    let track = CallTrack(
      number: number, id: call.id, location: location, startedAtNs: call.startedAtNs, sequence: sequence)
    track.requestBytes = call.body.count
    if keepsRecords { track.records.append(sequence: sequence, offset: record.offset) }
    tracks[number] = track
    resumed[number] = nil
    try deliver(.opened(call, location))
    return nil
  }

  private func resume(
    _ number: Int, _ fields: inout JournalFields, _ sequence: Int, _ hasPrevious: Bool, _ deliver: Deliver
  ) throws -> (message: String, call: CallID?)? {
    guard let id = fields.callID(), fields.count() != nil else { return ("a resume record that makes no sense", nil) }
    if let track = tracks[number] {
      track.sequence = sequence
      return nil
    }
    // Its open record may follow: it was written again if it was never synced.
    if done[number] == nil { resumed[number] = id }
    return nil
  }

  /// A record of a call whose open record was not read.
  private func orphan(
    _ number: Int, _ sequence: Int, _ hasPrevious: Bool, _ deliver: Deliver
  ) throws -> (message: String, call: CallID?)? {
    guard done[number] == nil else { return nil }
    done[number] = sequence
    guard let id = resumed.removeValue(forKey: number) else {
      return ("the open record of call number \(number) is missing", nil)
    }
    // A journal is removed when all of its calls are sealed, so this call is.
    guard hasPrevious else {
      try deliver(.sealed(id))
      return nil
    }
    return ("the open record of this call is missing", id)
  }

  private func json(
    _ record: JournalRecord, _ kind: JournalKind, _ track: CallTrack, _ deliver: Deliver
  ) throws -> String? {
    let value = try? JSONValue(parsing: record.payload)
    if kind == .head {
      guard !track.hasHead else { return nil }
      guard let head = value.flatMap({ CallCoding.head($0) }) else { return "a head record that makes no sense" }
      track.hasHead = true
      try deliver(.head(track.id, head))
      return nil
    }
    let end = value.flatMap { CallCoding.end($0) }
    let loss = value.flatMap { CallCoding.loss($0) }
    guard end != nil || loss != nil else { return "an end record that makes no sense" }
    try tail(track, deliver)
    track.decoder.forget()
    tracks[track.number] = nil
    done[track.number] = track.sequence
    try deliver(end.map { .ended(track.id, $0) } ?? .lost(track.id, loss))
    onEnd(track)
    return nil
  }

  private func frames(
    _ record: JournalRecord, _ kind: JournalKind, _ track: CallTrack, _ fields: inout JournalFields, _ deliver: Deliver
  ) throws -> String? {
    guard let index = fields.count() else { return "a frame record that makes no sense" }
    // What there is of a frame whose rest was lost is on tape all the same.
    var cut: String?
    if index > track.decoder.nextFrame, !track.decoder.pending.isEmpty {
      cut = "the end of frame \(track.decoder.nextFrame) of this call is missing"
      try tail(track, deliver)
    }
    let outcome: FrameDecoder.Outcome
    switch kind {
    case .frame, .delta:
      guard let time = fields.time(), let first = fields.count() else { return "a frame record that makes no sense" }
      let body: (UnsafeRawBufferPointer) throws -> Void = { bytes in
        track.count(bytes)
        try deliver(.frame(track.id, offsetNs: time, bytes))
      }
      if kind == .frame {
        outcome = try track.decoder.frame(index: index, at: first, payload: record.payload, body)
      } else {
        guard let suffix = fields.count() else { return "a frame record that makes no sense" }
        outcome = try track.decoder.delta(index: index, prefix: first, suffix: suffix, payload: record.payload, body)
      }
    case .part:
      guard let time = fields.time(), let at = fields.count() else { return "a part record that makes no sense" }
      outcome = track.decoder.part(index: index, at: at, offsetNs: time, payload: record.payload)
      if case .nothing = outcome { try deliver(.part(track.id, offsetNs: time, record.payload)) }
    case .gap:
      guard let frames = fields.count(), let bytes = fields.count() else { return "a gap record that makes no sense" }
      let time = track.decoder.pendingOffsetNs
      outcome = try track.decoder.gap(index: index, frames: frames) { tail in
        track.count(tail)
        try deliver(.frame(track.id, offsetNs: time, tail))
      }
      if case .duplicate = outcome { return cut }
      track.countGap(frames: frames, bytes: bytes)
      try deliver(.gap(track.id, frames: frames, bytes: bytes))
    default: return nil
    }
    if case .missing(let what) = outcome { return "\(what) of this call is missing" }
    return cut
  }

  /// A frame that never ended is delivered as it is.
  private func tail(_ track: CallTrack, _ deliver: Deliver) throws {
    let time = track.decoder.pendingOffsetNs
    _ = try track.decoder.tail { bytes in
      track.count(bytes)
      try deliver(.frame(track.id, offsetNs: time, bytes))
    }
  }

  /// The writer is gone: its calls without end are lost. Returns their tracks, in the order they were opened.
  func loseAll(_ deliver: Deliver) throws -> [CallTrack] {
    let lost = tracks.values.sorted { $0.number < $1.number }
    for track in lost {
      try tail(track, deliver)
      track.decoder.forget()
      tracks[track.number] = nil
      done[track.number] = track.sequence
      try deliver(.lost(track.id, track.loss))
    }
    return lost
  }

  /// Calls whose journals are all gone were sealed behind the reader's back.
  func dropSealed(present: Set<Int>, _ deliver: Deliver) throws {
    for track in tracks.values.sorted(by: { $0.number < $1.number }) where !present.contains(track.sequence) {
      tracks[track.number] = nil
      done[track.number] = track.sequence
      try deliver(.sealed(track.id))
    }
  }

  /// Records are written again in the next journal at most, so older numbers need not be remembered.
  func forgetDone(before sequence: Int) {
    done = done.filter { $0.value >= sequence }
  }
}

/// The `open` record.
enum JournalOpen {
  /// nil for what makes no sense. The fields stand behind the call number.
  static func parse(_ record: JournalRecord, _ fields: inout JournalFields) -> CallOpen? {
    let payload = record.payload
    guard let id = fields.callID(), let metaCount = fields.count(), let salt = fields.hex(),
      metaCount < payload.count, payload[metaCount] == 0x0A,
      let meta = try? JSONValue(parsing: UnsafeRawBufferPointer(rebasing: payload[..<metaCount])),
      let open = CallCoding.open(meta, body: Array(payload[(metaCount + 1)...]), salt: salt), open.id == id
    else { return nil }
    return open
  }
}
