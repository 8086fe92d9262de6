internal import TapeTypes

/// The shapes of one call's frames, in the order in which they first came.
struct CallShapes {
  private(set) var shapes: [FrameShape] = []
  /// For each frame its shape.
  private(set) var frames: [Int32] = []
  /// For each frame where its values are, as far as that was kept.
  private(set) var found: [FoundValues] = []
  /// Start and end in the response of one value after the other.
  private(set) var spans: [Int] = []

  /// The values of a frame, as they were found for the holes that its shape had by then.
  struct FoundValues {
    var first: Int32
    /// -1 where they were not kept.
    var count: Int32
  }

  /// More are found again, which takes no memory.
  private static let mostSpans = 1 << 21

  /// Shapes with holes are looked for as long as there are fewer than this.
  private static let mostShapes = 64
  /// From so many on, a member such as `type` does not make a shape of its own any more: it may be a counter.
  private static let mostSplit = 24

  /// From so many on, a frame that is like no other is a value among others of its like: a shape of its own takes more
  /// memory and room than its bytes.
  private static let mostApart = 4096
  /// The shape of those.
  private var rest: Int?

  init(_ call: RecordedCall) {
    frames.reserveCapacity(call.frameCount)
    found.reserveCapacity(call.frameCount)
    call.raw.withUnsafeBufferPointer { raw in
      // An empty buffer has no address; its frames are empty.
      var nothing: UInt8 = 0
      withUnsafePointer(to: &nothing) { find(call, raw.baseAddress ?? $0) }
    }
  }

  private mutating func find(_ call: RecordedCall, _ raw: UnsafePointer<UInt8>) {
    let spans = UnsafeMutablePointer<Int>.allocate(capacity: 2 * FrameLexer.mostTokens + 2)
    defer { spans.deallocate() }
    var known: [Int: [Int]] = [:]
    var last = 0
    var start = 0
    for end in call.frameEnds {
      var values = FoundValues(first: 0, count: -1)
      let shape: Int
      if let match = match(raw, start..<end, last, spans) {
        shape = match
        values = keep(spans, of: shapes[match].holes.count)
      } else {
        shape = lexed(raw, start..<end, &known)
      }
      found.append(values)
      if last < shapes.count { shapes[last].next = shape }
      last = shape
      frames.append(Int32(shape))
      start = end
    }
    for shape in shapes { shape.setApartNoise(raw) }
  }

  private mutating func keep(_ new: UnsafeMutablePointer<Int>, of holes: Int) -> FoundValues {
    guard spans.count + 2 * holes <= Self.mostSpans else { return FoundValues(first: 0, count: -1) }
    defer { spans.append(contentsOf: UnsafeBufferPointer(start: new, count: 2 * holes)) }
    return FoundValues(first: Int32(spans.count), count: Int32(holes))
  }

  /// A shape that the frame has already. The likely ones are tried first.
  private func match(
    _ raw: UnsafePointer<UInt8>, _ frame: Range<Int>, _ last: Int, _ spans: UnsafeMutablePointer<Int>
  ) -> Int? {
    guard !shapes.isEmpty else { return nil }
    let next = shapes[last].next
    if next != rest, shapes[next].matches(raw, frame, spans) {
      shapes[next].count += 1
      return next
    }
    for index in 0..<min(shapes.count, Self.mostShapes) where index != next && shapes[index].matches(raw, frame, spans)
    {
      shapes[index].count += 1
      return index
    }
    return nil
  }

  private mutating func lexed(_ raw: UnsafePointer<UInt8>, _ frame: Range<Int>, _ known: inout [Int: [Int]]) -> Int {
    let bytes = UnsafeBufferPointer(start: raw + frame.lowerBound, count: frame.count)
    let tokens =
      shapes.count < Self.mostShapes ? FrameLexer.tokens(bytes, splitsByMembers: shapes.count < Self.mostSplit) : []
    let hash = FrameShape.skeletonHash(bytes, tokens)
    for index in known[hash] ?? [] where shapes[index].widen(raw, frame, tokens) {
      shapes[index].count += 1
      return index
    }
    if let rest {
      shapes[rest].count += 1
      return rest
    }
    guard shapes.count < Self.mostApart else {
      shapes.append(.any(example: frame))
      rest = shapes.count - 1
      return shapes.count - 1
    }
    shapes.append(FrameShape(example: frame, tokens: tokens))
    known[hash, default: []].append(shapes.count - 1)
    return shapes.count - 1
  }
}
