import CZstd
import TapeArchive
import TapeTypes

extension FuzzTarget {
  /// Any file that is named as a segment is: read by each reader without a trap, the same by each.
  static let segment = FuzzTarget("segment", longestInput: 16_384) { try read($0) }

  /// A block of `literal/1` whose parts are anything, in a file that is right otherwise.
  static let literal = FuzzTarget("literal", longestInput: 16_384) { input in
    guard let (choice, rest) = input.variant else { return }
    var file = SegmentScript(coding: "literal/1")
    file.addBlock(.init(rest, isRaw: choice & 1 == 1), roles: [.head, .text, .times, .proofs])
    try read(file.finish(index: nil))
  }

  /// The same of `template/1`.
  static let template = FuzzTarget("template", longestInput: 16_384) { input in
    guard let (choice, rest) = input.variant else { return }
    var file = SegmentScript(coding: "template/1")
    file.addBlock(.init(template: rest, isRaw: choice & 1 == 1), roles: [.head, .text, .cuts, .times, .proofs])
    try read(file.finish(index: nil))
  }

  /// A segment whose index and seek table are anything: index, `FF 1E`, seek table (none: the right one).
  static let index = FuzzTarget("index") { input in
    let parts = SegmentScript.parts(input)
    var file = SegmentScript(coding: "literal/1")
    for _ in 0..<2 { file.addBlock(.sample, roles: [.head, .text, .times, .proofs]) }
    try read(file.finish(index: parts[0], seekTable: parts.count > 1 ? parts[1] : nil))
  }

  private static func read(_ bytes: [UInt8]) throws {
    let files = MemoryArchive()
    let store = try Store(path: "/s", access: .writing, files: files, clock: StoppedClock())
    let name = "S-\(JournalScript.writer)-000001-000002.tape.zst"
    files.set(store.archivePath + "/" + name, bytes)
    var places: [(call: RecordedCall, place: CallLocation)] = []
    var damaged = 0
    try ArchiveReader(store: store).allCalls(onDamage: { _ in damaged += 1 }) { call, place in
      try ArchiveState.check(call)
      places.append((call, place))
    }
    let report = try Verifier(store: store).run()
    try expect(damaged == 0 || !report.damage.isEmpty, "damage that verify does not see")
    let names = places.map { $0.call.open.id }
    for (call, place) in places where names.count(where: { $0 == call.open.id }) == 1 {
      let again = try ArchiveReader(store: store).call(at: place, id: call.open.id)
      try expect(again == call, "call \(call.open.id) is another one when it is asked for")
    }
    guard let segment = try? SegmentReader(store: store, name: name) else {
      return try expect(places.isEmpty && damaged > 0, "a file that cannot be opened, and no word of it")
    }
    // Whoever is named by an undamaged index can be read.
    if damaged == 0 {
      try expect(
        segment.entries.filter { !$0.isErased }.count == names.count, "calls are missing without a word of it")
    }
  }
}

/// Makes segments of inputs: a fuzzer cannot guess what zstd and checksums want.
struct SegmentScript {
  enum Role { case head, text, cuts, times, proofs }

  /// The parts of a block, separated by `FF 1E`: head, text, cuts, the symbols of the times, their bits, proofs.
  struct Block {
    var head: [UInt8] = []
    var text: [UInt8] = []
    var cuts: [UInt8] = []
    var times: [UInt8] = []
    var proofs: [UInt8] = []

    /// - Parameter isRaw: the times are what the input has, not made of symbols and bits.
    init(_ input: [UInt8], isRaw: Bool) {
      let parts = SegmentScript.parts(input) + Array(repeating: [], count: 6)
      (head, text, cuts, proofs) = (parts[0], parts[1], parts[2], parts[5])
      let symbols = SegmentScript.zstd(parts[3])
      times = isRaw || parts[3].isEmpty ? parts[4] : SegmentScript.varint(symbols.count) + symbols + parts[4]
    }

    /// Of `template/1`: head, text, the streams runs, misses and lengths, symbols and bits of the times, proofs.
    ///
    /// - Parameter isRaw: cuts and times are what the input has first of their parts.
    init(template input: [UInt8], isRaw: Bool) {
      let parts = SegmentScript.parts(input) + Array(repeating: [], count: 8)
      (head, text, proofs) = (parts[0], parts[1], parts[7])
      func stream(_ bytes: [UInt8]) -> [UInt8] {
        let frame = bytes.isEmpty ? [] : SegmentScript.zstd(bytes)
        return SegmentScript.varint(frame.count) + frame
      }
      cuts = isRaw ? parts[2] : stream(parts[2]) + stream(parts[3]) + stream(parts[4])
      times = isRaw ? parts[5] : parts[5].isEmpty ? [] : [1] + stream(parts[5]) + parts[6]
    }

