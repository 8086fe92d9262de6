import TapeJSON

/// The text of a stream that nobody knows: the data of its events. JSON objects and lists are a line each, anything
/// else is put together as it came.
struct RawText: Sendable, Equatable {
  private(set) var bytes: [UInt8] = []
  /// The beginning with its media replaced, a little more than so many bytes: a cut through base64 could not be told.
  private var beginning: [UInt8] = []
  private static let beginningBytes = 4_096
  private(set) var firstFrame: Int?
  /// Data that is no JSON object: a defect only where a dialect is known after all.
  private(set) var badFrames: [Defect] = []

  mutating func append(_ data: UnsafeRawBufferPointer, frame: Int) {
    guard !data.isEmpty else { return }
    if firstFrame == nil { firstFrame = frame }
    Self.append(data, to: &bytes)
    guard beginning.count < Self.beginningBytes else { return }
    var text = InlineMedia.placeholders(in: String(decoding: data, as: UTF8.self))
    text.withUTF8 { Self.append(UnsafeRawBufferPointer($0), to: &beginning) }
  }

  private static func append(_ data: UnsafeRawBufferPointer, to bytes: inout [UInt8]) {
    let isJSON = data.first == 0x7B || data.first == 0x5B
    if isJSON, let last = bytes.last, last != 0x0A { bytes.append(0x0A) }
    bytes.append(contentsOf: data)
    if isJSON { bytes.append(0x0A) }
  }

  mutating func noteBad(frame: Int, _ why: String) {
    if badFrames.count < DefectLog.maximumPerKind { badFrames.append(Defect(.badFrame, frame: frame, why)) }
  }

  /// nil if there was none.
  ///
  /// - Parameter limit: its text has no more than so many bytes, without media if they are few.
  func choice(limit: Int) -> Choice? {
    guard firstFrame != nil else { return nil }
    var choice = Choice(index: 0)
    let bytes = limit <= Self.beginningBytes ? beginning : bytes
    choice.content = String(decoding: (bytes.last == 0x0A ? bytes.dropLast() : bytes[...]).prefix(limit), as: UTF8.self)
    return choice
  }
}
