package import Logging
internal import TapeTypes

/// What a repack did.
package struct RepackReport: Sendable, Equatable {
  /// Names of the segments that were written anew.
  package var rewritten: [String] = []
  /// Segments that were so already, or would not have become smaller.
  package var kept = 0
  /// Bytes of all segments that could be read.
  package var bytesBefore = 0
  package var bytesAfter = 0
  /// Segments that cannot be read as a whole: they are left as they are.
  package var damage: [Damage] = []

  package init() {}
}

/// Writes sealed segments anew, in the present block coding and at another zstd level.
///
/// A segment keeps its name, its calls, tombstones, their order and their leaf hashes: so nothing changes for the tree
/// and for proofs. It is replaced when the new file was read back and every leaf compared; whatever interrupts a repack
/// loses nothing, and the next one goes on. What is so already is not touched.
package struct Repacker {
  private let store: Store
  private let level: Int
  private let log: Logger

  /// - Parameter level: 1 to 22.
  package init(store: Store, level: Int, log: Logger) {
    self.store = store
    self.level = level
    self.log = log
  }

  /// Repacks every segment. Waits for a seal to end.
  ///
  /// - Parameter progress: called before each segment with its number, from 1, and how many there are.
  /// - Throws: `TapeError` `.locked`, `.readOnly`, `.io`, `.failed`.
  package func repack(progress: (Int, Int) -> Void = { _, _ in }) throws -> RepackReport {
    guard let lock = try store.lock(wait: true) else {
      throw TapeError(.locked, "another process seals, repacks or erases in \(store.path); try again when it is done")
    }
    defer { lock.release() }
    var report = RepackReport()
    do {
      try store.removeLeftovers(log: log)
      let names = try store.archiveFiles().filter { SegmentFormat.parse(fileName: $0) != nil }
      for (index, name) in names.enumerated() {
        progress(index + 1, names.count)
        try repack(name, &report)
      }
      report.damage += try store.archiveIntruders()
      return report
    } catch let error as FileError {
      throw TapeError(
        error.isReadOnly ? .readOnly : .io,
        "cannot repack \(store.archivePath): \(error.reason) (\(error.doing)); what was not written anew "
          + "is as it was")
    } catch let error as ZstdError {
      throw TapeError(.failed, "cannot repack \(store.archivePath): \(error); what was not written anew is as it was")
    }
  }

  private func repack(_ name: String, _ report: inout RepackReport) throws {
    let before: Int
    let segment: SegmentWriter?
    do {
      let reader = try SegmentReader(store: store, name: name)
      if let problem = reader.problem { throw reader.file.corrupt(problem) }
      before = try store.files.status(store.archivePath + "/" + name)?.bytes ?? 0
      segment = try isSo(reader.file) ? nil : rewrite(reader)
    } catch let error as TapeError where error.isDamage || error.code == .io {
      // A damaged segment is evidence, and perhaps more can be had of it than this program knows how. One that the disk
      // does not give is no reason to leave the others.
      report.damage.append(Damage(file: name, offset: 0, calls: [], message: error.description))
      return
    } catch let error where error is BlockError || error is ZstdError {
      report.damage.append(Damage(file: name, offset: 0, calls: [], message: "\(error)"))
      return
    } catch let error as UnsealableCalls {
      // One segment that cannot be repacked does not keep others from it.
      let message = "it did not come back as it was when it was repacked, and is left as it was: \(error)"
      report.damage.append(Damage(file: name, offset: 0, calls: error.ids, message: message))
      return
    }
    report.bytesBefore += before
    guard let segment, try replaces(segment, before: before, name) else {
      report.kept += 1
      report.bytesAfter += before
      return
    }
    report.rewritten.append(name)
    report.bytesAfter += segment.size
  }

  /// It has the present coding, and a level that is not lower.
  private func isSo(_ file: SegmentFile) -> Bool {
    type(of: file.coding).name == TemplateCoding.name && file.level ?? 0 >= level
  }

  private func rewrite(_ reader: SegmentReader) throws -> SegmentWriter {
    let segment = try SegmentWriter(store: store, name: reader.name, level: level, place: reader.place)
    do {
      var leaves: [[UInt8]] = []
      try reader.forEachItem { item, _, leaf in
        leaves.append(leaf)
        try segment.add(item)
      }
      try segment.finish()
      guard segment.leaves == leaves, leaves.count == reader.entries.count else {
        throw UnsealableCalls([], "it did not give the same calls")
      }
      try segment.readBack()
      return segment
    } catch {
      segment.discard()
      throw error
    }
  }

  /// Puts the new file in the place of the old one, if that is any use.
  private func replaces(_ segment: SegmentWriter, before: Int, _ name: String) throws -> Bool {
    let isOldCoding = try type(of: SegmentFile(store: store, name: name).coding).name != TemplateCoding.name
    guard isOldCoding || segment.size < before else {
      try store.files.unlink(segment.temporaryPath)
      return false
    }
    try store.files.rename(segment.temporaryPath, to: segment.path)
    try store.files.syncDirectory(store.archivePath)
    log.info("repacked \(name): \(before) bytes are now \(segment.size)")
    return true
  }
}
