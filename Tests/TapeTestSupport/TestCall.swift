package import TapeArchive
internal import TapeJSON
package import TapeTypes

/// A call as a test wants it on tape.
package struct TestCall: Sendable {
  package var id: CallID
  package var startedAtNs: Int64
  package var origin = CallOpen.Origin.proxy
  /// The request's body.
  package var request: [UInt8] = Array("{}".utf8)
  package var path = "/v2/deployments/stream"
  package var headers: [HeaderField] = []
  package var hasTimes = true
  /// nil: no response came.
  package var status: Int? = 200
  package var contentType = "text/event-stream"
  package var headOffsetNs: Int64 = 1_000_000
  package var frames: [[UInt8]] = []
  /// One for each frame.
  package var offsetsNs: [Int64] = []
  /// nil: the call does not end.
  package var cause: CallEnd.Cause? = .endOfBody
  package var endOffsetNs: Int64?
  package var clientClosedNs: Int64?

  /// - Parameters:
  ///   - number: tells the calls of a test apart, below 1,000; part of the id.
  ///   - startedAt: ns since 1970.
  package init(_ number: Int, startedAt: Int64) {
    id = CallID(
      high: UInt64(startedAt / 1_000_000) << 16 | UInt64(number), low: 0x0123_4567_89AB_CDEF &* UInt64(number))
    startedAtNs = startedAt
  }

  package var open: CallOpen {
    CallOpen(
      id: id, startedAtNs: startedAtNs, origin: origin, upstream: "http://127.0.0.1:9", path: path, headers: headers,
      body: request, keyFingerprint: "00112233445566778899", hasTimes: hasTimes,
      redactions: ["header:authorization"], salt: [UInt8](repeating: UInt8(truncatingIfNeeded: id.low), count: 16))
  }

  /// Writes all of it; nothing is flushed.
  package func record(with writer: JournalWriter) {
    let handle = begin(with: writer)
    addFrames(0..<frames.count, handle, with: writer)
    end(handle, with: writer)
  }

  package func begin(with writer: JournalWriter) -> JournalWriter.Handle {
    let handle = writer.open(open)
    if let status {
      writer.head(
        handle,
        CallHead(
          offsetNs: hasTimes ? headOffsetNs : nil, status: status, httpVersion: "1.1",
          headers: [HeaderField("Content-Type", contentType)]))
    }
    return handle
  }

  package func addFrames(_ range: Range<Int>, _ handle: JournalWriter.Handle, with writer: JournalWriter) {
    for index in range {
      frames[index].withUnsafeBytes { bytes in
        writer.frame(handle, offsetNs: hasTimes ? offsetsNs[index] : nil, bytes)
      }
    }
  }

  package func end(_ handle: JournalWriter.Handle, with writer: JournalWriter) {
    guard let cause else { return }
    writer.end(
      handle, offsetNs: hasTimes ? endOffsetNs ?? offsetsNs.last ?? headOffsetNs : nil, cause: cause,
      clientClosedNs: clientClosedNs)
  }
}

extension TestCall {
  /// Appends a frame that arrives `gapMs` after the one before.
  package mutating func add(_ frame: String, gapMs: Int64 = 10) {
    frames.append(Array(frame.utf8))
    offsetsNs.append((offsetsNs.last ?? headOffsetNs) + gapMs * 1_000_000)
  }

  /// Appends an orq chunk: a JSON object's members.
  package mutating func addChunk(_ members: String, gapMs: Int64 = 10) {
    add("data: {\(names)\(members)}\n\n", gapMs: gapMs)
  }

  private var names: String {
    let number = id.high & 0xFFFF
    return """
      "id":"\(responseID)","created":"2026-11-20T12:00:00.000Z","object":"chat","model":"\(model)",\
      "provider":"\(provider)","telemetry":{"trace_id":"\(traceID)","span_id":"\(Self.hex(number, 16))"},
      """
  }

  package var responseID: String { "01JD0Z6Q8R3T5V7W9XABC" + Self.decimal(Int(id.high & 0xFFFF), 5) }
  package var traceID: String { Self.hex(0x4BF9_2F00 + (id.high & 0xFFFF) / 100, 32) }
  package var spanID: String { Self.hex(id.high & 0xFFFF, 16) }
  package var model: String { "gpt-4o" }
  package var provider: String { "openai" }

  package static func hex(_ number: UInt64, _ width: Int) -> String {
    let digits = String(number, radix: 16)
    return String(repeating: "0", count: max(0, width - digits.count)) + digits
  }

  private static func decimal(_ number: Int, _ width: Int) -> String {
    let digits = String(number)
    return String(repeating: "0", count: max(0, width - digits.count)) + digits
  }
}
