internal import TapeTypes

/// Where the records of a call lie. About three bytes each: a call may have a million.
struct RecordPlaces: Sendable, Equatable {
  private struct Journal: Equatable {
    let sequence: Int
    /// Where its places begin in `steps`.
    let start: Int
  }

  /// Those that have some, in the order in which they were read.
  private var journals: [Journal] = []
  /// Varints: how far each record is behind the one before in the same journal.
  private var steps: [UInt8] = []
  private var last = 0
  private(set) var count = 0

  var sequences: [Int] { journals.map(\.sequence) }

  /// Journals come one after the other, and the records of each in their order.
  mutating func append(sequence: Int, offset: Int) {
    if journals.last?.sequence != sequence {
      journals.append(Journal(sequence: sequence, start: steps.count))
      last = 0
    }
    steps.append(varint: offset - last)
    last = offset
    count += 1
  }

  /// Each journal with the offsets of its records, rising.
  func forEachJournal(_ body: (_ sequence: Int, _ offsets: [Int]) throws -> Void) rethrows {
    for (index, journal) in journals.enumerated() {
      let end = index + 1 < journals.count ? journals[index + 1].start : steps.count
      var offsets: [Int] = []
      var (offset, step, shift) = (0, 0, 0)
      for byte in steps[journal.start..<end] {
        step |= Int(byte & 0x7F) << shift
        shift += 7
        guard byte < 0x80 else { continue }
        offset += step
        offsets.append(offset)
        (step, shift) = (0, 0)
      }
      try body(journal.sequence, offsets)
    }
  }
}

/// Where a call lies in the journals of its writer: what lies in between need not be read.
package struct JournalPlaces: Sendable, Equatable {
  let writer: CallID
  let id: CallID
  let records: RecordPlaces
  /// Of the response, on tape.
  let frames: Int
  package let bytes: Int

  init(_ track: CallTrack, writer: CallID) {
    self.writer = writer
    id = track.id
    records = track.records
    frames = track.frames
    bytes = track.bytes
  }

  /// Whether what was read there is all that was there before.
  func fits(_ call: RecordedCall) -> Bool {
    call.open.id == id && call.raw.count == bytes && call.frameCount == frames
  }
}