    /// One call of two frames.
    static let sample = Block(
      Array(
        """
        # 01KDVDNA00ABCDEFGHJKMNPQRS 1767225600000000000 2 16 2
        open {"id":"01KDVDNA00ABCDEFGHJKMNPQRS","started_at_ns":1767225600000000000,"origin":"proxy","upstream":"u",\
        "method":"POST","path":"/p","headers":[],"has_times":true,"redactions":[]}
        cuts 2
        end {"offset_ns":9,"cause":"end_of_body","frames":2,"bytes":16,"sha256":"=","gap_frames":0,"gap_bytes":0,\
        "clock_step_ns":0}

        """.utf8) + [0xFF, 0x1E] + Array("{}data: a\n\ndata:\n\n".utf8) + [0xFF, 0x1E, 0xFF, 0x1E, 5, 4, 0xFF, 0x1E]
        + [0xFF, 0x1E, 1, 7], isRaw: false)
  }

  private(set) var bytes: [UInt8] = []
  private var seekTable: [UInt8] = []
  private var frames: UInt32 = 0
  private var index = Array("# tree 0\n".utf8)

  init(coding: String) { add(Self.zstd(Array("tapedeck-segment/1 \(coding)\n".utf8))) }

  mutating func addBlock(_ block: Block, roles: [Role]) {
    noteEntries(block.head)
    for role in roles {
      switch role {
      case .head: add(Self.zstd(block.head))
      case .text: add(Self.zstd(block.text))
      case .cuts: add(Self.skippable(0x184D_2A53, block.cuts))
      case .times: add(Self.skippable(0x184D_2A51, block.times))
      case .proofs: add(Self.skippable(0x184D_2A52, block.proofs))
      }
    }
  }

  /// The whole file.
  ///
  /// - Parameters:
  ///   - index: nil for one of what the heads name.
  ///   - seekTable: nil for the right one.
  mutating func finish(index: [UInt8]?, seekTable: [UInt8]? = nil) -> [UInt8] {
    add(Self.zstd(index ?? self.index))
    if let seekTable { return bytes + seekTable }
    let count = frames
    return bytes + Self.little(0x184D_2A5E) + Self.little(UInt32(self.seekTable.count + 9)) + self.seekTable
      + Self.little(count) + [0] + Self.little(0x8F92_EAB1)
  }

  /// Without leaf hashes, as the first segments had it: `<id> <start> <block> <frames> <bytes>`.
  private mutating func noteEntries(_ head: [UInt8]) {
    index = index.first == 0x23 && frames == 1 ? [] : index
    for line in head.split(separator: 0x0A) where line.starts(with: "# ".utf8) {
      let words = line.split(separator: 0x20).dropFirst().map(Array.init)
      guard words.count >= 4 else { continue }
      index += words[0] + [0x20] + words[1] + Array(" \(bytes.count) ".utf8) + words[2] + [0x20] + words[3] + [0x0A]
    }
  }

  private mutating func add(_ frame: [UInt8]) {
    let content = frame.withUnsafeBytes { ZSTD_getFrameContentSize($0.baseAddress, $0.count) }
    bytes += frame
    seekTable += Self.little(UInt32(frame.count)) + Self.little(content < 1 << 32 ? UInt32(content) : 0)
    frames += 1
  }

  static func parts(_ input: [UInt8]) -> [[UInt8]] {
    var parts: [[UInt8]] = [[]]
    var position = 0
    while position < input.count {
      if input[position] == 0xFF, position + 1 < input.count, input[position + 1] == 0x1E {
        parts.append([])
        position += 2
      } else {
        parts[parts.count - 1].append(input[position])
        position += 1
      }
    }
    return parts
  }

  static func varint(_ value: Int) -> [UInt8] {
    value < 0x80 ? [UInt8(value)] : [UInt8(value & 0x7F) | 0x80] + varint(value >> 7)
  }

  private static func skippable(_ magic: UInt32, _ content: [UInt8]) -> [UInt8] {
    little(magic) + little(UInt32(content.count + 4)) + little(CRC32C.of(content)) + content
  }

  private static func little(_ value: UInt32) -> [UInt8] { withUnsafeBytes(of: value.littleEndian) { Array($0) } }

  static func zstd(_ content: [UInt8]) -> [UInt8] {
    let context = ZSTD_createCCtx()
    defer { ZSTD_freeCCtx(context) }
    ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, 1)
    ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1)
    return [UInt8](unsafeUninitializedCapacity: ZSTD_compressBound(content.count)) { buffer, count in
      let result = ZSTD_compress2(context, buffer.baseAddress, buffer.count, content, content.count)
      count = ZSTD_isError(result) == 0 ? result : 0
    }
  }
}
