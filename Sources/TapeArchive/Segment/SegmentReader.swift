package import TapeTypes

/// One line of a segment's index.
package struct SegmentEntry: Sendable, Equatable {
  package var id: CallID
  package var startedAtNs: Int64
  /// Offset of the call's block in the file.
  package var blockOffset: Int
  package var frames: Int
  package var bytes: Int
}

/// One sealed file. Keeps it open while it lives.
package struct SegmentReader {
  private let file: SegmentFile
  /// The calls in the order of the file, which is that of their start.
  package let entries: [SegmentEntry]

  /// What is wrong with seek table or index: then the blocks were looked for, and what they hold is all there is.
  package let problem: String?

  package var name: String { file.name }

  /// Opens the segment and reads its index; without one, the heads of its blocks.
  ///
  /// - Throws: `TapeError` `.notFound`, `.newerVersion`, `.corrupt`, `.io`.
  package init(store: Store, name: String) throws {
    file = try SegmentFile(store: store, name: name)
    do {
      entries = try file.index()
      problem = file.problem
    } catch let error as FileError {
      throw file.wrapped(error)
    } catch {
      entries = file.entriesOfHeads()
      problem = file.problem ?? "its index: \(error)"
    }
  }

  /// Every call, in start order, with its leaf hash.
  ///
  /// - Throws: `TapeError` `.corrupt` at the first block that cannot be read, and what `body` throws.
  package func forEachCall(_ body: (RecordedCall, CallLocation, _ leafHash: [UInt8]) throws -> Void) throws {
    try forEachCall(orElse: { throw file.corrupt("\($0)") }, body)
  }

  /// The same; damage goes to `onDamage`, and reading goes on behind it.
  package func forEachCall(
    onDamage: (Damage) -> Void, _ body: (RecordedCall, CallLocation, _ leafHash: [UInt8]) throws -> Void
  ) throws {
    try forEachCall(orElse: onDamage, body)
  }

  private func forEachCall(
    orElse onDamage: (Damage) throws -> Void,
    _ body: (RecordedCall, CallLocation, _ leafHash: [UInt8]) throws -> Void
  ) throws {
    if let problem { try onDamage(Damage(file: file.name, offset: 0, calls: [], message: problem)) }
    var named = Dictionary(grouping: entries, by: \.blockOffset)
    for block in 0..<file.blockCount {
      let location = CallLocation(file: file.name, offset: file.blockOffset(block))
      let expected = named.removeValue(forKey: location.offset) ?? []
      let calls: [RecordedCall]
      do {
        calls = try file.calls(inBlock: block)
        guard fits(calls, expected) else { throw BlockError("its index does not fit its calls") }
      } catch {
        let damage = Damage(
          file: file.name, offset: location.offset, calls: expected.map(\.id), message: "\(error)")
        try onDamage(damage)
        continue
      }
      for call in calls { try body(call, location, leafHash(of: call)) }
    }
    for (offset, missing) in named.sorted(by: { $0.key < $1.key }) {
      let damage = Damage(
        file: file.name, offset: offset, calls: missing.map(\.id), message: "its index names calls that are not there")
      try onDamage(damage)
    }
  }

  private func fits(_ calls: [RecordedCall], _ expected: [SegmentEntry]) -> Bool {
    calls.count == expected.count
      && zip(calls, expected).allSatisfy {
        $0.open.id == $1.id && $0.open.startedAtNs == $1.startedAtNs && $0.frameCount == $1.frames
          && $0.raw.count == $1.bytes
      }
  }

  /// One call, by decoding one block.
  ///
  /// - Parameter offset: where its block starts.
  /// - Throws: `TapeError` `.notFound`, `.corrupt`.
  package func call(at offset: Int, id: CallID) throws -> RecordedCall { try file.call(at: offset, id: id) }
}

extension SegmentFile {
  /// One call, by decoding one block; the index is not needed.
  func call(at offset: Int, id: CallID) throws -> RecordedCall {
    guard let block = block(at: offset) else {
      throw TapeError(.notFound, "the segment \(name) has no block at byte \(offset)")
    }
    do {
      guard let call = try calls(inBlock: block, only: id).first else {
        throw TapeError(.notFound, "the block at byte \(offset) of the segment \(name) has no call \(id)")
      }
      return call
    } catch let error as BlockError {
      throw corrupt("\(error), in the block at byte \(offset), when reading call \(id)")
    } catch {
      throw wrapped(error)
    }
  }
}
