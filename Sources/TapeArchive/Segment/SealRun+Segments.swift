internal import Crypto
internal import Logging
internal import TapeTypes

/// What is not sealed yet is left to the next seal.
private struct SealStopped: Error {}

/// From calls to segments.
extension SealRun {
  private static let mostFailures = 100
  /// Bytes of requests and responses that are in memory together.
  private static let batchBytes = 16 << 20

  /// Writes calls into as many segments as they need, in the order of their start.
  mutating func write(_ calls: [Pending]) throws {
    let calls = calls.sorted { ($0.track.startedAtNs, $0.track.id) < ($1.track.startedAtNs, $1.track.id) }
    var start = 0
    while start < calls.count {
      var end = start
      var bytes = 0
      while end < calls.count, bytes < SegmentFormat.bytesPerSegment {
        bytes += calls[end].bytes
        end += 1
      }
      do { try writeParted(Array(calls[start..<end])) } catch is SealStopped {
        return leave(Array(calls[start...]))
      }
      start = end
    }
  }

  /// Writes a segment of these calls. One that does not come back as it was must not keep others from being sealed:
  /// they are parted until it stands alone.
  private mutating func writeParted(_ calls: [Pending]) throws {
    guard let first = calls.first else { return }
    do {
      try writeSegment(calls)
    } catch let error as UnsealableCalls {
      // What is on tape of them is not what was counted: then their hashes are what is on tape.
      let wrong = try callsOfOtherHash(calls)
      if !wrong.isEmpty {
        distrusted.formUnion(wrong)
        return try writeParted(calls)
      }
      guard calls.count > 1 else { return keep(first, error.description) }
      failures += 1
      // Then it is not the calls.
      guard failures < Self.mostFailures else { throw error }
      let suspects = calls.filter { error.ids.contains($0.track.id) }
      if suspects.isEmpty || suspects.count == calls.count {
        try writeParted(Array(calls[..<(calls.count / 2)]))
        try writeParted(Array(calls[(calls.count / 2)...]))
      } else {
        try writeParted(calls.filter { !error.ids.contains($0.track.id) })
        try writeParted(suspects)
      }
    }
  }

  private mutating func writeSegment(_ calls: [Pending]) throws {
    guard let first = calls.first else { return }
    let last = calls.last { $0.writer == first.writer } ?? first
    let name = try freeName(first.writer, first: first.track.number, last: last.track.number)
    let segment = try SegmentWriter(store: store, name: name, level: level, place: try growTree().next)
    var erased: [CallID] = []
    do {
      for batch in batches(of: calls) {
        try goOn()
        for call in try load(batch) {
          guard erasing.wants(call.open.id) else {
            try segment.add(.call(call), rawHash: statedHash(of: call))
            continue
          }
          try segment.add(.tombstone(erasing.tombstone(of: call, leafHash: leafHash(of: call))))
          erased.append(call.open.id)
        }
      }
      try segment.finish()
      try segment.readBack { try goOn() }
    } catch let error where error is BlockError || error is ZstdError {
      segment.discard()
      throw UnsealableCalls(segment.blockCalls, "\(error)")
    } catch let error where error is UnsealableCalls || error is SealStopped {
      segment.discard()
      throw error
    }
    try store.files.rename(segment.temporaryPath, to: segment.path)
    try store.files.syncDirectory(store.archivePath)
    buried.formUnion(erased)
    report.erasedCalls += erased
    tree?.append(segment.leaves)
    report.segments.append(name)
    report.sealedCalls += segment.calls
    report.rawBytes += segment.rawBytes
    report.segmentBytes += segment.size
  }

  /// The hash that the recorder counted for what is on tape. That it is the right one is seen when the segment is read
  /// back.
  private func statedHash(of call: RecordedCall) -> [UInt8]? {
    guard let end = call.end, end.frames == call.frameCount, end.bytes == call.raw.count, end.gapFrames == 0,
      end.gapBytes == 0, !distrusted.contains(call.open.id)
    else { return nil }
    return end.sha256
  }

  private func callsOfOtherHash(_ calls: [Pending]) throws -> [CallID] {
    var wrong: [CallID] = []
    for batch in batches(of: calls) {
      // Those that cannot be loaded are no matter of hashes.
      guard let loaded = try? load(batch) else { continue }
      for call in loaded {
        guard let stated = statedHash(of: call), stated != Array(SHA256.hash(data: call.raw)) else { continue }
        wrong.append(call.open.id)
      }
    }
    return wrong
  }

  /// - Throws: `SealStopped`.
  private func goOn() throws {
    if shouldStop() { throw SealStopped() }
  }

  /// Calls that are in memory together: those that streamed at the same time, as far as they are not many.
  private func batches(of calls: [Pending]) -> [[Pending]] {
    var batches: [[Pending]] = []
    var bytes = 0
    for item in calls {
      let isFull = bytes + item.bytes > Self.batchBytes || batches.last?.count == JournalLoader.mostCalls
      if batches.isEmpty || isFull {
        batches.append([])
        bytes = 0
      }
      batches[batches.count - 1].append(item)
      bytes += item.bytes
    }
    return batches
  }

  /// What is loaded is what was read before, or the call is not sealed.
  func load(_ items: [Pending]) throws -> [RecordedCall] {
    var calls = [RecordedCall?](repeating: nil, count: items.count)
    for (writer, places) in Dictionary(grouping: items.indices, by: { items[$0].writer }) {
      let wanted = places.map { JournalPlaces(items[$0].track, writer: writer) }
      let loaded = try JournalLoader(store: store, writer: writer).load(wanted)
      for (index, place) in places.enumerated() {
        if let call = loaded[index], wanted[index].fits(call) { calls[place] = call }
      }
    }
    let missing = items.indices.filter { calls[$0] == nil }.map { items[$0].track.id }
    guard missing.isEmpty else { throw UnsealableCalls(missing, "it cannot be read any more") }
    return calls.compactMap { $0 }
  }

  /// The name for a segment's first call. Never that of a file that is there: a damaged segment, or the leaf list of one
  /// that was removed, is not written over.
  private func freeName(_ writer: CallID, first: Int, last: Int) throws -> String {
    // Numbers of one writer mostly rise with the start, not always.
    var last = max(first, last)
    while true {
      let name = SegmentFormat.fileName(writer: writer, first: first, last: last)
      let others = [name, LeafList.fileName(ofSegment: name)]
      if try others.allSatisfy({ try store.files.status(store.archivePath + "/" + $0) == nil }) { return name }
      last += 1
    }
  }

  /// The store's tree as it is by now.
  mutating func growTree() throws -> GrowingTree {
    if let tree { return tree }
    let growing = try GrowingTree(store: store)
    for damage in growing.damage { log.error("\(damage)") }
    report.damage += growing.damage
    tree = growing
    return growing
  }
}
