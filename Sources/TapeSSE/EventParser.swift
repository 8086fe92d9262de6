/// Reads the bytes of an event stream, in any chunking, and dispatches events by the rules
/// of WHATWG HTML 9.2.6.
///
/// The end of a block is acted on at once, also when it is a CR that an LF may follow.
/// Invalid UTF-8 becomes U+FFFD as the Encoding standard counts it. `[DONE]` is an event like any other.
package struct EventParser: Sendable {
  /// Lines and events up to this size are always read.
  package static let defaultMaximumEventBytes = 64 << 20

  /// The id that the next event has unless its block sets another; "" when there is none.
  package private(set) var lastEventID = ""
  /// The last valid `retry` of the stream, ms.
  package private(set) var reconnectionTimeMs: Int?
  /// Events that were left out because they were larger than the limit.
  package private(set) var oversizedEvents = 0

  private let maximumEventBytes: Int
  /// The start of a line that an earlier chunk did not finish.
  private var line: [UInt8] = []
  private var data: [UInt8] = []
  private var event: [UInt8] = []
  private var retry: Int?
  private var idBuffer = ""
  private var afterCR = false
  /// The current block is over the limit: it is read to its end and dropped.
  private var isOversized = false
  private var lineIsOversized = false
  private var markBytes = 0

  /// - Parameter maximumEventBytes: bounds the memory: an event whose line or joined data is larger is dropped
  ///   whole and counted in `oversizedEvents`; reading goes on with the next block.
  package init(maximumEventBytes: Int = EventParser.defaultMaximumEventBytes) {
    self.maximumEventBytes = maximumEventBytes
  }

  package mutating func feed(_ bytes: UnsafeRawBufferPointer, _ dispatch: (SSEEvent) -> Void) {
    var position = skipMark(bytes)
    var lineFeeds = ByteFinder(0x0A)
    var carriageReturns = ByteFinder(0x0D)
    while position < bytes.count {
      if afterCR {
        afterCR = false
        if bytes[position] == 0x0A {
          position += 1
          continue
        }
      }
      let lineFeed = lineFeeds.next(in: bytes, from: position)
      let end = min(lineFeed, carriageReturns.next(in: bytes, from: position))
      guard end < bytes.count else {
        keep(bytes[position...])
        return
      }
      finishLine(bytes, position..<end, dispatch)
      afterCR = end != lineFeed
      position = end + 1
    }
  }

  /// The body has ended; a block without its blank line is dropped, as the rules say.
  package mutating func finish() {
    line = []
    endBlock()
  }

  private mutating func finishLine(
    _ bytes: UnsafeRawBufferPointer, _ range: Range<Int>, _ dispatch: (SSEEvent) -> Void
  ) {
    if line.isEmpty, !lineIsOversized {
      if range.isEmpty { dispatchBlock(dispatch) } else { take(bytes, range) }
      return
    }
    keep(bytes[range])
    if !lineIsOversized {
      let whole = line
      whole.withUnsafeBytes { take($0, 0..<$0.count) }
    }
    lineIsOversized = false
    line.removeAll(keepingCapacity: line.count <= 1 << 16)
  }

  private mutating func keep(_ bytes: Slice<UnsafeRawBufferPointer>) {
    guard !lineIsOversized else { return }
    guard line.count + bytes.count <= maximumEventBytes else {
      line = []
      lineIsOversized = true
      isOversized = true
      return
    }
    line.append(contentsOf: bytes)
  }

  private mutating func take(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>) {
    guard range.count <= maximumEventBytes else {
      isOversized = true
      return
    }
    let field = FieldLine(bytes, range)
    let value = bytes[field.value]
    switch field.name {
    case .comment, .other: break
    case .event: event = Array(value)
    case .id where !value.contains(0): idBuffer = String(decoding: value, as: UTF8.self)
    case .id: break
    case .retry: readRetry(value)
    case .data:
      guard !isOversized, data.count + value.count < maximumEventBytes else {
        isOversized = true
        data = []
        return
      }
      data.append(contentsOf: value)
      data.append(0x0A)
    }
  }

  /// Only ASCII digits count; a number that fits no integer is ignored.
  private mutating func readRetry(_ value: Slice<UnsafeRawBufferPointer>) {
    var number = 0
    guard !value.isEmpty else { return }
    for byte in value {
      guard byte >= 0x30, byte <= 0x39 else { return }
      let (product, overflow) = number.multipliedReportingOverflow(by: 10)
      let (sum, overflow2) = product.addingReportingOverflow(Int(byte - 0x30))
      if overflow || overflow2 { return }
      number = sum
    }
    retry = number
    reconnectionTimeMs = number
  }

  private mutating func dispatchBlock(_ dispatch: (SSEEvent) -> Void) {
    lastEventID = idBuffer
    if isOversized {
      oversizedEvents += 1
    } else if !data.isEmpty {
      dispatch(
        SSEEvent(
          event: event.isEmpty ? "message" : String(decoding: event, as: UTF8.self),
          data: String(decoding: data.dropLast(), as: UTF8.self), id: lastEventID, retry: retry))
    }
    endBlock()
  }

  private mutating func endBlock() {
    data.removeAll(keepingCapacity: data.count <= 1 << 16)
    event.removeAll(keepingCapacity: true)
    retry = nil
    isOversized = false
  }

  /// Steps over a byte order mark at the start of the stream, also one that comes in pieces.
  private mutating func skipMark(_ bytes: UnsafeRawBufferPointer) -> Int {
    if markBytes == 3 { return 0 }
    let mark: [UInt8] = [0xEF, 0xBB, 0xBF]
    var position = 0
    while markBytes < 3, position < bytes.count {
      guard bytes[position] == mark[markBytes] else {
        // A part of a mark is ordinary bytes of the first line.
        line.append(contentsOf: mark[..<markBytes])
        markBytes = 3
        break
      }
      markBytes += 1
      position += 1
    }
    return position
  }
}
