import Foundation
import TapeArchive
import TapeTypes
import Testing

@Suite struct StoreTests {
  @Test(arguments: [
    ("/f", ["TAPEDECK_STORE": "/e"], "/f"), (nil, ["TAPEDECK_STORE": "/e", "XDG_DATA_HOME": "/x"], "/e"),
    (nil, ["XDG_DATA_HOME": "/x", "HOME": "/h"], "/x/tapedeck"), (nil, ["HOME": "/h"], "/h/.local/share/tapedeck"),
    (nil, ["XDG_DATA_HOME": "relative", "HOME": "/h", "TAPEDECK_STORE": ""], "/h/.local/share/tapedeck"),
  ]) func theStoreIsFoundInOrder(flag: String?, environment: [String: String], path: String) {
    #expect(Store.locate(flag: flag, environment: environment) == path)
  }

  @Test func openingForWritingMakesAStore() throws {
    let files = MemoryFiles()
    let store = try memoryStore(files)
    #expect(
      String(decoding: files.bytes("/s/tapedeck.json"), as: UTF8.self)
        == #"{"format":"tapedeck-store","version":1,"created":"2026-01-01T00:00:00.000000000Z"}"# + "\n")
    #expect(
      try Store(path: "/s", access: .reading, files: files, clock: ManualClock()).archivePath == store.archivePath)
    #expect(try Store(path: "/s/", access: .writing, files: files, clock: ManualClock()).path == "/s")
  }

  private func code(_ files: MemoryFiles, _ access: Store.Access) -> TapeError.Code? {
    do {
      _ = try Store(path: "/s", access: access, files: files, clock: ManualClock())
      return nil
    } catch {
      return (error as? TapeError)?.code
    }
  }

  @Test func whatIsNoStoreIsLeftAlone() throws {
    let files = MemoryFiles()
    #expect(code(files, .reading) == .failed)
    try files.makeDirectory("/s")
    #expect(code(files, .reading) == .failed)
    files.set("/s/letter.txt", [1])
    #expect(code(files, .reading) == .notAStore)
    #expect(code(files, .writing) == .notAStore)
    #expect(files.paths == ["/s/letter.txt"])
    let file = MemoryFiles()
    file.set("/s", [1])
    #expect(code(file, .writing) == .notAStore)
  }

  @Test(arguments: [#"{"format":"tapedeck-store","version":2}"#, #"{"format":"tapedeck-store","version":9,"x":[]}"#])
  func aNewerStoreIsNotTouched(marker: String) throws {
    let files = MemoryFiles()
    try files.makeDirectory("/s")
    files.set("/s/tapedeck.json", Array(marker.utf8))
    #expect(code(files, .reading) == .newerVersion)
    #expect(code(files, .writing) == .newerVersion)
    #expect(files.paths == ["/s/tapedeck.json"])
  }

  @Test(arguments: ["", "{}", "nonsense", #"{"format":"other","version":1}"#, #"{"format":"tapedeck-store"}"#])
  func aMarkerThatSaysSomethingElseIsNoStore(marker: String) throws {
    let files = MemoryFiles()
    try files.makeDirectory("/s")
    files.set("/s/tapedeck.json", Array(marker.utf8))
    #expect(code(files, .writing) == .notAStore)
  }

  @Test func aCreationThatWasKilledIsTakenUpAgain() throws {
    let files = MemoryFiles()
    try files.makeDirectory("/s/archive")
    files.set("/s/tapedeck.json.00000000000000000000000000.tmp", [0x7B])
    #expect(code(files, .writing) == nil)
  }

  /// What was recorded hangs on names that somebody made who was killed before they were durable.
  @Test func aCreationThatWasKilledAtAnyStepIsMadeDurableByTheNext() throws {
    var step = 1
    var isWhole = false
    while !isWhole {
      let disk = MemoryDisk()
      disk.fail(step, .kill)
      isWhole = (try? deepStore(MemoryFiles(disk: disk))) != nil
      disk.clearFaults()
      var generator = Seeded(state: 1)
      let open = makeOpen(&generator)
      let writer = try JournalWriter(store: deepStore(MemoryFiles(disk: disk)), options: quietOptions(), log: quiet)
      writer.end(writer.open(open), offsetNs: 1, cause: .endOfBody)
      try writer.close()
      for loss in PowerLoss.states(seed: UInt64(step)) {
        let store = try deepStore(MemoryFiles(disk: disk.after(loss)))
        #expect(try Collector.all(store).calls[open.id] != nil, "killed at \(step), power loss \(loss)")
      }
      step += 1
    }
    #expect(step > 8)
  }

  private func deepStore(_ files: MemoryFiles) throws -> Store {
    try Store(path: "/home/me/s", access: .writing, files: files, clock: ManualClock())
  }

  @Test func theFingerprintKeyStaysTheSame() throws {
    let files = MemoryFiles()
    let key = try memoryStore(files).fingerprintKey()
    #expect(key.count == 32)
    #expect(try memoryStore(files).fingerprintKey() == key)
    // One that was cut off while it was made has keyed nothing yet.
    files.set("/s/fingerprint.key", [1, 2, 3])
    #expect(try memoryStore(files).fingerprintKey().count == 32)
  }

  @Test func filesAreForTheirOwnerOnly() throws {
    let directory = FileManager.default.temporaryDirectory.appendingPathComponent("tapedeck-\(UUID().uuidString)").path
    defer { try? FileManager.default.removeItem(atPath: directory) }
    let store = try Store(path: directory + "/deep/store", access: .writing)
    _ = try store.fingerprintKey()
    let writer = try JournalWriter(store: store, log: quiet)
    func mode(_ path: String) throws -> Int {
      try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int ?? 0
    }
    #expect(try mode(store.path) == 0o700)
    #expect(try mode(store.archivePath) == 0o700)
    for name in ["tapedeck.json", "store.lock", "fingerprint.key"] {
      #expect(try mode(store.path + "/" + name) == 0o600)
    }
    for name in store.archiveNames { #expect(try mode(store.archivePath + "/" + name) == 0o600) }
    try writer.close()
  }
}
