internal import TapeTypes

/// Checks one segment to its last byte: frames against their checksums, seek table and index against what they speak
/// of, and every call against its leaf hash and its end record.
struct SegmentAudit {
  private(set) var damage: [Damage] = []
  private(set) var notes: [VerifyReport.Note] = []
  private(set) var calls = 0
  private(set) var tombstones = 0
  private(set) var rawBytes = 0
  private(set) var lost: [CallID] = []
  private let name: String

  /// - Parameter onBytes: is told how many bytes of the file were done, block by block.
  init(store: Store, name: String, onBytes: (Int) -> Void) {
    self.name = name
    do {
      try run(try SegmentReader(store: store, name: name), onBytes)
    } catch let error as TapeError where error.code == .notFound {
      // Removed by retention since it was listed; its leaf list is looked at by others.
    } catch {
      add(0, [], "\(error)")
    }
    if !lost.isEmpty { notes.append(VerifyReport.Note(.lost, file: name, calls: lost, JournalAudit.lostMessage)) }
  }

  private mutating func add(_ offset: Int, _ calls: [CallID], _ message: String) {
    damage.append(Damage(file: name, offset: offset, calls: calls, message: message))
  }

  private mutating func run(_ segment: SegmentReader, _ onBytes: (Int) -> Void) throws {
    let everyCall = segment.entries.map(\.id)
    do {
      if try !segment.checkFrames() {
        if segment.place == nil, segment.problem == nil {
          let what = "it has no checksums of its bytes; its calls are checked by their content"
          notes.append(VerifyReport.Note(.old, file: name, what))
        } else if segment.problem == nil {
          add(0, everyCall, "the checksums of its bytes are missing")
        }
      }
    } catch let error as TapeError where error.code == .corrupt {
      if segment.problem == nil { add(0, everyCall, error.description) }
    }
    let size = try segment.size()
    var done = 0
    try segment.forEachItem { found in
      // What concerns the file as a whole concerns all of its calls.
      damage.append(found.offset == 0 && found.calls.isEmpty ? Damage(found, calls: everyCall) : found)
    } _: { item, location, _ in
      if location.offset > done {
        onBytes(location.offset - done)
        done = location.offset
      }
      check(item, location.offset)
    }
    onBytes(size - done)
  }

  private mutating func check(_ item: SegmentItem, _ offset: Int) {
    guard let call = item.call else {
      tombstones += 1
      return
    }
    calls += 1
    rawBytes += item.rawBytes
    if call.end == nil { lost.append(item.id) }
    if let problem = integrityProblem(of: call) { add(offset, [item.id], problem) }
  }
}

extension Damage {
  fileprivate init(_ other: Damage, calls: [CallID]) {
    self = other
    self.calls = calls
  }
}
