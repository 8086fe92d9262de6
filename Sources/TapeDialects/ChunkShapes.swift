import TapeJSON

/// The shapes of one call's frames. The frames of a call differ in few values, mostly in one piece of text: what is the
/// same as before need not be read again.
///
/// A frame whose shape is known adds the piece in it, and nothing else, if the frame without the piece leaves
/// everything as it is. That is tried when the shape is learnt, and again when something else has been read since.
/// What is not recognised is read in full.
struct ChunkShapes: Sendable {
  private struct Known {
    var shape: ChunkShape
    /// How many other frames had been read when it was last seen to change nothing.
    var provenAt: Int
  }

  private static let maximumShapes = 8
  /// What trying costs and what a frame that is recognised brings: a stream whose frames never come again is soon
  /// left alone.
  private static let (cost, limit) = (8, 64)

  private var known: [Known] = []
  /// The one that fitted last.
  private var latest = 0
  /// The one that goes next when there is no place.
  private var oldest = 0
  private var credit = limit
  /// Frames that were read in full.
  private(set) var fullReads = 0
  /// The values that nobody looked at in the frame that was read in full before.
  private var unread: [[UInt8]] = []

  /// Adds what a frame says if it is of a known shape; false if it has to be read in full.
  @inline(__always)
  mutating func read(_ frame: UnsafeRawBufferPointer, index: Int, into builder: inout GenerationBuilder) -> Bool {
    known.isEmpty ? false : readKnown(frame, index: index, into: &builder)
  }

  private mutating func readKnown(
    _ frame: UnsafeRawBufferPointer, index: Int, into builder: inout GenerationBuilder
  ) -> Bool {
    var found: ChunkShape.Reading?
    guard let place = place(of: frame, found: &found) else { return false }
    if known[place].provenAt != fullReads {
      guard pay() else { return false }
      builder.extra.unread = nil
      let chunk = known[place].shape.emptied(frame, found)
      guard Self.isSilent(chunk, index: index, builder) else { return false }
      known[place].provenAt = fullReads
    }
    latest = place
    credit = min(credit + 1, Self.limit)
    if let found { builder.append(found.piece, of: JSONCursor(frame), to: found.text) }
    return true
  }

  private func place(of frame: UnsafeRawBufferPointer, found: inout ChunkShape.Reading?) -> Int? {
    if known[latest].shape.matches(frame, found: &found) { return latest }
    for place in known.indices where place != latest {
      if known[place].shape.matches(frame, found: &found) { return place }
    }
    return nil
  }

  // MARK: Learning

  /// A frame is going to be read in full.
  mutating func willRead(into builder: inout GenerationBuilder) {
    fullReads += 1
    builder.trace = ChunkTrace()
    builder.extra.unread = credit >= Self.cost ? [] : nil
  }

  /// A frame was read in full, and its data is a chunk that is no error.
  mutating func learn(
    _ frame: UnsafeRawBufferPointer, data: Range<Int>, index: Int, from builder: inout GenerationBuilder
  ) {
    let trace = builder.trace
    // As long as the dialect is not known, each chunk is asked for it.
    guard let places = builder.extra.unread, builder.dialect != .unknown, frame.count <= ChunkShape.maximumFrame, pay()
    else { return }
    builder.extra.unread = nil
    let values = places.map {
      Array(frame[data.lowerBound + $0.range.lowerBound..<data.lowerBound + $0.range.upperBound])
    }
    // Of what nobody looks at, only what differs from frame to frame.
    let differing = values.count == unread.count ? places.indices.filter { values[$0] != unread[$0] } : []
    unread = values
    guard let shape = ChunkShape(frame, data: data, trace, unread: differing.map { places[$0] }) else { return }
    var found: ChunkShape.Reading?
    guard shape.matches(frame, found: &found), Self.isSilent(shape.emptied(frame, found), index: index + 1, builder)
    else { return }
    add(Known(shape: shape, provenAt: fullReads))
  }

  private mutating func add(_ shape: Known) {
    guard known.count == Self.maximumShapes else {
      latest = known.count
      return known.append(shape)
    }
    known[oldest] = shape
    latest = oldest
    oldest = (oldest + 1) % Self.maximumShapes
  }

  private mutating func pay() -> Bool {
    guard credit >= Self.cost else { return false }
    credit -= Self.cost
    return true
  }

  /// Whether a chunk at a later place leaves everything as it is.
  private static func isSilent(_ chunk: [UInt8], index: Int, _ builder: GenerationBuilder) -> Bool {
    var after = builder
    return chunk.withUnsafeBytes { chunk in
      do throws(JSONError) {
        try after.dialect.grammar.merge(chunk, frame: index, into: &after)
      } catch {
        return false
      }
      return after == builder
    }
  }
}
