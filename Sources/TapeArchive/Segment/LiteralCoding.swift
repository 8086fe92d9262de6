internal import Crypto
internal import TapeJSON
internal import TapeTypes

/// `literal/1`: requests and responses as they are, one call behind the other. Segments of this coding are read, and
/// no longer made.
struct LiteralCoding: BlockCoding {
  static let name = "literal/1"
  static let roles: [EncodedBlock.Role] = [.head, .text, .times, .proofs]

  init() {}

  // MARK: Decoding

  /// What the head says of one call.
  private struct Item {
    var id: CallID
    var startedAtNs: Int
    var tombstone: Tombstone?
    var frames: Int
    var bytes: Int
    var bodyBytes: Int
    var open: ArraySlice<UInt8> = []
    var cuts: ArraySlice<UInt8> = []
    var head: ArraySlice<UInt8>?
    var end: ArraySlice<UInt8>?
  }

  func entries(head: [UInt8], blockOffset: Int) throws -> [SegmentEntry] {
    try Self.items(head).map {
      SegmentEntry(
        id: $0.id, startedAtNs: Int64($0.startedAtNs), blockOffset: blockOffset, frames: $0.frames, bytes: $0.bytes,
        leafHash: $0.tombstone?.leafHash, isErased: $0.tombstone != nil)
    }
  }

  func decode(_ block: EncodedBlock, only id: CallID?) throws -> [SegmentItem] {
    let payload = block[.text]
    let items = try Self.items(block[.head])
    var salts = ByteReader(block[.proofs])
    var times = try TimesCoding.Decoder(block[.times])
    var position = 0
    var calls: [SegmentItem] = []
    for item in items {
      if let tombstone = item.tombstone {
        if id == nil || id == item.id { calls.append(.tombstone(tombstone)) }
        continue
      }
      guard let length = salts.varint(), let salt = salts.take(length) else { throw BlockError("too few salts") }
      let (size, overflow) = item.bodyBytes.addingReportingOverflow(item.bytes)
      guard !overflow, size <= payload.count - position else { throw BlockError("too short a payload") }
      defer { position += size }
      let hasTimes = try Self.hasTimes(item)
      if let id, id != item.id {
        if hasTimes { try times.skip(item.frames) }
        continue
      }
      let offsets = hasTimes ? try times.next(item.frames) : []
      let body = Array(payload[position..<(position + item.bodyBytes)])
      let raw = Array(payload[(position + item.bodyBytes)..<(position + size)])
      calls.append(.call(try Self.call(item, body: body, raw: raw, salt: Array(salt), offsets: offsets)))
    }
    guard position == payload.count, salts.isAtEnd, times.isAtEnd else {
      throw BlockError("bytes that belong to no call")
    }
    return calls
  }

  private static func items(_ head: [UInt8]) throws -> [Item] {
    var items: [Item] = []
    for line in head.split(separator: 0x0A) {
      guard let space = line.firstIndex(of: 0x20) else { throw BlockError("a line without a value") }
      let value = line[(space + 1)...]
      let word = String(decoding: line[..<space], as: UTF8.self)
      if word == "#" {
        items.append(try item(value))
        continue
      }
      guard !items.isEmpty else { throw BlockError("a line before the first call") }
      switch word {
      case "open": items[items.count - 1].open = value
      case "cuts": items[items.count - 1].cuts = value
      case "head": items[items.count - 1].head = value
      case "end": items[items.count - 1].end = value
      case "kept" where items[items.count - 1].tombstone != nil:
        items[items.count - 1].tombstone?.kept = Array(value)
      default: throw BlockError("a line that begins with \(word)")
      }
    }
    return items
  }

  private static func item(_ value: ArraySlice<UInt8>) throws -> Item {
    if let tombstone = TombstoneLines.parse(value) {
      return Item(
        id: tombstone.id, startedAtNs: Int(tombstone.startedAtNs), tombstone: tombstone, frames: 0, bytes: 0,
        bodyBytes: 0)
    }
    let parts = String(decoding: value, as: UTF8.self).split(separator: " ")
    guard parts.count == 5, let id = CallID(String(parts[0])), let started = Int(parts[1]), let frames = Int(parts[2]),
      let bytes = Int(parts[3]), let body = Int(parts[4]), frames >= 0, bytes >= 0, body >= 0,
      SegmentFormat.allows(frames: frames, bytes: bytes)
    else { throw BlockError("a call's first line") }
    return Item(id: id, startedAtNs: started, tombstone: nil, frames: frames, bytes: bytes, bodyBytes: body)
  }

  /// Without parsing the JSON: in canonical JSON these bytes stand outside of strings only, as inside of them quotes
  /// are escaped.
  private static func hasTimes(_ item: Item) throws -> Bool {
    guard !item.open.isEmpty else { throw BlockError("call \(item.id) without open line") }
    return item.open.firstRange(of: hasTimesMember) != nil
  }

  private static let hasTimesMember = Array("\"has_times\":true".utf8)

  private static func call(
    _ item: Item, body: [UInt8], raw: [UInt8], salt: [UInt8], offsets: [Int64]
  ) throws -> RecordedCall {
    guard let value = try? JSONValue(parsing: Array(item.open)),
      let open = CallCoding.open(value, body: body, salt: salt), open.id == item.id,
      open.startedAtNs == item.startedAtNs
    else { throw BlockError("the open line of call \(item.id)") }
    var call = RecordedCall(open: open, raw: raw, frameOffsetsNs: offsets)
    guard let ends = Cuts.decode(item.cuts, count: item.frames, in: raw) else {
      throw BlockError("the cuts of call \(item.id)")
    }
    call.frameEnds = ends
    if let line = item.head {
      guard let head = (try? JSONValue(parsing: Array(line))).flatMap({ CallCoding.head($0) }) else {
        throw BlockError("the head line of call \(item.id)")
      }
      call.head = head
    }
    if let line = item.end {
      let value = try? JSONValue(parsing: Array(line))
      guard let end = value.flatMap({ CallCoding.end($0) { Array(SHA256.hash(data: raw)) } }) else {
        throw BlockError("the end line of call \(item.id)")
      }
      call.end = end
    }
    return call
  }
}
