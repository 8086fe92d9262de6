/// What one whole frame says, as places in its bytes: nothing is copied.
///
/// The WHATWG rules for one block; what lasts over blocks (the last event id) is `EventParser`'s.
package struct FrameFields: Sendable, Equatable {
  /// How many `data` lines the frame has.
  package private(set) var dataLines = 0
  /// The value of the only, or first, `data` line.
  package private(set) var firstData = 0..<0
  /// The value of the last `event` line.
  package private(set) var event: Range<Int>?
  /// A line is a comment or one of the fields data, event, id and retry.
  package private(set) var hasKnownLine = false
  /// A line is neither: in a whole body without a known line this is no event stream.
  package private(set) var hasOtherLine = false
  /// The frame ends in a blank line.
  package private(set) var isTerminated = false

  /// - Parameter isFirst: the frame is the first of its body, so it may start with a byte order mark.
  package init(_ frame: UnsafeRawBufferPointer, isFirst: Bool = false) {
    var lineFeeds = ByteFinder(0x0A)
    var carriageReturns = ByteFinder(0x0D)
    var position = isFirst && FrameFields.hasMark(frame) ? 3 : 0
    while position < frame.count {
      let lineFeed = lineFeeds.next(in: frame, from: position)
      let end = min(lineFeed, carriageReturns.next(in: frame, from: position))
      if end > position {
        note(FieldLine(frame, position..<end))
        isTerminated = false
      } else {
        isTerminated = true
      }
      position = end + 1
      if end != lineFeed, position < frame.count, frame[position] == 0x0A { position += 1 }
    }
  }

  private mutating func note(_ line: FieldLine) {
    if line.name == .other { hasOtherLine = true } else { hasKnownLine = true }
    if line.name == .event { event = line.value }
    guard line.name == .data else { return }
    if dataLines == 0 { firstData = line.value }
    dataLines += 1
  }

  /// The data of the block: its `data` values joined by LF, as the frame's own bytes.
  ///
  /// Calls `body` with nil if there is no `data` line. One line is lent where it lies; more are joined in a copy.
  package func withData<Result>(
    of frame: UnsafeRawBufferPointer, isFirst: Bool = false, _ body: (UnsafeRawBufferPointer?) -> Result
  ) -> Result {
    switch dataLines {
    case 0: return body(nil)
    case 1: return body(UnsafeRawBufferPointer(rebasing: frame[firstData]))
    default: return FrameFields.joinedData(of: frame, isFirst: isFirst).withUnsafeBytes { body($0) }
    }
  }

  private static func joinedData(of frame: UnsafeRawBufferPointer, isFirst: Bool) -> [UInt8] {
    var joined: [UInt8] = []
    joined.reserveCapacity(frame.count)
    var lineFeeds = ByteFinder(0x0A)
    var carriageReturns = ByteFinder(0x0D)
    var position = isFirst && hasMark(frame) ? 3 : 0
    while position < frame.count {
      let end = min(lineFeeds.next(in: frame, from: position), carriageReturns.next(in: frame, from: position))
      if end > position {
        let line = FieldLine(frame, position..<end)
        if line.name == .data {
          joined.append(contentsOf: frame[line.value])
          joined.append(0x0A)
        }
      }
      position = end + 1
    }
    joined.removeLast()
    return joined
  }

  private static func hasMark(_ frame: UnsafeRawBufferPointer) -> Bool {
    frame.count >= 3 && frame[0] == 0xEF && frame[1] == 0xBB && frame[2] == 0xBF
  }
}
