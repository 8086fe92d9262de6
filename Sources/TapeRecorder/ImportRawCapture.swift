import Crypto
import TapeArchive
import TapeJSON
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
    let hash = try contentHash()
    let started = try importer.options.startedAtNs ?? Self.created(start) ?? file.modifiedNs()
    let body = importer.options.request ?? []
    let content = ImportKnownCalls.Content(raw: hash, body: ImportHash.of(body))
    if !importer.options.again, let id = try importer.known.find(startedAtNs: started, content) {
      return Importer.Outcome(id: id, isNew: false)
    }
    let isJSON = start.first { $0 > 0x20 } == 0x7B
    let open = CallOpen(
      id: Importer.freshID(startedAtNs: started), startedAtNs: started, origin: .import, body: body, hasTimes: false,
      redactions: [Importer.assumedHead], salt: Importer.freshSalt())
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
    let deliver: FrameSplitter.Delivery = { piece, _, bytes in
      if piece == .part {
        journal.part(handle, offsetNs: nil, bytes)
      } else {
        journal.frame(handle, offsetNs: nil, bytes)
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

  private func contentHash() throws -> [UInt8] {
    var hash = SHA256()
    file.rewind()
    while let chunk = try file.chunk() { hash.update(bufferPointer: chunk) }
    return Array(hash.finalize())
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

  /// RFC 3339, or seconds since 1970 as OpenAI has it, or milliseconds.
  private static func moment(_ value: JSONValue) -> Int64? {
    if let text = value.string { return RFC3339.ns(text) }
    guard let number = value.integer, number > 0 else { return nil }
    let (ns, overflow) = Int64(number).multipliedReportingOverflow(
      by: number < 100_000_000_000 ? 1_000_000_000 : 1_000_000)
    return overflow ? nil : ns
  }
}
