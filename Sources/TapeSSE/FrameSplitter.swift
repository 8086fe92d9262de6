/// Cuts the bytes of a response body into frames, for every chunking the same ones.
///
/// A frame is one SSE block: its lines through the blank line that ends it, with line ends
/// LF, CR and CRLF in any mix. Rules beside that:
/// - A blank line where a block could start is a frame of its own, so `a LF LF LF` is two frames.
/// - An LF right behind the CR that ended a block belongs to that block.
/// - A byte order mark at the very start is part of the first frame; it does not make a blank line full.
/// - What is left behind the last blank line is the last, unterminated frame.
///
/// The splitter keeps no bytes: pieces of a frame go to the caller as they come, and the
/// pieces of all frames joined are the input, byte for byte. Source: WHATWG HTML 9.2.5.
package struct FrameSplitter: Sendable {
  package enum Mode: Sendable {
    /// The body is `text/event-stream`: one frame a block.
    case events
    /// The body is anything else: one frame for all of it.
    case opaque
  }

  package enum Piece: Sendable, Equatable {
    /// Bytes of a frame whose end is not known yet.
    case part
    /// The frame's last bytes, perhaps none: the frame is its parts since the last frame and these.
    case frame
  }

  /// Gets a piece, the arrival time of the read that it counts for, and bytes valid only during the call.
  package typealias Delivery = (_ piece: Piece, _ offsetNs: Int64, _ bytes: UnsafeRawBufferPointer) -> Void

  private let mode: Mode
  /// The current line has bytes (a byte order mark at the start of the body does not count).
  private var lineHasBytes = false
  /// The last byte was a CR inside a block: an LF that follows belongs to the same line end.
  private var afterCR = false
  /// The last byte was the CR that ended a block; the frame is out but for an LF that may follow.
  private var heldByCR = false
  /// Bytes of the current frame have been delivered as parts.
  private var hasPending = false
  /// Arrival of the read that brought the last byte of the current frame.
  private var pendingNs: Int64 = 0
  /// How many bytes of a byte order mark have been seen at the start; 3 or more: no longer looked for.
  private var markBytes = 0

  package init(mode: Mode = .events) { self.mode = mode }

  /// Takes the bytes of one read. Delivers every frame that they end, then what is left as a part.
  ///
  /// - Parameter offsetNs: when the read returned; it is the time of each frame that ends in it.
  package mutating func feed(_ bytes: UnsafeRawBufferPointer, offsetNs: Int64, _ deliver: Delivery) {
    guard bytes.count > 0 else { return }
    var start = 0
    if mode == .events {
      if heldByCR { start = releaseHeld(bytes, deliver) }
      start = splitBlocks(bytes, from: start, offsetNs: offsetNs, deliver)
    }
    if start < bytes.count {
      deliver(.part, offsetNs, UnsafeRawBufferPointer(rebasing: bytes[start...]))
      hasPending = true
      pendingNs = offsetNs
    }
  }

  /// The body has ended: delivers the frame that is still out, with the time of its last byte.
  ///
  /// - Returns: false if that frame is an unterminated tail.
  @discardableResult
  package mutating func finish(_ deliver: Delivery) -> Bool {
    defer { self = FrameSplitter(mode: mode) }
    guard hasPending else { return true }
    deliver(.frame, pendingNs, UnsafeRawBufferPointer(start: nil, count: 0))
    return heldByCR || mode == .opaque
  }

  /// Ends the frame that waits behind its CR; it takes the first byte if that is an LF.
  private mutating func releaseHeld(_ bytes: UnsafeRawBufferPointer, _ deliver: Delivery) -> Int {
    let taken = bytes[0] == 0x0A ? 1 : 0
    heldByCR = false
    hasPending = false
    deliver(.frame, pendingNs, UnsafeRawBufferPointer(rebasing: bytes[..<taken]))
    return taken
  }

  /// Delivers all blocks that end in `bytes` and returns where the unfinished rest starts.
  private mutating func splitBlocks(
    _ bytes: UnsafeRawBufferPointer, from first: Int, offsetNs: Int64, _ deliver: Delivery
  ) -> Int {
    var start = first
    var position = skipMark(bytes, from: first)
    var lineFeeds = ByteFinder(0x0A)
    var carriageReturns = ByteFinder(0x0D)
    if afterCR, position < bytes.count {
      afterCR = false
      if bytes[position] == 0x0A { position += 1 }
    }
    while position < bytes.count {
      let lineFeed = lineFeeds.next(in: bytes, from: position)
      let end = min(lineFeed, carriageReturns.next(in: bytes, from: position))
      if end > position { lineHasBytes = true }
      guard end < bytes.count else { break }
      position = end + 1
      let isCR = end != lineFeed
      let endsBlock = !lineHasBytes
      lineHasBytes = false
      if isCR {
        if position == bytes.count {
          // Whether an LF follows is known with the next read, or at the end.
          afterCR = !endsBlock
          heldByCR = endsBlock
          break
        }
        if bytes[position] == 0x0A { position += 1 }
      }
      if endsBlock {
        hasPending = false
        deliver(.frame, offsetNs, UnsafeRawBufferPointer(rebasing: bytes[start..<position]))
        start = position
      }
    }
    return start
  }

  /// Steps over a byte order mark at the start of the body, also one that comes in pieces.
  private mutating func skipMark(_ bytes: UnsafeRawBufferPointer, from first: Int) -> Int {
    var position = first
    while markBytes < 3, position < bytes.count {
      let expected: UInt8 = markBytes == 0 ? 0xEF : markBytes == 1 ? 0xBB : 0xBF
      guard bytes[position] == expected else {
        // A part of a mark is ordinary bytes of the first line.
        if markBytes > 0 { lineHasBytes = true }
        markBytes = 3
        break
      }
      markBytes += 1
      position += 1
    }
    return position
  }
}

extension FrameSplitter {
  /// The frames of a whole body: for each the offset behind its last byte, and whether the last one is terminated.
  package static func split(_ body: [UInt8], mode: Mode = .events) -> (frameEnds: [Int], isTerminated: Bool) {
    var splitter = FrameSplitter(mode: mode)
    var ends: [Int] = []
    var position = 0
    let note: Delivery = { piece, _, bytes in
      position += bytes.count
      if piece == .frame { ends.append(position) }
    }
    body.withUnsafeBytes { splitter.feed($0, offsetNs: 0, note) }
    let isTerminated = splitter.finish(note)
    return (ends, isTerminated)
  }
}
