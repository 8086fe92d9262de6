internal import TapeArchive
internal import TapeCatalogue
package import TapeTypes

extension QueryEngine {
  /// The calls that a filter lets through, in the order of their start, in bounded memory: they are asked for page by
  /// page, so that no reader of a large store keeps its catalogue from being cleaned up.
  package func forEachEntry(_ filter: CallFilter, _ body: (CallEntry) throws -> Void) throws {
    var place: CallPlace?
    while true {
      var page: [CallEntry] = []
      var rows = 0
      let columns = "\(CallPlace.columns(.oldest)), \(CallEntry.columns)"
      try select(columns, filter, CallOrder(.oldest), after: place, Self.pageSize) { row in
        rows += 1
        place = CallPlace(row) ?? place
        if let entry = CallEntry(row, from: CallPlace.columnCount) { page.append(entry) }
      }
      for entry in page { try body(entry) }
      if rows < Self.pageSize { return }
    }
  }

  private static var pageSize: Int { 1_000 }
}

/// Reads calls that are asked for in about the order of their start. A block of a segment has many, so that from its
/// second call on all of it is decoded once and kept, up to a bound.
package final class CallLoader {
  /// Response bytes that are kept at most, beside one block.
  private static let mostBytes = 64 << 20
  private static let mostBlocks = 8

  private struct Block {
    let location: CallLocation
    var calls: [CallID: RecordedCall]
    let bytes: Int
  }

  private let engine: QueryEngine
  private var blocks: [Block] = []
  private var lastLocations: [CallLocation] = []

  package init(_ engine: QueryEngine) { self.engine = engine }

  /// - Throws: as `QueryEngine.recorded`.
  package func call(_ entry: CallEntry) throws -> RecordedCall {
    guard engine.isInSegment(entry) else { return try engine.recorded(entry) }
    if let index = blocks.firstIndex(where: { $0.location == entry.location }) {
      let call = blocks[index].calls.removeValue(forKey: entry.id)
      if blocks[index].calls.isEmpty { blocks.remove(at: index) }
      if let call { return call }
    } else if lastLocations.contains(entry.location) {
      if let call = try decode(entry) { return call }
    }
    lastLocations.removeAll { $0 == entry.location }
    lastLocations.append(entry.location)
    if lastLocations.count > Self.mostBlocks { lastLocations.removeFirst() }
    return try engine.recorded(entry)
  }

  /// Decodes the block of a call; nil where that cannot be done, or it does not have the call.
  private func decode(_ entry: CallEntry) throws -> RecordedCall? {
    var calls: [CallID: RecordedCall] = [:]
    var bytes = 0
    do {
      try engine.archive.neighbours(of: entry.location) { call, _ in
        calls[call.open.id] = call
        bytes += call.raw.count + call.frameCount * 16
      }
    } catch let error as TapeError where error.isDamage {
      return nil
    }
    let call = calls.removeValue(forKey: entry.id)
    blocks.append(Block(location: entry.location, calls: calls, bytes: bytes))
    while blocks.count > Self.mostBlocks || blocks.count > 1 && blocks.reduce(0, { $0 + $1.bytes }) > Self.mostBytes {
      blocks.removeFirst()
    }
    return call
  }
}

extension QueryEngine {
  fileprivate func isInSegment(_ entry: CallEntry) -> Bool {
    ArchiveFile.Kind(name: entry.location.file) == .segment
  }
}
