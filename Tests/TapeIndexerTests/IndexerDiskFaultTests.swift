import Synchronization
import TapeArchive
import TapeTestSupport
import TapeTypes
import Testing

@testable import TapeIndexer

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// The archive's disk fails while it is indexed: it is said, and the next run gives what a rebuild gives.
@Suite struct IndexerDiskFaultTests {
  /// Everything that an index run takes in: segments, one that was written anew without an erased call, one that was
  /// repacked, journals with a call that has no end; and the catalogue from before most of it.
  private func archive() throws -> (test: TestStore, before: [UInt8]) {
    let test = try TestStore()
    let calls = sampleCalls()
    for (number, call) in calls.prefix(6).enumerated() {
      try test.record(call)
      if number % 3 == 2 { _ = try Sealer(store: test.store, level: 1, log: test.log).seal() }
    }
    try test.record(calls[6])
    try Indexer(store: test.store, log: test.log).run()
    let before = try test.store.files.contents(test.store.cataloguePath, limit: 1 << 24)
    _ = try Repacker(store: test.store, level: 19, log: test.log).repack()
    for call in calls[7...8] { try test.record(call) }
    _ = try Eraser(store: test.store, log: test.log, keeper: KeepUsage.keeper).erase([calls[1].id], keepUsage: true)
    for call in calls[9...] { try test.record(call) }
    return (test, before)
  }

  private func put(_ bytes: [UInt8]?, _ path: String) throws {
    for suffix in ["", "-wal", "-shm", ".rebuild"] { unlink(path + suffix) }
    guard let bytes else { return }
    let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
    try #require(descriptor >= 0)
    #expect(write(descriptor, bytes, bytes.count) == bytes.count)
    close(descriptor)
  }

  enum Start: CaseIterable { case nothing, catalogueFromBefore, rebuild }

  @Test(arguments: Start.allCases, [Fault.inputOutput, .short])
  func theNthRequestFailsAndTheNextRunCompletesIt(start: Start, fault: Fault) throws {
    let (test, before) = try archive()
    // What the erasure left to do in the catalogue is done, so that every run has the same to do.
    let path = test.store.cataloguePath
    try Indexer(store: test.store, log: test.log).run(rebuild: true)
    let expected = try dump(path)
    var failed = 0
    var number = 1
    while true {
      try put(start == .nothing ? nil : before, path)
      let files = FailingFiles(number, fault)
      var isThrough = false
      do {
        let store = try Store(path: test.store.path, access: .reading, files: files, clock: SystemClock())
        let report = try Indexer(store: store, log: test.log).run(rebuild: start == .rebuild)
        isThrough = true
        if fault == .short { #expect(report.damage.isEmpty, "request \(number)") }
        if !report.damage.isEmpty { failed += 1 }
      } catch {
        #expect(error is TapeError, "request \(number): \(error)")
        #expect(fault != .short, "request \(number): \(error)")
        failed += 1
      }
      guard files.asked >= number else { break }
      // A run that says that it went well has left out nothing for good.
      try Indexer(store: test.store, log: test.log).run()
      #expect(difference(expected, try dump(path)) == [], "\(isThrough) after request \(number)")
      number += number < 40 || fault == .inputOutput && start == .catalogueFromBefore ? 1 : 5
    }
    #expect(number > 60)
    #expect(fault == .short || failed > 20)
  }
}

/// The real files, of which the N-th question that is asked of the archive goes wrong.
private final class FailingFiles: TapeFiles {
  private let real = SystemFiles()
  private let number: Int
  private let fault: Fault
  private let count = Mutex(0)

  var asked: Int { count.withLock { $0 } }

  init(_ number: Int, _ fault: Fault) {
    self.number = number
    self.fault = fault
  }

  private func turn(_ call: String, _ path: String = "") throws(FileError) -> Bool {
    let isNow = count.withLock { count in
      count += 1
      return count == number
    }
    if isNow, case .error(let code) = fault { throw FileError(call, path, errno: code) }
    return isNow
  }

  func open(_ path: String, _ mode: OpenMode) throws(FileError) -> Int32 {
    _ = try turn("open", path)
    return try real.open(path, mode)
  }
  func close(_ descriptor: Int32) { real.close(descriptor) }
  func write(_ descriptor: Int32, _ bytes: UnsafeRawBufferPointer) throws(FileError) -> Int {
    try real.write(descriptor, bytes)
  }
  func read(_ descriptor: Int32, at offset: Int, into buffer: UnsafeMutableRawBufferPointer) throws(FileError) -> Int {
    let isShort = try turn("read")
    return try real.read(
      descriptor, at: offset,
      into: isShort ? UnsafeMutableRawBufferPointer(rebasing: buffer[..<((buffer.count + 1) / 2)]) : buffer)
  }
  func size(_ descriptor: Int32) throws(FileError) -> Int {
    _ = try turn("fstat")
    return try real.size(descriptor)
  }
  func truncate(_ descriptor: Int32, to bytes: Int) throws(FileError) { try real.truncate(descriptor, to: bytes) }
  func sync(_ descriptor: Int32) throws(FileError) { try real.sync(descriptor) }
  func lock(_ descriptor: Int32, _ mode: LockMode, wait: Bool) throws(FileError) -> Bool {
    _ = try turn("flock")
    return try real.lock(descriptor, mode, wait: wait)
  }
  func unlock(_ descriptor: Int32) { real.unlock(descriptor) }
  func rename(_ path: String, to target: String) throws(FileError) { try real.rename(path, to: target) }
  func unlink(_ path: String) throws(FileError) { try real.unlink(path) }
  func syncDirectory(_ path: String) throws(FileError) { try real.syncDirectory(path) }
  func list(_ path: String) throws(FileError) -> [String] {
    _ = try turn("opendir", path)
    return try real.list(path)
  }
  func entries(_ path: String) throws(FileError) -> [DirectoryEntry] {
    _ = try turn("opendir", path)
    return try real.entries(path)
  }
  func status(_ path: String) throws(FileError) -> FileStatus? {
    _ = try turn("stat", path)
    return try real.status(path)
  }
  func makeDirectory(_ path: String) throws(FileError) { try real.makeDirectory(path) }
}
