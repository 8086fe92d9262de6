internal import TapeTypes

#if canImport(Glibc)
  internal import Glibc
#else
  internal import Darwin
#endif

/// What a block's head says of one call or tombstone.
struct TemplateHead {
  struct Template {
    /// The literal bytes, joined, without those of `shared`; nil if they are the next `/frame` line of the text.
    var literal: [UInt8]?
    /// For each hole its column, and how many bytes of the literal come before it.
    var holes: [(column: Int, offset: Int)] = []
    /// It begins with so many bytes of the call's first template.
    var shared = 0
  }

  struct Column {
    /// nil for numbers.
    var mode: ColumnMode?
    var path: String
    var numbers: [(step: Int, count: Int)] = []
    /// nil if all values are empty.
    var firstFrame: Int?
    /// After the call's first frame.
    var firstNs: Int64?
    var isPlain = false
    var hasRepeat = false
  }

  var id: CallID
  var startedAtNs: Int64
  var tombstone: Tombstone?
  var frames = 0
  var bytes = 0
  var firstFrameNs: Int64?
  var longestGapNs: Int64?
  var open: [UInt8] = []
  var head: [UInt8]?
  var end: [UInt8]?
  var templates: [Template] = []
  var order: [CallOutline.Run] = []
  var columns: [Column] = []

  /// The call has a clock.
  private(set) var hasTimes = false

  /// Labels in the text that no column has.
  private static let labels: Set<String> = ["/request", "/frame"]

  /// In canonical JSON these bytes stand outside of strings only, as inside of them quotes are escaped.
  private static let hasTimesMember = Array("\"has_times\":true".utf8)

  // MARK: Reading

  /// Total on any bytes; what it gives is consistent in itself.
  ///
  /// - Parameter id: what stands behind the call of this id is left out, if nothing of it is needed to read that call.
  static func parse(_ head: [UInt8], upTo id: CallID? = nil) throws -> [TemplateHead] {
    var items: [TemplateHead] = []
    var start = 0
    try head.withUnsafeBufferPointer { head in
      while start < head.count {
        guard let end = head.position(of: 0x0A, from: start) else { throw BlockError("a line without an end") }
        let line = UnsafeBufferPointer(rebasing: head[start..<end])
        start = end + 1
        if line.count > 2, line[0] == 0x23, line[1] == 0x20 {
          try items.last?.check()
          if let id, let last = items.last, last.id == id, !last.hasNoise { return }
          items.append(try item(line))
        } else {
          guard !items.isEmpty else { throw BlockError("a line before the first call") }
          try items[items.count - 1].take(line)
        }
      }
    }
    try items.last?.check()
    return items
  }

  private static func item(_ line: UnsafeBufferPointer<UInt8>) throws -> TemplateHead {
    let value = Array(line.dropFirst(2))
    if let tombstone = TombstoneLines.parse(value[...]) {
      return TemplateHead(id: tombstone.id, startedAtNs: tombstone.startedAtNs, tombstone: tombstone)
    }
    let words = value.split(separator: 0x20, omittingEmptySubsequences: false)
    guard words.count == 6, let id = CallID(String(decoding: words[0], as: UTF8.self)),
      let started = Decimal.parseSigned(words[1]), let frames = Decimal.parse(words[2]),
      let bytes = Decimal.parse(words[3]), bytes <= SegmentFormat.largestFrame,
      SegmentFormat.allows(frames: frames, bytes: bytes)
    else { throw BlockError("a call's first line") }
    var item = TemplateHead(id: id, startedAtNs: Int64(started), frames: frames, bytes: bytes)
    item.firstFrameNs = try ns(words[4])
    item.longestGapNs = try ns(words[5])
    return item
  }

  private static func ns(_ word: ArraySlice<UInt8>) throws -> Int64? {
    if word.elementsEqual([0x2D]) { return nil }
    guard let value = Decimal.parseSigned(word) else { throw BlockError("a time in the head") }
    return Int64(value)
  }

  private mutating func take(_ line: UnsafeBufferPointer<UInt8>) throws {
    let word = line.prefix { $0 != 0x20 && $0 != 0x5C && $0 != 0x2B }
    let rest = UnsafeBufferPointer(rebasing: line[word.endIndex...])
    let name = String(decoding: word, as: UTF8.self)
    if tombstone != nil {
      guard name == "kept" else { throw BlockError("a line of a tombstone") }
      tombstone?.kept = Array(rest.dropFirst())
      return
    }
    switch name {
    case "open":
      open = try text(rest)
      hasTimes = open.contains(Self.hasTimesMember)
    case "head": head = try text(rest)
    case "end": end = try text(rest)
    case "frame": try template(rest)
    case "order": try order(Array(rest.dropFirst()))
    case "numbers": try numbers(Array(rest.dropFirst()))
    default:
      guard let mode = ColumnMode(rawValue: name) else { throw BlockError("a line that begins with \(name)") }
      try column(mode, Array(rest.dropFirst()))
    }
  }

  private func text(_ rest: UnsafeBufferPointer<UInt8>) throws -> [UInt8] {
    guard rest.first == 0x20 else { throw BlockError("a line without a value") }
    return try TapeText.decode(UnsafeBufferPointer(rebasing: rest[1...]), .none)
  }

