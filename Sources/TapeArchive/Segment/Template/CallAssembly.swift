internal import TapeTypes

/// Puts a call's frames together.
struct CallAssembly {
  private let item: TemplateHead
  private let text: TemplateText.Call
  private let ends: [[Int]]

  /// - Parameter ends: of each column's values.
  init(_ item: TemplateHead, _ text: TemplateText.Call, _ ends: [[Int]]) {
    self.item = item
    self.text = text
    self.ends = ends
  }

  /// - Throws: `BlockError` if it comes to other sizes than the head says.
  func assemble() throws -> (raw: [UInt8], ends: [Int]) {
    var frameEnds: [Int] = []
    frameEnds.reserveCapacity(item.frames)
    var readers = item.columns.enumerated().map { index, column in
      ColumnReader(bytes: text.columns[index], ends: ends[index], numbers: column.mode == nil ? column.numbers : nil)
    }
    let raw = try [UInt8](unsafeUninitializedCapacity: item.bytes) { buffer, count in
      count = try fill(buffer, &readers, &frameEnds)
    }
    guard raw.count == item.bytes, readers.allSatisfy(\.isAtEnd) else {
      throw BlockError("call \(item.id) has not the bytes that it counts")
    }
    return (raw, frameEnds)
  }

  private func fill(
    _ buffer: UnsafeMutableBufferPointer<UInt8>, _ readers: inout [ColumnReader], _ frameEnds: inout [Int]
  ) throws -> Int {
    var out = FrameOutput(buffer)
    for run in item.order {
      let template = item.templates[run.template]
      let literal = template.literal ?? text.frames[run.template] ?? []
      for _ in 0..<run.count {
        var start = 0
        for hole in template.holes {
          guard out.append(literal, start, hole.offset), readers[hole.column].next(into: &out) else {
            throw BlockError("a frame of call \(item.id) that does not fit")
          }
          start = hole.offset
        }
        guard out.append(literal, start, literal.count) else {
          throw BlockError("a frame of call \(item.id) that does not fit")
        }
        frameEnds.append(out.count)
      }
    }
    return out.count
  }
}

/// Bytes written to a buffer, never beyond it.
struct FrameOutput {
  private let buffer: UnsafeMutableBufferPointer<UInt8>
  private(set) var count = 0

  init(_ buffer: UnsafeMutableBufferPointer<UInt8>) { self.buffer = buffer }

  /// False if they do not fit.
  @inline(__always)
  mutating func append(_ bytes: [UInt8], _ start: Int, _ end: Int) -> Bool {
    let length = end - start
    guard length <= buffer.count - count else { return false }
    guard length > 0, let to = buffer.baseAddress else { return true }
    bytes.withUnsafeBufferPointer { from in
      if let from = from.baseAddress { (to + count).update(from: from + start, count: length) }
    }
    count += length
    return true
  }
}

/// One column's values, one after the other.
private struct ColumnReader {
  private let bytes: [UInt8]
  private let ends: [Int]
  private var numbers: NumberReader?
  private var next = 0
  private var start = 0

  init(bytes: [UInt8], ends: [Int], numbers: [(step: Int, count: Int)]?) {
    self.bytes = bytes
    self.ends = ends
    self.numbers = numbers.map { NumberReader($0) }
  }

  var isAtEnd: Bool { numbers?.isAtEnd ?? (next == ends.count) }

  @inline(__always)
  mutating func next(into out: inout FrameOutput) -> Bool {
    if numbers != nil {
      guard let number = numbers?.next() else { return false }
      var digits: [UInt8] = []
      Decimal.append(number, to: &digits)
      return out.append(digits, 0, digits.count)
    }
    guard next < ends.count else { return false }
    let end = ends[next]
    next += 1
    defer { start = end }
    return out.append(bytes, start, end)
  }
}
