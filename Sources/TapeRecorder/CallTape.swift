import TapeArchive
import TapeRedaction
import TapeSSE
import TapeTypes

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// The recording side of one call: cuts the body into frames and stages them in the journal.
///
/// Nothing here writes; the loop flushes the journal once a batch, before anything is sent.
final class CallTape {
  let id: CallID
  /// Monotonic ns of offset 0.
  let zeroNs: Int64
  private let wallNs: Int64
  private let journal: JournalWriter
  private let handle: JournalWriter.Handle
  private let tally: BatchTally
  private let clock: any TapeClock
  @exclusivity(unchecked) private var splitter = FrameSplitter(mode: .opaque)
  /// A frame, also an unterminated one, had the data `[DONE]`: whoever reads it may go.
  @exclusivity(unchecked) private(set) var sawDone = false
  /// The first bytes of the frame that has not ended; a `[DONE]` can come in pieces.
  @exclusivity(unchecked) private var pending: [UInt8] = []
  private static let longestDone = 256
  /// When the last frame of an event stream came; negative before the first.
  @exclusivity(unchecked) private var lastFrameNs: Int64 = -1
  @exclusivity(unchecked) private var isStream = false
  /// nil unless rules say what of the response must not get on tape.
  private let redacted: RedactedFrames?

  /// Stages the open record.
  init(
    _ open: CallOpen, zeroNs: Int64, journal: JournalWriter, tally: BatchTally, redactor: Redactor?,
    clock: any TapeClock
  ) {
    self.clock = clock
    redacted = redactor.flatMap { $0.hasResponseRules ? RedactedFrames($0) : nil }
    self.tally = tally
    id = open.id
    self.zeroNs = zeroNs
    wallNs = open.startedAtNs
    self.journal = journal
    handle = journal.open(open)
  }

  /// Stages the head; from its `Content-Type` on it is known whether the body has frames.
  func head(_ head: CallHead) {
    isStream = HeaderRules.mediaType(head.headers.first("content-type")) == "text/event-stream"
    splitter = FrameSplitter(mode: isStream ? .events : .opaque)
    redacted?.isEvent = isStream
    journal.head(handle, head)
  }

  /// Stages the bytes of one read.
  func body(_ bytes: UnsafeRawBufferPointer, now: Int64) {
    tally.bytes &+= bytes.count
    splitter.feed(bytes, offsetNs: now &- zeroNs) { deliver($0, $1, $2) }
  }

  private func deliver(_ piece: FrameSplitter.Piece, _ offsetNs: Int64, _ bytes: UnsafeRawBufferPointer) {
    switch piece {
    case .part:
      if let redacted { redacted.add(bytes) } else { journal.part(handle, offsetNs: offsetNs, bytes) }
      if pending.count + bytes.count <= Self.longestDone {
        pending.append(contentsOf: bytes)
        if pending.withUnsafeBytes({ Self.isDone($0) }) { sawDone = true }
      } else if pending.count <= Self.longestDone {
        // Too long from here on, also if what follows is short.
        pending.append(contentsOf: repeatElement(0, count: Self.longestDone + 1 - pending.count))
      }
    case .frame:
      tally.frames &+= 1
      if isStream {
        if lastFrameNs >= 0 { tally.add(chunkTimeNs: offsetNs &- lastFrameNs) }
        lastFrameNs = offsetNs
      }
      if let redacted {
        redacted.end(bytes) { journal.frame(handle, offsetNs: offsetNs, $0) }
      } else {
        journal.frame(handle, offsetNs: offsetNs, bytes)
      }
      if pending.isEmpty {
        if bytes.count <= Self.longestDone, Self.isDone(bytes) { sawDone = true }
      } else {
        if pending.count + bytes.count <= Self.longestDone {
          pending.append(contentsOf: bytes)
          if pending.withUnsafeBytes({ Self.isDone($0) }) { sawDone = true }
        }
        pending.removeAll(keepingCapacity: true)
      }
    }
  }

  /// Stages the last frame, if one is out, and the end record. Of a call that the archive stopped, nobody got what is not
  /// on tape.
  func end(_ cause: CallEnd.Cause, detail: String?, clientClosedNs: Int64?, now: Int64) {
    if cause == .archiveStopped {
      journal.takeBack(handle)
    } else {
      splitter.finish { deliver($0, $1, $2) }
    }
    let step = clock.wallNs() - wallNs - (clock.monotonicNs() - zeroNs)
    journal.end(
      handle, offsetNs: now - zeroNs, cause: cause, detail: detail,
      clientClosedNs: clientClosedNs.map { $0 - zeroNs }, sawDone: sawDone,
      clockStepNs: abs(step) < 1_000_000 ? 0 : step)
  }

  /// Whether the last line with bytes is `data: [DONE]`.
  private static func isDone(_ frame: UnsafeRawBufferPointer) -> Bool {
    var end = frame.count
    while end > 0, frame[end - 1] == 0x0A || frame[end - 1] == 0x0D { end -= 1 }
    guard end >= 11, frame[end - 1] == 0x5D else { return false }
    var start = end
    while start > 0, frame[start - 1] != 0x0A, frame[start - 1] != 0x0D { start -= 1 }
    let line = UnsafeRawBufferPointer(rebasing: frame[start..<end])
    return line.elementsEqual("data: [DONE]".utf8) || line.elementsEqual("data:[DONE]".utf8)
  }
}
