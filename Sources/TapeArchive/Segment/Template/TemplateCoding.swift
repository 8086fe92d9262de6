internal import Crypto
internal import TapeJSON
internal import TapeTypes

/// `template/1`: what frames have in common once, what differs as joined text, and apart from that where it was cut.
struct TemplateCoding: OutlineCoding {
  static let name = "template/1"
  static let roles: [EncodedBlock.Role] = [.head, .text, .cuts, .times, .proofs]

  init() {}

  func entries(head: [UInt8], blockOffset: Int) throws -> [SegmentEntry] {
    try TemplateHead.parse(head).map {
      SegmentEntry(
        id: $0.id, startedAtNs: $0.startedAtNs, blockOffset: blockOffset, frames: $0.frames, bytes: $0.bytes,
        leafHash: $0.tombstone?.leafHash, isErased: $0.tombstone != nil)
    }
  }

  // MARK: Outlines

  func outlines(head: [UInt8], text: [UInt8]) throws -> [CallOutline?] {
    let items = try TemplateHead.parse(head)
    return try text.withUnsafeBufferPointer { text in
      let lines = try TemplateText(items, text)
      return try items.enumerated().map { index, item in
        item.tombstone == nil ? try outline(item, lines.calls[index]) : nil
      }
    }
  }

  private func outline(_ item: TemplateHead, _ text: TemplateText.Call) throws -> CallOutline {
    let parts = try CallParts(item, body: text.body, salt: [])
    let counts = try item.valueCounts()
    let columns = try item.columns.enumerated().map { index, column in
      try self.column(column, text.columns[index], item, count: counts[index])
    }
    let templates = item.templates.enumerated().map { index, template in
      Self.template(literal: template.literal ?? text.frames[index] ?? [], template.holes)
    }
    return CallOutline(
      open: parts.open, head: parts.head, end: parts.end, loss: parts.loss, hashFollows: parts.hashFollows,
      frames: item.frames,
      bytes: item.bytes, firstFrameNs: item.firstFrameNs, longestGapNs: item.longestGapNs, templates: templates,
      runs: item.order, columns: columns)
  }

  private func column(
    _ column: TemplateHead.Column, _ bytes: [UInt8], _ item: TemplateHead, count: Int
  ) throws -> CallOutline.Column {
    var result = CallOutline.Column(
      kind: column.mode == nil ? .number : .text, path: column.path, bytes: bytes, isPlain: column.isPlain,
      hasRepeat: column.hasRepeat, count: count, firstFrame: column.firstFrame, firstNs: nil, lastValue: [])
    if column.mode == nil {
      var numbers = NumberReader(column.numbers)
      guard let last = numbers.last(count) else { throw BlockError("a column of numbers") }
      Decimal.append(last, to: &result.lastValue)
      // Every value is a number, so the first frame with the column has one.
      result.firstFrame = Self.firstFrame(of: result, item)
      return result
    }
    if let base = item.firstFrameNs, let offset = column.firstNs { result.firstNs = base &+ offset }
    return result
  }

  private static func firstFrame(of column: CallOutline.Column, _ item: TemplateHead) -> Int? {
    var frame = 0
    for run in item.order {
      let holes = item.templates[run.template].holes
      if holes.contains(where: { item.columns[$0.column].mode == nil && item.columns[$0.column].path == column.path }) {
        return frame
      }
      frame += run.count
    }
    return nil
  }

  private static func template(literal: [UInt8], _ holes: [(column: Int, offset: Int)]) -> CallOutline.Template {
    var literals: [[UInt8]] = []
    var start = 0
    for hole in holes {
      literals.append(Array(literal[start..<hole.offset]))
      start = hole.offset
    }
    literals.append(Array(literal[start...]))
    return CallOutline.Template(literals: literals, holes: holes.map(\.column))
  }

  // MARK: Decoding

  func decode(_ block: EncodedBlock, only id: CallID?) throws -> [SegmentItem] {
    var found: [SegmentItem] = []
    try forEachItem(block, only: id) { found.append($0.item) }
    return found
  }

  func forEachItem(_ block: EncodedBlock, _ body: (HashedItem) throws -> Void) throws {
    try forEachItem(block, only: nil, body)
  }

  private func forEachItem(_ block: EncodedBlock, only id: CallID?, _ body: (HashedItem) throws -> Void) throws {
    let items = try TemplateHead.parse(block[.head], upTo: id)
    let target = id.map { id in items.firstIndex { $0.id == id } ?? items.count }
    if target == items.count { return }
    try checkSizes(items, block, only: id)
    try block[.text].withUnsafeBufferPointer { text in
      let lines = try TemplateText(items, text, only: target)
      let ends = try self.ends(items, lines, block[.cuts], only: target)
      var salts = ByteReader(block[.proofs])
      var times = try GroupedTimes.Decoder(block[.times])
      for (index, item) in items.prefix(target.map { $0 + 1 } ?? items.count).enumerated() {
        let isWanted = target == nil || target == index
        if let tombstone = item.tombstone {
          if isWanted { try body(HashedItem(item: .tombstone(tombstone))) }
          continue
        }
        guard let length = salts.varint(), let salt = salts.take(length) else { throw BlockError("too few salts") }
        guard isWanted else {
          if item.hasTimes { try times.skip(item.frames) }
          continue
        }
        let offsets = item.hasTimes ? try times.next(item.frames) : []
        let assembled = try CallAssembly(item, lines.calls[index], ends[index]).assemble()
        let parts = try CallParts(item, body: lines.calls[index].body, salt: Array(salt))
        try body(parts.call(raw: assembled.raw, ends: assembled.ends, offsets: offsets))
      }
      guard target != nil || salts.isAtEnd && times.isAtEnd else { throw BlockError("bytes that belong to no call") }
    }
  }

