import Crypto
import Logging
import TapeArchive
import TapeTypes

let quiet = Logger(label: "fuzz") { _ in SwiftLogNoOpLogHandler() }

extension FuzzTarget {
  /// Any journal is read to its end, the same by each reader, and sealing it loses nothing.
  static let journal = FuzzTarget("journal") { input in
    guard let (choice, rest) = input.variant else { return }
    let files = MemoryArchive()
    let store = try Store(path: "/s", access: .writing, files: files, clock: StoppedClock())
    for (index, bytes) in JournalScript.journals(rest, isRaw: choice & 1 == 1).enumerated() {
      files.set("\(store.archivePath)/\(JournalScript.name(index + 1))", bytes)
    }
    let before = try ArchiveState(store)
    try expect(try ArchiveState.followed(store) == before.ids, "the follower finds other calls than the reader")
    for (id, call) in before.calls {
      let found = try ArchiveReader(store: store).find(id)
      try expect(found != nil, "call \(id) is listed and not found")
      if before.isUnambiguous { try expect(found?.call == call, "call \(id) is another one when it is asked for") }
    }
    guard choice & 2 == 2 else { return }
    _ = try? Sealer(store: store, level: 1, log: quiet).seal()
    let after = try ArchiveState(store)
    try expect(after.ids == before.ids, "sealing loses or makes calls")
    if before.isUnambiguous { try expect(after.leaves == before.leaves, "sealing changes a call") }
  }
}

/// What all readers say is in a store.
struct ArchiveState {
  private(set) var calls: [CallID: RecordedCall] = [:]
  private(set) var leaves: [CallID: [UInt8]] = [:]
  /// No two calls claim one id.
  private(set) var isUnambiguous = true
  var ids: Set<CallID> { Set(calls.keys) }

  init(_ store: Store) throws {
    try ArchiveReader(store: store).allCalls { call, _ in
      if calls.updateValue(call, forKey: call.open.id) != nil { isUnambiguous = false }
      leaves[call.open.id] = leafHash(of: call)
      try Self.check(call)
    }
  }

  /// A call makes sense in itself, whatever it was read from.
  static func check(_ call: RecordedCall) throws {
    try expect(zip(call.frameEnds, call.frameEnds.dropFirst()).allSatisfy { $0 <= $1 }, "frame ends that fall")
    try expect(call.frameEnds.last ?? 0 == call.raw.count, "frames that do not make up the response")
    try expect(
      call.frameOffsetsNs.count == (call.open.hasTimes ? call.frameCount : 0), "as many times as frames, or none")
  }

  static func followed(_ store: Store) throws -> Set<CallID> {
    var ids: Set<CallID> = []
    let follower = JournalFollower(store: store)
    for _ in 0..<2 {
      try follower.poll { if case .opened(let open, _) = $0 { ids.insert(open.id) } }
    }
    return ids
  }
}

/// Makes journals of inputs: a fuzzer cannot guess checksums.
///
/// Records are separated by 0x1E: `kind fields`, a line feed, the payload. `batch` alone is a batch record with the
/// right chain, `next` starts the next journal, and what begins with `!` is put there as it is.
struct JournalScript {
  static let writer = "01KDVDNA00J5CVAMP8T83WH1R1"

  static func name(_ sequence: Int) -> String { "J-\(writer)-00000\(sequence).tape" }

  static func journals(_ script: [UInt8], isRaw: Bool) -> [[UInt8]] {
    if isRaw { return [script] }
    var journals = [JournalScript(sequence: 1)]
    for part in script.parts(0x1E) {
      if part == Array("next".utf8), journals.count < 9 {
        journals.append(JournalScript(sequence: journals.count + 1))
      } else {
        journals[journals.count - 1].add(part)
      }
    }
    return journals.map(\.bytes)
  }

  /// One journal of these records, in one batch.
  static func journal(_ records: [[UInt8]]) -> [UInt8] {
    var journal = JournalScript(sequence: 1)
    for record in records { journal.add(record: record) }
    journal.add(Array("batch".utf8))
    return journal.bytes
  }

  /// What a recorder writes of a call, without deltas.
  static func records(of call: RecordedCall, number: Int) -> [[UInt8]] {
    let open = CallCoding.json(call.open)
    var records = [
      Array("open \(number) \(call.open.id) \(open.count) \(Hex.string(call.open.salt))\n".utf8) + open + [0x0A]
        + call.open.body
    ]
    if let head = call.head { records.append(Array("head \(number)\n".utf8) + CallCoding.json(head)) }
    for index in 0..<call.frameCount {
      let time = call.frameOffsetNs(index).map { "\($0)" } ?? "-"
      records.append(Array("frame \(number) \(index) \(time) 0\n".utf8) + call.raw[call.frameRange(index)])
    }
    if let end = call.end { records.append(Array("end \(number)\n".utf8) + CallCoding.json(end)) }
    return records
  }

  private let sequence: Int
  private var bytes: [UInt8] = []
  private var chain = [UInt8](repeating: 0, count: 32)
  private var batchStart = 0

  private init(sequence: Int) {
    self.sequence = sequence
    add(record: Array("journal tapedeck-journal/1 \(Self.writer) \(sequence) 1 \(Hex.string(chain))".utf8))
  }

  private mutating func add(_ part: [UInt8]) {
    if part.first == 0x21 {
      bytes += part.dropFirst()
    } else if part == Array("batch".utf8) {
      chain = Array(SHA256.hash(data: chain + bytes[batchStart...]))
      batchStart = bytes.count
      add(record: Array("batch 1 \(Hex.string(chain))".utf8))
    } else {
      add(record: part)
    }
  }

  /// `<crc> <length> <kind> <fields>\n<payload>\n`.
  private mutating func add(record: [UInt8]) {
    let line = record.prefix { $0 != 0x0A }
    let payload = record.dropFirst(line.count + 1)
    let body = Array("\(payload.count) ".utf8) + line + [0x0A] + payload + [0x0A]
    let checksum = CRC32C.of(Array(Self.name(sequence).utf8) + body)
    bytes += Hex.string(withUnsafeBytes(of: checksum.bigEndian) { Array($0) }).utf8 + [0x20] + body
  }
}
