import Foundation
import Logging
import TapeArchive
import TapeExport
import TapeRecorder
import TapeTypes

let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

/// A directory that goes when the test ends.
final class Scratch {
  let path = FileManager.default.temporaryDirectory.appendingPathComponent("tapedeck-\(UUID().uuidString)").path
  init() throws { try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true) }
  deinit { try? FileManager.default.removeItem(atPath: path) }

  func store(_ name: String = "store") throws -> Store { try Store(path: path + "/" + name, access: .writing) }

  /// Writes a file and gives its path.
  func file(_ name: String, _ bytes: [UInt8]) throws -> String {
    try Data(bytes).write(to: URL(fileURLWithPath: path + "/" + name))
    return path + "/" + name
  }

  func file(_ name: String, _ text: String) throws -> String { try file(name, Array(text.utf8)) }
}

/// Repeatable randomness (SplitMix64).
struct Seeded: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}

extension Store {
  func calls() throws -> [CallID: RecordedCall] {
    var calls: [CallID: RecordedCall] = [:]
    try ArchiveReader(store: self).allCalls { call, _ in calls[call.open.id] = call }
    return calls
  }

  func importing(_ path: String, _ options: Importer.Options = .init()) throws -> [Importer.Outcome] {
    let importer = try Importer(store: self, options: options, log: quiet)
    defer { try? importer.finish() }
    return try importer.importFile(path)
  }

  /// The timed capture of everything in the store.
  func exported() throws -> [UInt8] {
    var out: [UInt8] = []
    var export = FramesExport { out += $0 }
    for call in try calls().values.sorted(by: { $0.open.startedAtNs < $1.open.startedAtNs }) {
      let state = CallState(head: call.head, end: call.end, isLive: false, isComplete: false, hasErrorFrame: false)
      try export.add(call, state: state)
    }
    try export.finish()
    return out
  }
}
