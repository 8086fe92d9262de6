import Crypto
import TapeArchive
import TapeJSON
import TapeRedaction
import TapeSSE
import TapeTypes

/// An `.sse` file: the bytes of one response, without times.
struct ImportRawCapture {
  let importer: Importer
  let file: ImportFile

  /// So much of the start of a file is searched for its `created`.
  private static let searchedBytes = 1 << 20

  func run() throws -> Importer.Outcome {
    let start = try head()
    let isJSON = start.first { $0 > 0x20 } == 0x7B
    let hash = try contentHash(isJSON ? .opaque : .events)
    let started = try importer.options.startedAtNs ?? Self.created(start) ?? file.modifiedNs()
    var open = CallOpen(
      id: Importer.freshID(startedAtNs: started), startedAtNs: started, origin: .import,
      body: importer.options.request ?? [], hasTimes: false, redactions: [Importer.assumedHead],
      salt: Importer.freshSalt())
    importer.redactor?.clean(&open)
    let body = open.body
    let content = ImportKnownCalls.Content(raw: hash, body: ImportHash.of(body))
    if !importer.options.again {
      if let id = try importer.known.find(startedAtNs: started, content) {
        return Importer.Outcome(id: id, isNew: false)
      }
      if let id = importer.known.erasedCall(startedAtNs: started) {
        return Importer.Outcome(id: id, isNew: false, wasErased: true)
      }
    }
    let type = isJSON ? "application/json" : "text/event-stream"
    let head = CallHead(offsetNs: nil, status: 200, headers: [HeaderField("content-type", type)])
    try write(open, head, isJSON ? .opaque : .events)
    importer.remember(open, content)
    return Importer.Outcome(id: open.id, isNew: true)
  }

  private func write(_ open: CallOpen, _ head: CallHead, _ mode: FrameSplitter.Mode) throws {
    let handle = try importer.begin(open, head: head)
    let journal = try importer.journal()
    var splitter = FrameSplitter(mode: mode)
    let redacted = redactedFrames(mode)
    let deliver: FrameSplitter.Delivery = { piece, _, bytes in
      switch (piece, redacted) {
      case (.part, nil): journal.part(handle, offsetNs: nil, bytes)
      case (.frame, nil): journal.frame(handle, offsetNs: nil, bytes)
      case (.part, let redacted?): redacted.add(bytes)
      case (.frame, let redacted?): redacted.end(bytes) { journal.frame(handle, offsetNs: nil, $0) }
      }
    }
    file.rewind()
    while let chunk = try file.chunk() {
      splitter.feed(chunk, offsetNs: 0, deliver)
      try importer.flushIfLarge()
    }
    splitter.finish(deliver)
    journal.end(handle, offsetNs: nil, cause: .endOfBody)
    try importer.flushIfLarge()
  }

  private func head() throws -> [UInt8] {
    file.rewind()
    return try file.chunk().map { Array($0.prefix(Self.searchedBytes)) } ?? []
  }

  /// Of what gets on tape.
  private func contentHash(_ mode: FrameSplitter.Mode) throws -> [UInt8] {
    var hash = SHA256()
    file.rewind()
    guard let redacted = redactedFrames(mode) else {
      while let chunk = try file.chunk() { hash.update(bufferPointer: chunk) }
      return Array(hash.finalize())
    }
    var splitter = FrameSplitter(mode: mode)
    let deliver: FrameSplitter.Delivery = { piece, _, bytes in
      if piece == .part { redacted.add(bytes) } else { redacted.end(bytes) { hash.update(bufferPointer: $0) } }
    }
    while let chunk = try file.chunk() { splitter.feed(chunk, offsetNs: 0, deliver) }
    splitter.finish(deliver)
    return Array(hash.finalize())
  }

  /// nil unless rules say what of a response must not get on tape.
  private func redactedFrames(_ mode: FrameSplitter.Mode) -> RedactedFrames? {
    guard let redactor = importer.redactor, redactor.hasResponseRules else { return nil }
    let frames = RedactedFrames(redactor)
    frames.isEvent = mode == .events
    return frames
  }

  /// The first `created` in the data of a frame, or of a body that is JSON.
  static func created(_ bytes: [UInt8]) -> Int64? {
    if let value = try? JSONValue(parsing: bytes), let created = value["created"] { return moment(created) }
    var start = 0
    for end in FrameSplitter.split(bytes).frameEnds {
      let frame = bytes[start..<end]
      let found = frame.withUnsafeBytes { buffer -> Int64? in
        FrameFields(buffer, isFirst: start == 0).withData(of: buffer, isFirst: start == 0) { data in
          data.flatMap { (try? JSONValue(parsing: $0))?["created"] }.flatMap { moment($0) }
        }
      }
      if let found { return found }
      start = end
    }
    return nil
  }

  /// RFC 3339, in UTC if it names no zone, or seconds since 1970 as OpenAI has it, or milliseconds (over 10^11),
  /// also with a fraction or as a string.
  private static func moment(_ value: JSONValue) -> Int64? {
    switch value {
    case .string(let text): RFC3339.ns(text) ?? RFC3339.ns(text + "Z") ?? moment(digits: text)
    case .number(let text): moment(digits: text)
    default: nil
    }
  }

  private static func moment(digits text: String) -> Int64? {
    // Not as floating point, which has no nanoseconds to spare; `1.7e9` is a whole number too.
    let parts = text.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
    let whole = JSONNumber.integer(text.utf8)
    guard let number = whole ?? Int(parts[0]), number > 0 else { return nil }
    let unit = number > 100_000_000_000 ? 6 : 9
    var scale = Int64(1)
    for _ in 0..<unit { scale *= 10 }
    let (ns, overflow) = Int64(number).multipliedReportingOverflow(by: scale)
    if overflow { return nil }
    guard whole == nil else { return ns }
    guard parts.count == 2, parts[1].utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }) else { return nil }
    let fraction = parts[1].prefix(unit)
    let padded = fraction + String(repeating: "0", count: unit - fraction.count)
    return Int64(padded).flatMap { fraction in
      let (sum, overflow) = ns.addingReportingOverflow(fraction)
      return overflow ? nil : sum
    }
  }
}
