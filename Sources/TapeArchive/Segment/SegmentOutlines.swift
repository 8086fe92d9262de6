package import TapeTypes

/// One call of a segment, read as far as it is asked for.
package struct SealedCall {
  package let id: CallID
  package let location: CallLocation
  package let leafHash: [UInt8]
  /// nil in a block coding that has none, `literal/1`.
  package let outline: CallOutline?
  private let block: SegmentBlock?
  private let index: Int
  private let decoded: RecordedCall?

  fileprivate init(_ call: RecordedCall, _ location: CallLocation, _ leafHash: [UInt8]) {
    id = call.open.id
    self.location = location
    self.leafHash = leafHash
    outline = nil
    block = nil
    index = 0
    decoded = call
  }

  fileprivate init(_ outline: CallOutline, _ leafHash: [UInt8], _ index: Int, of block: SegmentBlock) {
    id = outline.open.id
    location = block.location
    self.leafHash = leafHash
    self.outline = outline
    self.block = block
    self.index = index
    decoded = nil
  }

  /// The whole call: the first of a block's that is asked for has the block decoded.
  ///
  /// - Throws: if it is not what was written; `forEachOutline` reports that.
  package func call() throws -> RecordedCall {
    if let decoded { return decoded }
    guard let call = try readBlock() else { throw BlockError("its index does not fit its calls") }
    guard TapeArchive.leafHash(of: call) == leafHash else {
      throw BlockError("the call is not the one whose leaf hash is in the index")
    }
    return call
  }

  private func readBlock() throws -> RecordedCall? {
    do { return try block?.call(index) } catch let error as FileError { throw error } catch {
      throw BlockError("\(error)")
    }
  }
}

extension SegmentReader {
  /// Every call, in start order, as far as its outline where the block coding has outlines. Then only the checksums
  /// of cuts, arrival times and salts are looked at, and leaf hashes are what the index says.
  ///
  /// Damage goes to `onDamage`, and reading goes on behind it.
  /// - Throws: what `body` throws, unless that came from `SealedCall.call()`.
  package func forEachOutline(onDamage: (Damage) throws -> Void, _ body: (SealedCall) throws -> Void) throws {
    try forEachBlock(onDamage: onDamage) { number, location, expected in
      let block = SegmentBlock(file: file, number: number, entries: expected)
      func report(_ error: any Error, _ calls: [CallID]) throws {
        try onDamage(Damage(file: name, offset: location.offset, calls: calls, error: error))
      }
      var outlines: [CallOutline?]?
      do {
        let hasLeaves = expected.allSatisfy { $0.leafHash != nil }
        outlines = hasLeaves ? try block.outlines() : nil
        if outlines != nil { try block.checkRest() }
      } catch {
        return try report(error, expected.map(\.id))
      }
      guard let outlines else {
        return try forEachItem(inBlock: number, location, expected, onDamage: onDamage) { item, location, leafHash in
          if let call = item.call { try body(SealedCall(call, location, leafHash)) }
        }
      }
      for (index, entry) in expected.enumerated() {
        guard let outline = outlines[index], let leafHash = entry.leafHash else { continue }
        do {
          try body(SealedCall(outline, leafHash, index, of: block))
        } catch let error where error is BlockError || error is FileError {
          try report(error, [entry.id])
        }
      }
    }
  }
}
