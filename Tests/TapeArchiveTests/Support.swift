import Logging
import TapeArchive
// Every test of this target has the disk in memory.
@_exported import TapeTestSupport
import TapeTypes

let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

typealias Seeded = SplitMix64

func memoryStore(_ files: MemoryFiles = .init(), clock: any TapeClock = ManualClock()) throws -> Store {
  try Store(path: "/s", access: .writing, files: files, clock: clock)
}

extension JournalWriter {
  func frame(_ handle: Handle, _ offsetNs: Int64?, _ text: String) { frame(handle, offsetNs, Array(text.utf8)) }
  func frame(_ handle: Handle, _ offsetNs: Int64?, _ bytes: [UInt8]) {
    bytes.withUnsafeBytes { frame(handle, offsetNs: offsetNs, $0) }
  }
  func part(_ handle: Handle, _ offsetNs: Int64?, _ text: String) { part(handle, offsetNs, Array(text.utf8)) }
  func part(_ handle: Handle, _ offsetNs: Int64?, _ bytes: [UInt8]) {
    bytes.withUnsafeBytes { part(handle, offsetNs: offsetNs, $0) }
  }
}

/// Puts calls together from what a follower delivers.
struct Collector {
  var calls: [CallID: RecordedCall] = [:]
  var order: [CallID] = []
  var lost: Set<CallID> = []
  var sealed: Set<CallID> = []
  var gaps: [CallID: Int] = [:]
  var damage: [Damage] = []

  mutating func take(_ event: JournalEvent) {
    switch event {
    case .opened(let open, _):
      calls[open.id] = RecordedCall(open: open)
      order.append(open.id)
    case .head(let id, let head): calls[id]?.head = head
    case .part: break
    case .frame(let id, let offset, let bytes):
      guard var call = calls.removeValue(forKey: id) else { return }
      call.raw.append(contentsOf: bytes)
      call.frameEnds.append(call.raw.count)
      if let offset { call.frameOffsetsNs.append(offset) }
      calls[id] = call
    case .gap(let id, let frames, _): gaps[id, default: 0] += frames
    case .ended(let id, let end): calls[id]?.end = end
    case .lost(let id, _): lost.insert(id)
    case .sealed(let id): sealed.insert(id)
    case .damage(let item): damage.append(item)
    }
  }

  mutating func poll(_ follower: JournalFollower) throws { try follower.poll { take($0) } }

  static func all(_ store: Store) throws -> Collector {
    var collector = Collector()
    try collector.poll(JournalFollower(store: store))
    return collector
  }
}

func makeOpen(
  _ generator: inout some RandomNumberGenerator, body: [UInt8] = Array(#"{"key":"k"}"#.utf8), startedAtNs: Int64? = nil,
  hasTimes: Bool = true
) -> CallOpen {
  let started = startedAtNs ?? 1_767_225_600_000_000_000 + Int64.random(in: 0..<1_000_000_000, using: &generator)
  return CallOpen(
    id: CallID(milliseconds: UInt64(started / 1_000_000), using: &generator), startedAtNs: started, origin: .library,
    upstream: "https://api.example", path: "/v2/x?a=\"b\"", headers: [HeaderField("Accept", "é\u{301}\n\"\\")],
    body: body,
    keyFingerprint: Bool.random(using: &generator) ? "00ff" : nil, hasTimes: hasTimes,
    redactions: ["header:authorization"], salt: (0..<16).map { _ in UInt8.random(in: 0...255, using: &generator) })
}

/// Frames of every kind: like each other, of random bytes, empty, and now and then huge.
func makeFrame(_ generator: inout some RandomNumberGenerator, _ index: Int) -> [UInt8] {
  func bytes(_ count: Int) -> [UInt8] { (0..<count).map { _ in UInt8.random(in: 0...255, using: &generator) } }
  switch Int.random(in: 0..<100, using: &generator) {
  case 0..<60:
    return Array("data: {\"id\":\"01ABCDEF\",\"choices\":[{\"delta\":\"word\(index)\"}],\"x\":null}\n\n".utf8)
  case 60..<70: return []
  case 70..<90: return bytes(Int.random(in: 0..<40, using: &generator))
  case 90..<99: return bytes(Int.random(in: 40..<3000, using: &generator))
  default: return bytes(70_000) + Array("\n\n".utf8)
  }
}

/// Records random calls, interleaved, with parts and flushes in between; returns what must be read back.
/// Calls whose number divides by `unended` get no end.
func record(
  _ writer: JournalWriter, _ generator: inout some RandomNumberGenerator, calls: Int, unended: Int = .max
) -> [RecordedCall] {
  var expected: [RecordedCall] = []
  var handles: [JournalWriter.Handle] = []
  for index in 0..<calls {
    let hasTimes = Int.random(in: 0..<5, using: &generator) > 0
    let body = (0..<Int.random(in: 0..<200, using: &generator)).map { _ in UInt8.random(in: 0...255, using: &generator)
    }
    let open = makeOpen(&generator, body: index % 3 == 0 ? [] : body, hasTimes: hasTimes)
    expected.append(RecordedCall(open: open))
    handles.append(writer.open(open))
  }
  for index in expected.indices where Bool.random(using: &generator) {
    let head = CallHead(
      offsetNs: expected[index].open.hasTimes ? 5 : nil, status: 200, httpVersion: "1.1",
      headers: [HeaderField("content-type", "text/event-stream")], decoded: index % 4 == 0 ? "gzip" : nil)
    writer.head(handles[index], head)
    expected[index].head = head
  }
  for step in 0..<(calls * 12) {
    let index = Int.random(in: 0..<calls, using: &generator)
    let bytes = makeFrame(&generator, step)
    let offset: Int64? = expected[index].open.hasTimes ? Int64.random(in: -5..<1 << 40, using: &generator) : nil
    var rest = bytes[...]
    while Int.random(in: 0..<4, using: &generator) == 0, !rest.isEmpty {
      let cut = Int.random(in: 0...rest.count, using: &generator)
      writer.part(handles[index], offset, Array(rest.prefix(cut)))
      rest = rest.dropFirst(cut)
    }
    writer.frame(handles[index], offset, Array(rest))
    expected[index].raw += bytes
    expected[index].frameEnds.append(expected[index].raw.count)
    if let offset { expected[index].frameOffsetsNs.append(offset) }
    if Int.random(in: 0..<5, using: &generator) == 0 { _ = writer.flush() }
  }
  for index in expected.indices where (index + 1) % unended != 0 {
    writer.end(handles[index], offsetNs: 99, cause: .endOfBody, detail: index % 2 == 0 ? "why" : nil, clockStepNs: 7)
    expected[index].end = CallEnd(
      offsetNs: 99, cause: .endOfBody, detail: index % 2 == 0 ? "why" : nil, frames: expected[index].frameCount,
      bytes: expected[index].raw.count, sha256: sha256(expected[index].raw), clockStepNs: 7)
  }
  return expected
}
