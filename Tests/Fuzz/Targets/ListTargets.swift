internal import Crypto
internal import TapeArchive
internal import TapeTypes

extension FuzzTarget {
  /// Any file that is named as a leaf list is one, or it is said what is wrong with it.
  ///
  /// If the first byte is odd, its checksum is made right.
  static let leaves = FuzzTarget("leaves") { input in
    guard let (choice, rest) = input.variant else { return }
    let name = "S-\(JournalScript.writer)-000001-000002.leaves"
    let sum = Array("sha256 \(Hex.string(SHA256.hash(data: rest)))\n".utf8)
    guard let list = try? LeafList(choice & 1 == 1 ? rest + sum : rest, fileName: name) else { return }
    try expect(LeafList.fileName(ofSegment: list.segment) == name, "a leaf list of another segment")
    try expect((try? LeafList(list.text, fileName: name)) == list, "a leaf list is not written as it was read")
  }

  /// Any list of calls to be erased erases what it names in lines that are right, and nothing else; what it does not
  /// understand it keeps.
  ///
  /// Lines; those that begin with `=` get the checksum in its place. `1`, `2` and `3` for an id are those of the calls.
  static let erasures = FuzzTarget("erasures") { input in
    let files = MemoryArchive()
    let store = try Store(path: "/s", access: .writing, files: files, clock: StoppedClock())
    let calls = (1...3).map { number in
      RecordedCall(
        open: CallOpen(
          id: CallID(high: 0x0192_0000_0000_0001 + UInt64(number), low: 7), startedAtNs: 1_767_225_600_000_000_000,
          origin: .proxy, hasTimes: false, salt: [UInt8](repeating: 1, count: 16)),
        end: CallEnd(offsetNs: nil, cause: .endOfBody, frames: 1, bytes: 1, sha256: nil), raw: [0x78], frameEnds: [1])
    }
    let records = calls.enumerated().flatMap { JournalScript.records(of: $1, number: $0 + 1) }
    files.set("\(store.archivePath)/\(JournalScript.name(1))", JournalScript.journal(records))
    files.set("\(store.archivePath)/erasures", listed(input, calls.map { "\($0.open.id)" }))
    guard let list = try? ErasureList(store) else { return }
    let wanted = Set(calls.map(\.open.id).filter { list[$0].map { !$0.keepsUsage } ?? false })
    let waiting = Set(calls.map(\.open.id).filter { list[$0]?.keepsUsage ?? false })
    _ = try? Sealer(store: store, level: 1, log: quiet).seal()
    let left = try ArchiveState(store).ids
    try expect(left == Set(calls.map(\.open.id)).subtracting(wanted), "other calls are gone than were asked for")
    let after = try ErasureList(store)
    try expect(waiting.allSatisfy { after[$0] != nil }, "a call that nobody could erase is off the list")
  }

  private static func listed(_ input: [UInt8], _ ids: [String]) -> [UInt8] {
    let lines = input.split(separator: 0x0A, omittingEmptySubsequences: false).map { line -> [UInt8] in
      guard line.first == 0x3D else { return Array(line) }
      var text = Array(line.dropFirst())
      if let last = text.last, (0x31...0x33).contains(last) { text = text.dropLast() + ids[Int(last) - 0x31].utf8 }
      let checksum = CRC32C.of(text)
      return Array(Hex.string(withUnsafeBytes(of: checksum.bigEndian) { Array($0) }).utf8) + [0x20] + text
    }
    return Array(lines.joined(separator: [0x0A]))
  }
}