  private mutating func template(_ rest: UnsafeBufferPointer<UInt8>) throws {
    var template = Template()
    guard !rest.isEmpty else { return templates.append(template) }
    var position = 0
    var literal: [UInt8] = []
    if rest[0] == 0x2B {
      let digits = rest[1...].prefix { $0 >= 0x30 && $0 <= 0x39 }
      guard let shared = Decimal.parse(digits), shared > 0, let first = templates.first, let start = first.literal,
        shared <= first.holes.first?.offset ?? start.count
      else { throw BlockError("what a frame shares with the first") }
      literal += start[..<shared]
      position = digits.endIndex
    }
    let value = UnsafeBufferPointer(rebasing: rest[position...])
    let (escapes, start) = try TapeText.Escapes.parse(value)
    let before = literal.count
    literal += try TapeText.decode(UnsafeBufferPointer(rebasing: value[start...]), escapes) { column, offset in
      template.holes.append((column, before + offset))
    }
    template.literal = literal
    templates.append(template)
  }

  /// At most one run is `*` long: what the others leave of the frames.
  private mutating func order(_ text: [UInt8]) throws {
    guard order.isEmpty else { throw BlockError("a second order of the frames") }
    var rest: Int?
    var left = frames
    for word in text.split(separator: 0x20, omittingEmptySubsequences: false) {
      let parts = word.split(separator: 0x78, maxSplits: 1, omittingEmptySubsequences: false)
      var count = 1
      if parts.count == 2, parts[1].elementsEqual([0x2A]), rest == nil {
        (rest, count) = (order.count, 0)
      } else if parts.count == 2 {
        count = Decimal.parse(parts[1]) ?? 0
        guard count > 0 else { throw BlockError("the order of the frames") }
      }
      guard let template = Decimal.parse(parts[0]), count <= left else { throw BlockError("the order of the frames") }
      left -= count
      order.append(CallOutline.Run(template: template, count: count))
    }
    if let rest { order[rest].count = left }
  }

  private mutating func numbers(_ text: [UInt8]) throws {
    let path = text.prefix { $0 != 0x20 }
    guard let runs = NumberRuns.decode(text[path.endIndex...].dropFirst()) else {
      throw BlockError("a column of numbers")
    }
    var column = Column(path: String(decoding: path, as: UTF8.self))
    column.numbers = runs
    columns.append(column)
  }

  private mutating func column(_ mode: ColumnMode, _ text: [UInt8]) throws {
    let words = text.split(separator: 0x20, omittingEmptySubsequences: false)
    guard words.count == 2 || words.count == 4 else { throw BlockError("a column's line") }
    var column = Column(mode: mode, path: String(decoding: words[0], as: UTF8.self))
    // Its line in the text would be taken for another one.
    guard !Self.labels.contains(column.path) else { throw BlockError("a column whose path is \(column.path)") }
    switch String(decoding: words[1], as: UTF8.self) {
    case "p": column.isPlain = true
    case "pr": (column.isPlain, column.hasRepeat) = (true, true)
    case "r": column.hasRepeat = true
    case "-": break
    case "e" where words.count == 2: return columns.append(column)
    default: throw BlockError("what is said of a column")
    }
    column.firstFrame = 0
    column.firstNs = firstFrameNs == nil ? nil : 0
    if words.count == 4 {
      guard let first = Decimal.parse(words[2]), first > 0, first < frames else {
        throw BlockError("a column's first value")
      }
      column.firstFrame = first
      column.firstNs = try Self.ns(words[3])
    }
    columns.append(column)
  }

  // MARK: Consistency

  /// Whatever indexes something is in its bounds after this, and all counts fit together.
  private func check() throws {
    if tombstone != nil { return }
    guard !open.isEmpty else { throw BlockError("call \(id) without open line") }
    var total = 0
    for run in order {
      guard templates.indices.contains(run.template), run.count > 0, run.count <= frames - total else {
        throw BlockError("the order of the frames of call \(id)")
      }
      total += run.count
    }
    guard total == frames else { throw BlockError("call \(id) has not the frames that it counts") }
    for template in templates {
      var seen = Set<Int>()
      for hole in template.holes where !columns.indices.contains(hole.column) || !seen.insert(hole.column).inserted {
        throw BlockError("a hole of call \(id) has no column")
      }
    }
  }

  /// Some column's text stands behind all other text.
  var hasNoise: Bool { columns.contains { $0.mode == .noise && $0.firstFrame != nil } }

  /// How many values each column has.
  func valueCounts() throws -> [Int] {
    var counts = [Int](repeating: 0, count: columns.count)
    for run in order {
      // Their sum is at most that of the frames for each column.
      for hole in templates[run.template].holes { counts[hole.column] += run.count }
    }
    return counts
  }
}

extension TapeText.Escapes {
  /// What stands behind a label: the suffix, and a space. Returns where the value begins.
  static func parse(_ rest: UnsafeBufferPointer<UInt8>) throws -> (TapeText.Escapes, Int) {
    for escapes in allCases.reversed() where rest.starts(with: escapes.suffix + [0x20]) {
      return (escapes, escapes.suffix.count + 1)
    }
    throw BlockError("a value without a space before it")
  }
}

extension [UInt8] {
  /// The first byte of `part` is looked for as fast as can be.
  fileprivate func contains(_ part: [UInt8]) -> Bool {
    withUnsafeBufferPointer { whole in
      var start = 0
      while let base = whole.baseAddress, let first = part.first, let found = whole.position(of: first, from: start),
        found + part.count <= whole.count
      {
        if memcmp(base + found, part, part.count) == 0 { return true }
        start = found + 1
      }
      return false
    }
  }
}