  /// Few bytes of a block may stand for many of a call. More than what the most uniform real stream comes to is not
  /// believed before memory is taken.
  private func checkSizes(_ items: [TemplateHead], _ block: EncodedBlock, only id: CallID?) throws {
    var size = 0
    for item in items where id == nil || id == item.id { size += item.bytes + 16 * item.frames }
    guard size <= SegmentFormat.largestBlock, size >> 15 <= SegmentFormat.freeBytes >> 15 + block.storedBytes else {
      throw BlockError("a block that claims to hold \(size) bytes")
    }
  }

  /// For each call and column the ends of its values in the joined bytes; empty for numbers.
  ///
  /// - Parameter target: the one call whose ends are wanted; of those behind it only what has to be skipped is read.
  private func ends(
    _ items: [TemplateHead], _ lines: TemplateText, _ cuts: [UInt8], only target: Int?
  ) throws -> [[[Int]]] {
    var decoder = try CutDecoder(cuts)
    var ends = items.map { [[Int]](repeating: [], count: $0.columns.count) }
    for isNoise in [false, true] {
      for (index, item) in items.enumerated() where !item.columns.isEmpty {
        // Behind the one that is wanted there is something to skip only where noise comes last.
        if let target, isNoise ? index > target || !items[target].hasNoise : index > target && !items[target].hasNoise {
          break
        }
        let counts = try item.valueCounts()
        for (number, column) in item.columns.enumerated() {
          guard let mode = column.mode, (mode == .noise) == isNoise else { continue }
          let bytes = lines.calls[index].columns.isEmpty ? [] : lines.calls[index].columns[number]
          switch mode {
          case .words:
            guard index <= target ?? index else { continue }
            if index < target ?? 0 {
              try skipWords(lines.calls[index].lessons[number], count: counts[number], &decoder)
              continue
            }
            ends[index][number] = try bytes.withUnsafeBufferPointer { try decoder.words(count: counts[number], of: $0) }
          case .lengths, .noise:
            if target == nil || target == index {
              ends[index][number] = try decoder.lengths(count: counts[number], size: bytes.count)
            } else {
              try decoder.skipLengths(count: counts[number])
            }
          }
        }
      }
    }
    guard target != nil || decoder.isAtEnd else { throw BlockError("cuts that belong to no call") }
    return ends
  }
}

private func skipWords(_ value: TextValue?, count: Int, _ decoder: inout CutDecoder) throws {
  let nothing = UnsafeBufferPointer<UInt8>(start: nil, count: 0)
  guard let value else { return try decoder.skipWords(count: count, of: nothing) }
  try value.withBytes { try decoder.skipWords(count: count, of: $0) }
}

/// The JSON lines of a call.
private struct CallParts {
  var open: CallOpen
  var head: CallHead?
  /// With the hash if the line has it.
  var end: CallEnd?
  /// In the place of the end.
  var loss: CallLoss?
  var hashFollows = false

  init(_ item: TemplateHead, body: [UInt8], salt: [UInt8]) throws {
    guard let value = try? JSONValue(parsing: item.open),
      let open = CallCoding.open(value, id: item.id, startedAtNs: item.startedAtNs, body: body, salt: salt)
    else { throw BlockError("the open line of call \(item.id)") }
    self.open = open
    if let line = item.head {
      guard let head = (try? JSONValue(parsing: line)).flatMap({ CallCoding.head($0) }) else {
        throw BlockError("the head line of call \(item.id)")
      }
      self.head = head
    }
    if let line = item.end {
      var follows = false
      let empty = [UInt8](repeating: 0, count: 32)
      let value = try? JSONValue(parsing: line)
      loss = value.flatMap { CallCoding.loss($0) }
      if loss != nil { return }
      let end = value.flatMap {
        CallCoding.end($0, counted: (item.frames, item.bytes)) {
          follows = true
          return empty
        }
      }
      guard var end else { throw BlockError("the end line of call \(item.id)") }
      if follows { end.sha256 = nil }
      (self.end, hashFollows) = (end, follows)
    }
  }

  func call(raw: [UInt8], ends: [Int], offsets: [Int64]) -> HashedItem {
    var end = end
    let hash = hashFollows ? Array(SHA256.hash(data: raw)) : nil
    if hashFollows { end?.sha256 = hash }
    let call = RecordedCall(
      open: open, head: head, end: end, loss: loss, raw: raw, frameEnds: ends, frameOffsetsNs: offsets)
    return HashedItem(item: .call(call), rawHash: hash)
  }
}
