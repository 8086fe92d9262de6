package import TapeArchive
package import TapeTypes

/// Remembers what the clients of recorders got, and says what of it is not on tape.
package final class Oracle {
  /// How sure the recorder was of a piece when it handed it over.
  package enum Grip: Int, Comparable, Sendable {
    /// Staged; or handed over although the archive did not take it: may be on tape or not.
    case none
    /// Written: survives the death of the process.
    case written
    /// Synced: survives a loss of power.
    case synced

    package static func < (left: Grip, right: Grip) -> Bool { left.rawValue < right.rawValue }
  }

  /// A piece of a call, in the order of the call.
  struct Piece {
    var count: Int
    var grip = Grip.none
    /// The archive failed while it waited: it will never be more than it is.
    var isGivenUp = false
  }

  struct Frame {
    var bytes: [UInt8] = []
    var offsetNs: Int64?
    var pieces: [Piece] = []
    var isWhole = false

    /// The bytes that must be on tape, and whether it must be there as a whole.
    func required(_ grip: Grip) -> (bytes: Int, whole: Bool) {
      let safe = pieces.prefix { $0.grip >= grip }
      return (safe.reduce(0) { $0 + $1.count }, isWhole && safe.count == pieces.count)
    }
  }

  final class Call {
    let open: CallOpen
    var head: CallHead?
    var frames: [Frame] = []
    var cause: CallEnd.Cause?
    var openPiece = Piece(count: 0)
    var headPiece = Piece(count: 0)
    var endPiece = Piece(count: 0)
    /// A loss of power took pieces of it that were not synced: it need not be what its end says.
    var mayBeHurt = false
    var index: [Int64: Int] = [:]

    init(_ open: CallOpen) { self.open = open }

    func forEachPiece(_ body: (inout Piece) -> Void) {
      body(&openPiece)
      if head != nil { body(&headPiece) }
      for frame in frames.indices {
        for piece in frames[frame].pieces.indices { body(&frames[frame].pieces[piece]) }
      }
      if cause != nil { body(&endPiece) }
    }
  }

  private(set) var calls: [CallID: Call] = [:]

  package init() {}

  func add(_ call: Call) { calls[call.open.id] = call }

  package var callIDs: [CallID] { calls.keys.sorted() }

  /// A recorder died: what its clients did not get they never will.
  package func died(_ session: RecorderSession) {
    for call in session.calls {
      call.forEachPiece { if $0.grip == .none { $0.isGivenUp = true } }
    }
  }

  /// The power went: of what was not synced nothing is promised any more.
  package func powerWent() {
    for call in calls.values {
      var isHurt = false
      call.forEachPiece { piece in
        guard piece.grip < .synced else { return }
        (piece.grip, piece.isGivenUp) = (.none, true)
        isHurt = true
      }
      if isHurt { call.mayBeHurt = true }
    }
  }

  /// A disk has lied about its syncs.
  package func nothingIsSynced() {
    for call in calls.values { call.forEachPiece { if $0.grip == .synced { $0.grip = .written } } }
  }

  /// What is on tape now has survived, and has to go on surviving.
  package func settle(_ id: CallID) {
    calls[id]?.forEachPiece { if $0.grip == .written { $0.grip = .synced } }
  }

  // MARK: Checks

  /// What is wrong with what an archive gives; empty if nothing is.
  ///
  /// - Parameters:
  ///   - isDamaged: the archive says that something is wrong with it: what was not promised may be missing, and a call
  ///     not what its end says.
  ///   - mayMiss: damage was done: frames may be missing, none may be wrong.
  ///   - missing: calls that were taken out of the archive on purpose.
  package func problems(
    with tape: [CallID: RecordedCall], promised grip: Grip, isDamaged: Bool = false, mayMiss: Bool = false,
    without missing: Set<CallID> = []
  ) -> [String] {
    var problems: [String] = []
    for (id, call) in calls.sorted(by: { $0.key < $1.key }) where !missing.contains(id) {
      guard let taped = tape[id] else {
        if call.openPiece.grip >= grip, !mayMiss { problems.append("call \(id) is lost") }
        continue
      }
      if taped.open != call.open { problems.append("call \(id) has another open record") }
      if let head = taped.head, head != call.head { problems.append("call \(id) has another head") }
      if taped.head == nil, call.head != nil, call.headPiece.grip >= grip, !mayMiss {
        problems.append("call \(id) lost its head")
      }
      problems += check(call, taped, grip, mayMiss: mayMiss).map { "call \(id): \($0)" }
      if !isDamaged, !call.mayBeHurt, let problem = integrityProblem(of: taped) {
        problems.append("call \(id): \(problem)")
      }
    }
    for id in tape.keys where calls[id] == nil { problems.append("call \(id) was never made") }
    return problems
  }

  private func check(_ call: Call, _ taped: RecordedCall, _ grip: Grip, mayMiss: Bool) -> [String] {
    var problems: [String] = []
    var next = 0
    for position in 0..<taped.frameCount {
      let bytes = taped.raw[taped.frameRange(position)]
      guard let found = find(bytes, taped.frameOffsetNs(position), in: call, from: next) else {
        problems.append("frame \(position) on tape was never sent, or not there")
        continue
      }
      if !mayMiss { problems += missed(call, next..<found, grip) }
      next = found + 1
      let sent = call.frames[found]
      let (required, whole) = sent.required(grip)
      if !sent.bytes.starts(with: bytes) { problems.append("frame \(found) has other bytes") }
      if !mayMiss, bytes.count < required || (whole && bytes.count != sent.bytes.count) {
        problems.append("\(bytes.count) of \(required) bytes of frame \(found) are on tape")
      }
    }
    if !mayMiss { problems += missed(call, next..<call.frames.count, grip) }
    if let end = taped.end {
      if end.cause != call.cause { problems.append("it has another end") }
    } else if call.cause != nil, call.endPiece.grip >= grip, !mayMiss {
      problems.append("its end is lost")
    }
    return problems
  }

  private func find(_ bytes: ArraySlice<UInt8>, _ offsetNs: Int64?, in call: Call, from next: Int) -> Int? {
    if let offsetNs {
      guard let index = call.index[offsetNs], index >= next else { return nil }
      return index
    }
    return call.frames[next...].firstIndex { $0.bytes.elementsEqual(bytes) }
      ?? call.frames[next...].firstIndex { !$0.bytes.isEmpty && $0.bytes.starts(with: bytes) }
  }

  private func missed(_ call: Call, _ range: Range<Int>, _ grip: Grip) -> [String] {
    range.filter {
      let required = call.frames[$0].required(grip)
      return required.bytes > 0 || (required.whole && !call.frames[$0].pieces.isEmpty)
    }.map { "frame \($0) is lost" }
  }
}

