import TapeJSON

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// A frame as it comes again and again: bytes that stay, and holes for the values that differ.
///
/// One hole at most has a piece of a text. The others have values that nobody looks at.
/// A class, since frames are held against it one after the other, and nothing of it changes.
final class ChunkShape: Sendable {
  private struct Hole {
    /// Where the bytes before it end in `literals`.
    var literalEnd: Int
    var kind: JSONSlice.Kind
    /// nil: its value is not looked at.
    var text: JoinedText?
  }

  /// What a frame of this shape says.
  struct Reading {
    var piece: JSONSlice
    var text: JoinedText
  }

  static let maximumFrame = 16 << 10
  private static let maximumHoles = 6

  /// What is between the holes, one behind the other.
  private let literals: [UInt8]
  private let holes: [Hole]
  /// Bytes of the frame before and behind its data.
  private let before: Int
  private let behind: Int

  /// The shape of a frame that was read.
  ///
  /// - Parameters:
  ///   - data: where its only data line's value is.
  ///   - trace: the pieces that it had, as places in the data.
  ///   - unread: values that were not looked at, as places in the data, which are to be holes.
  /// - Returns: nil if it is of no kind that could come again.
  init?(_ frame: UnsafeRawBufferPointer, data: Range<Int>, _ trace: ChunkTrace, unread: [JSONSlice]) {
    guard frame.count <= Self.maximumFrame, trace.pieces <= 1, !trace.hasFinal else { return nil }
    var places = unread.map { (slice: $0, text: JoinedText?.none) }
    if let piece = trace.piece { places.append((piece, trace.text)) }
    places.sort { $0.slice.range.lowerBound < $1.slice.range.lowerBound }
    guard places.count <= Self.maximumHoles else { return nil }
    var literals: [UInt8] = []
    literals.reserveCapacity(frame.count)
    var holes: [Hole] = []
    var end = 0
    for (slice, text) in places {
      let start = data.lowerBound + slice.range.lowerBound
      guard start >= end else { return nil }
      literals.append(contentsOf: frame[end..<start])
      holes.append(Hole(literalEnd: literals.count, kind: slice.kind, text: text))
      end = data.lowerBound + slice.range.upperBound
    }
    literals.append(contentsOf: frame[end...])
    self.literals = literals
    self.holes = holes
    (before, behind) = (data.lowerBound, frame.count - data.upperBound)
  }

  /// Whether a frame has this shape; `found` is then the piece in it, as a place in the frame.
  ///
  /// The bytes around a hole are the same, and what is in it is one JSON value of the same kind: so the lines of the
  /// frame and the places of all values are the same too.
  func matches(_ frame: UnsafeRawBufferPointer, found: inout Reading?) -> Bool {
    guard frame.count >= literals.count, let base = frame.baseAddress else { return false }
    return literals.withUnsafeBytes { literals in
      guard let known = literals.baseAddress else { return false }
      var position = 0
      var literal = 0
      for hole in holes {
        let count = hole.literalEnd - literal
        guard position + count <= frame.count, memcmp(base + position, known + literal, count) == 0 else {
          return false
        }
        position += count
        literal = hole.literalEnd
        var cursor = JSONCursor(frame, at: JSONSlice(kind: hole.kind, range: position..<position))
        guard let value = try? cursor.skipValue(), value.kind == hole.kind else { return false }
        if let text = hole.text { found = Reading(piece: value, text: text) }
        position = value.range.upperBound
      }
      return frame.count - position == literals.count - literal
        && memcmp(base + position, known + literal, frame.count - position) == 0
    }
  }

  /// The data of a frame of this shape without the piece in it.
  func emptied(_ frame: UnsafeRawBufferPointer, _ found: Reading?) -> [UInt8] {
    let data = before..<frame.count - behind
    guard let piece = found?.piece.range else { return Array(frame[data]) }
    return Array(frame[data.lowerBound..<piece.lowerBound]) + frame[piece.upperBound..<data.upperBound]
  }
}
