internal import TapeTypes

/// The values of one field over a call's frames.
final class ColumnValues {
  let path: [UInt8]
  let isNumber: Bool
  fileprivate(set) var bytes: [UInt8] = []
  /// Of each value.
  fileprivate(set) var lengths: [Int] = []
  /// First frame whose value is not empty.
  fileprivate(set) var firstFrame: Int?

  fileprivate init(path: [UInt8], isNumber: Bool) {
    self.path = path
    self.isNumber = isNumber
  }
}

/// One call as templates and columns.
struct CallColumns {
  let shapes: [FrameShape]
  /// For each frame its shape.
  let frames: [Int32]
  private(set) var columns: [ColumnValues] = []
  /// For each shape the columns of its holes.
  private(set) var holes: [[Int]]

  init(_ call: RecordedCall) {
    let found = CallShapes(call)
    shapes = found.shapes
    frames = found.frames
    holes = []
    var known: [[UInt8]: Int] = [:]
    for shape in shapes {
      holes.append(
        shape.holes.map { hole in
          let token = shape.tokens[hole]
          let isNumber = token.kind == .number
          let key = token.path + [isNumber ? 0x23 : 0x24]
          if let column = known[key] { return column }
          columns.append(ColumnValues(path: token.path, isNumber: isNumber))
          known[key] = columns.count - 1
          return columns.count - 1
        })
    }
    call.raw.withUnsafeBufferPointer { raw in
      if let raw = raw.baseAddress { collect(call.frameEnds, raw, found) }
    }
  }

  private func collect(_ ends: [Int], _ raw: UnsafePointer<UInt8>, _ found: CallShapes) {
    let again = UnsafeMutablePointer<Int>.allocate(capacity: 2 * FrameLexer.mostTokens + 2)
    defer { again.deallocate() }
    var start = 0
    found.spans.withUnsafeBufferPointer { kept in
      for (frame, end) in ends.enumerated() {
        let shape = Int(frames[frame])
        let values = found.found[frame]
        if holes[shape].isEmpty {
          // Nothing varies.
        } else if values.count == holes[shape].count, let kept = kept.baseAddress {
          add(kept + Int(values.first), of: frame, holes[shape], raw)
        } else if shapes[shape].matches(raw, start..<end, again) {
          // It matched with fewer holes before; the others are tokens like its own.
          add(again, of: frame, holes[shape], raw)
        }
        start = end
      }
    }
  }

  @inline(__always)
  private func add(_ spans: UnsafePointer<Int>, of frame: Int, _ holes: [Int], _ raw: UnsafePointer<UInt8>) {
    for (index, hole) in holes.enumerated() {
      let column = columns[hole]
      let length = spans[2 * index + 1] - spans[2 * index]
      column.bytes.append(contentsOf: UnsafeBufferPointer(start: raw + spans[2 * index], count: length))
      column.lengths.append(length)
      if length > 0, column.firstFrame == nil { column.firstFrame = frame }
    }
  }
}
