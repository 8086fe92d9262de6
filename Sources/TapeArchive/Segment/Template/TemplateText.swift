internal import TapeTypes

/// The lines of a block's text, given to the calls that they belong to.
struct TemplateText {
  struct Call {
    var body: [UInt8] = []
    /// For each template the frame that stands in the text; nil for those of the head.
    var frames: [[UInt8]?] = []
    /// For each column its values joined.
    var columns: [[UInt8]] = []
  }

  private(set) var calls: [Call] = []
  private let text: UnsafeBufferPointer<UInt8>
  private var position = 0

  /// - Throws: `BlockError` if the lines are not those that the head calls for.
  init(_ items: [TemplateHead], _ text: UnsafeBufferPointer<UInt8>, wanted: (Int) -> Bool) throws {
    self.text = text
    calls.reserveCapacity(items.count)
    for item in items {
      var call = Call()
      if item.tombstone == nil {
        let id = Array(item.id.description.utf8)
        call.body = try value(id, "/request") ?? []
        for template in item.templates { call.frames.append(template.literal == nil ? try value(id, "/frame").orThrow() : nil) }
        for column in item.columns {
          let isHere = column.firstFrame != nil && column.mode != .noise
          call.columns.append(isHere ? try value(id, column.path).orThrow() : [])
        }
      }
      calls.append(call)
    }
    for (index, item) in items.enumerated() {
      for (number, column) in item.columns.enumerated() where column.firstFrame != nil && column.mode == .noise {
        calls[index].columns[number] = try value(Array(item.id.description.utf8), column.path).orThrow()
      }
    }
    guard position == text.count else { throw BlockError("text that belongs to no call") }
  }

  /// The value of the next line, if it has this id and label; a value without bytes has no line.
  private mutating func value(_ id: [UInt8], _ label: String) throws -> [UInt8]? {
    let rest = UnsafeBufferPointer(rebasing: text[position...])
    let start = id + [0x20] + Array(label.utf8)
    guard rest.starts(with: start), rest.count > start.count, rest[start.count] == 0x20 || rest[start.count] == 0x5C
    else { return nil }
    guard let end = rest.position(of: 0x0A, from: 0) else { throw BlockError("a line without an end") }
    let line = UnsafeBufferPointer(rebasing: rest[start.count..<end])
    let (escapes, from) = try TapeText.Escapes.parse(line)
    position += end + 1
    return try TapeText.decode(UnsafeBufferPointer(rebasing: line[from...]), escapes)
  }
}

extension [UInt8]? {
  fileprivate func orThrow() throws -> [UInt8] {
    guard let self else { throw BlockError("text that its head promises and that is not there") }
    return self
  }
}

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

/// The numbers that differences add up to.
struct NumberReader {
  private let runs: [(step: Int, count: Int)]
  private var run = 0
  private var taken = 0
  private var value = 0

  init(_ runs: [(step: Int, count: Int)]) { self.runs = runs }

  var isAtEnd: Bool { run == runs.count }

  /// nil behind the last, and where the sum is no 64-bit number.
  mutating func next() -> Int? {
    guard run < runs.count else { return nil }
    let (sum, overflow) = value.addingReportingOverflow(runs[run].step)
    guard !overflow else { return nil }
    value = sum
    taken += 1
    if taken == runs[run].count { (run, taken) = (run + 1, 0) }
    return value
  }

  /// The last of `count` numbers, if there are exactly so many; nil if not, or for none.
  mutating func last(_ count: Int) -> Int? {
    var left = count
    for run in runs {
      let (product, overflow) = run.step.multipliedReportingOverflow(by: run.count)
      let (sum, overflow2) = value.addingReportingOverflow(product)
      guard !overflow, !overflow2, run.count <= left else { return nil }
      value = sum
      left -= run.count
    }
    return left == 0 && count > 0 ? value : nil
  }
}
