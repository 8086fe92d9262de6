internal import TapeTypes

/// The lines of a block's text, given to the calls that they belong to.
struct TemplateText {
  struct Call {
    var body: [UInt8] = []
    /// For each template the frame that stands in the text; nil for those of the head.
    var frames: [[UInt8]?] = []
    /// For each column its values joined.
    var columns: [[UInt8]] = []
    /// Of a call before the one that is wanted: the columns of words as they stand in the text.
    var lessons: [TextValue?] = []
  }

  private(set) var calls: [Call] = []
  private let text: UnsafeBufferPointer<UInt8>
  private var position = 0

  /// - Parameter target: the one call that is wanted whole. Of those before it only columns of words are read, which
  ///   the predictor learns from, and of those behind it nothing. nil for all.
  /// - Throws: `BlockError` if the lines are not those that the head calls for.
  init(_ items: [TemplateHead], _ text: UnsafeBufferPointer<UInt8>, only target: Int? = nil) throws {
    self.text = text
    calls.reserveCapacity(items.count)
    for (index, item) in items.enumerated() {
      let isWanted = target == nil || target == index
      var call = Call()
      if item.tombstone == nil, target.map({ index <= $0 || items[$0].hasNoise }) ?? true {
        let id = Array(item.id.description.utf8)
        call.body = try value(id, "/request", isWanted) ?? []
        for template in item.templates {
          call.frames.append(template.literal == nil ? try value(id, "/frame", isWanted).orThrow() : nil)
        }
        for column in item.columns {
          let isHere = column.firstFrame != nil && column.mode != .noise
          guard isHere, !isWanted, index < target ?? 0, column.mode == .words else {
            call.columns.append(isHere ? try value(id, column.path, isWanted).orThrow() : [])
            call.lessons.append(nil)
            continue
          }
          call.columns.append([])
          call.lessons.append(try line(id, column.path).orThrow())
        }
      }
      calls.append(call)
    }
    for (index, item) in items.enumerated() where target.map({ index <= $0 && items[$0].hasNoise }) ?? true {
      for (number, column) in item.columns.enumerated() where column.firstFrame != nil && column.mode == .noise {
        let isWanted = target == nil || target == index
        calls[index].columns[number] = try value(Array(item.id.description.utf8), column.path, isWanted).orThrow()
      }
    }
    guard target != nil || position == text.count else { throw BlockError("text that belongs to no call") }
  }

  /// The value of the next line, if it has this id and label; a value without bytes has no line.
  ///
  /// - Parameter isWanted: false to go on to the next line, with an empty value.
  private mutating func value(_ id: [UInt8], _ label: String, _ isWanted: Bool) throws -> [UInt8]? {
    guard let line = try line(id, label) else { return nil }
    return isWanted ? try line.decoded() : []
  }

  private mutating func line(_ id: [UInt8], _ label: String) throws -> TextValue? {
    let rest = UnsafeBufferPointer(rebasing: text[position...])
    let start = id + [0x20] + Array(label.utf8)
    guard rest.starts(with: start), rest.count > start.count, rest[start.count] == 0x20 || rest[start.count] == 0x5C
    else { return nil }
    guard let end = rest.position(of: 0x0A, from: start.count) else { throw BlockError("a line without an end") }
    let line = UnsafeBufferPointer(rebasing: rest[start.count..<end])
    let (escapes, from) = try TapeText.Escapes.parse(line)
    position += end + 1
    return TextValue(text: UnsafeBufferPointer(rebasing: line[from...]), escapes: escapes)
  }
}

/// A value as it stands in the text, which has to outlive it.
struct TextValue {
  let text: UnsafeBufferPointer<UInt8>
  let escapes: TapeText.Escapes

  func decoded() throws -> [UInt8] { try TapeText.decode(text, escapes) }

  /// The value's bytes, without a copy where the text is they.
  func withBytes<Result>(_ body: (UnsafeBufferPointer<UInt8>) throws -> Result) throws -> Result {
    if escapes == .none, text.position(of: 0xE2, from: 0) == nil { return try body(text) }
    return try decoded().withUnsafeBufferPointer(body)
  }
}

extension Optional {
  fileprivate func orThrow() throws -> Wrapped {
    guard let self else { throw BlockError("text that its head promises and that is not there") }
    return self
  }
}
