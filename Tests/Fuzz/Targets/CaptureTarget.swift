import TapeArchive
import TapeJSON
import TapeRecorder
import TapeTypes

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

extension FuzzTarget {
  /// Any timed capture is imported or refused; what was imported is there, and the same when it comes again.
  static let capture = FuzzTarget("capture") { input in
    let files = MemoryArchive()
    let store = try Store(path: "/s", access: .writing, files: files, clock: StoppedClock())
    let file = try ScratchFile(input)
    let first = try imported(file, store)
    let state = try ArchiveState(store)
    for outcome in first where outcome.isNew {
      try expect(state.ids.contains(outcome.id), "an imported call is not there")
    }
    let second = try imported(file, store)
    try expect(try ArchiveState(store).ids.isSuperset(of: state.ids), "importing again loses calls")
    // What names its call is known by that; what does not has its bytes compared.
    try expect(second.count == first.count, "importing again gives another number of calls")
    try input.withUnsafeBytes { bytes in
      guard let line = TimedLine(bytes), line.event == .frame else { return }
      var frame: [UInt8] = []
      let isRead = line.appendFrame(of: bytes, to: &frame)
      try expect(!isRead || frame.count <= bytes.count, "a frame that is longer than its line")
    }
  }

  private static func imported(_ file: ScratchFile, _ store: Store) throws -> [Importer.Outcome] {
    let importer = try Importer(store: store, options: .init(), log: quiet)
    let result = importer.importCalls(of: file.path)
    try importer.finish()
    return result.outcomes
  }
}

/// A file without a name, for what reads files by path.
final class ScratchFile {
  private let descriptor: Int32
  let path: String

  init(_ bytes: [UInt8], suffix: String = ".jsonl") throws {
    var template = Array("/tmp/tapedeck-fuzz-XXXXXX\(suffix)".utf8CString)
    descriptor = mkstemps(&template, Int32(suffix.utf8.count))
    guard descriptor >= 0 else { throw Finding("no scratch file: errno \(errno)") }
    path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    guard bytes.isEmpty || write(descriptor, bytes, bytes.count) == bytes.count else {
      throw Finding("a scratch file takes no bytes: errno \(errno)")
    }
  }

  deinit {
    close(descriptor)
    unlink(path)
  }
}