/// One recorder at work: tells its writer and the oracle the same things.
package final class RecorderSession {
  package struct Handle {
    let call: Oracle.Call
    let handle: JournalWriter.Handle
    package var id: CallID { call.open.id }
  }

  package let writer: JournalWriter
  private let oracle: Oracle
  private let isStrict: Bool
  private var waiting: [Oracle.Call] = []
  private(set) var calls: [Oracle.Call] = []
  private var isFailing = false

  package init(
    store: Store, options: JournalOptions, clock: any TapeClock, oracle: Oracle
  ) throws {
    writer = try JournalWriter(store: store, options: options, clock: clock, log: .silent)
    self.oracle = oracle
    isStrict = options.durability == .strict
  }

  package func open(_ open: CallOpen) -> Handle {
    let call = Oracle.Call(open)
    oracle.add(call)
    calls.append(call)
    let handle = Handle(call: call, handle: writer.open(open))
    // The writer writes these later, whatever happens.
    touch(call)
    return handle
  }

  package func head(_ handle: Handle, _ head: CallHead) {
    handle.call.head = head
    writer.head(handle.handle, head)
    touch(handle.call)
  }

  /// Bytes of a frame that goes on.
  package func part(_ handle: Handle, offsetNs: Int64?, _ bytes: [UInt8]) {
    guard !bytes.isEmpty else { return }
    add(handle.call, offsetNs, bytes, ends: false)
    bytes.withUnsafeBytes { writer.part(handle.handle, offsetNs: offsetNs, $0) }
  }

  package func frame(_ handle: Handle, offsetNs: Int64?, _ bytes: [UInt8]) {
    add(handle.call, offsetNs, bytes, ends: true)
    bytes.withUnsafeBytes { writer.frame(handle.handle, offsetNs: offsetNs, $0) }
  }

  package func end(_ handle: Handle, offsetNs: Int64?, cause: CallEnd.Cause) {
    handle.call.cause = cause
    // A tail that was cut off is a frame too.
    if let last = handle.call.frames.indices.last { handle.call.frames[last].isWhole = true }
    writer.end(handle.handle, offsetNs: offsetNs, cause: cause)
    touch(handle.call)
  }

  /// Nothing more is known of this call.
  package func abandon(_ handle: Handle) {
    writer.abandon(handle.handle)
    if let last = handle.call.frames.indices.last { handle.call.frames[last].isWhole = true }
    touch(handle.call)
  }

  private func touch(_ call: Oracle.Call) {
    if !waiting.contains(where: { $0 === call }) { waiting.append(call) }
  }

  private func add(_ call: Oracle.Call, _ offsetNs: Int64?, _ bytes: [UInt8], ends: Bool) {
    if call.frames.last.map({ $0.isWhole }) ?? true {
      if let offsetNs { call.index[offsetNs] = call.frames.count }
      call.frames.append(Oracle.Frame(offsetNs: offsetNs))
    }
    let last = call.frames.count - 1
    call.frames[last].bytes += bytes
    call.frames[last].pieces.append(Oracle.Piece(count: bytes.count, isGivenUp: isFailing))
    call.frames[last].isWhole = ends
    touch(call)
  }

  /// Writes, then hands everything over, as a recorder does. False if the archive did not take it.
  @discardableResult
  package func flush() -> Bool {
    let result = writer.flush()
    let isTaken = result == .written
    for call in waiting {
      call.forEachPiece { piece in
        guard piece.grip == .none, !piece.isGivenUp else { return }
        if isTaken { piece.grip = isStrict ? .synced : .written }
      }
      if !isTaken { giveUp(call) }
    }
    // What is owed of a call that could not be written, its opening, head and end, comes with a later batch.
    if isTaken { waiting = [] }
    isFailing = !isTaken
    return isTaken
  }

  private func giveUp(_ call: Oracle.Call) {
    for frame in call.frames.indices {
      for piece in call.frames[frame].pieces.indices where call.frames[frame].pieces[piece].grip == .none {
        call.frames[frame].pieces[piece].isGivenUp = true
      }
    }
  }

  /// What the syncer does every 200 ms. False if it failed.
  @discardableResult
  package func sync() -> Bool {
    guard writer.syncStrictly() == nil else { return false }
    settle()
    return true
  }

  private func settle() {
    for call in calls { call.forEachPiece { if $0.grip == .written { $0.grip = .synced } } }
  }

  package func close() throws {
    _ = flush()
    try writer.close()
    settle()
  }
}
