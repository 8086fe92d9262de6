internal import Crypto
internal import TapeTypes

/// The journal that a writer appends to.
struct OpenJournal {
  let descriptor: Int32
  let name: String
  let sequence: Int
  let seed: UInt32
  let createdNs: Int64
  /// Where the last batch ends: what is behind it does not count.
  var size: Int
  /// Batches in this journal.
  var batches = 0
  var chain: [UInt8]
  /// Calls that have records in it; a journal without any is removed when its writer closes.
  var hasCalls = false

  /// A chain before its first batch.
  struct Chain {
    var value = [UInt8](repeating: 0, count: JournalFormat.chainBytes)
  }

  /// Makes, locks and names a journal with its header, and what `first` stages, as one batch.
  ///
  /// It gets its name last, when it is locked and has all that: nobody takes the journal of a live writer for one that
  /// was left, nor the one before for closed while this one may still fail.
  ///
  /// - Parameter origin: where in an earlier journal this one goes on; nil for a writer's first.
  static func create(
    store: Store, writer: CallID, sequence: Int, chain: Chain, origin: JournalOrigin? = nil, clock: any TapeClock,
    first: (_ batch: inout JournalStage, _ seed: UInt32) -> Void = { _, _ in }
  ) throws(FileError) -> OpenJournal {
    do throws(FileError) {
      return try make(store, writer, sequence, chain, origin, clock, first)
    } catch {
      // A seal may have taken the file for one that was left, before it was locked.
      guard error.isMissing || error.call == "flock" else { throw error }
      return try make(store, writer, sequence, chain, origin, clock, first)
    }
  }

  private static func make(
    _ store: Store, _ writer: CallID, _ sequence: Int, _ chain: Chain, _ origin: JournalOrigin?,
    _ clock: any TapeClock, _ first: (_ batch: inout JournalStage, _ seed: UInt32) -> Void
  ) throws(FileError) -> OpenJournal {
    let name = JournalFormat.fileName(writer: writer, sequence: sequence)
    let path = store.archivePath + "/" + name
    let files = store.files
    if try files.status(path + ".tmp") != nil { try files.unlink(path + ".tmp") }
    let descriptor = try files.open(path + ".tmp", .create)
    do throws(FileError) {
      guard try files.lock(descriptor, .exclusive, wait: false) else {
        throw FileError("flock", path, errno: 11)
      }
      var journal = OpenJournal(
        descriptor: descriptor, name: name, sequence: sequence,
        seed: JournalFormat.seed(writer: writer, sequence: sequence), createdNs: clock.monotonicNs(), size: 0,
        chain: chain.value)
      var stage = JournalStage(capacity: 4096)
      journal.stageHeader(&stage, writer: writer, origin: origin, wallNs: clock.wallNs())
      let headerBytes = stage.count
      first(&stage, journal.seed)
      journal.hasCalls = stage.count > headerBytes
      journal.stageBatch(&stage)
      try files.writeAll(descriptor, stage.bytes)
      journal.size = stage.count
      try files.rename(path + ".tmp", to: path)
      return journal
    } catch {
      files.close(descriptor)
      try? files.unlink(path + ".tmp")
      throw error
    }
  }

  private func stageHeader(_ stage: inout JournalStage, writer: CallID, origin: JournalOrigin?, wallNs: Int64) {
    let text = Array(JournalFormat.explanation.utf8)
    let start = stage.begin("journal", payload: text.count)
    stage.field(text: JournalFormat.magic.utf8)
    stage.field(text: writer.description.utf8)
    stage.field(sequence)
    stage.field(Int(wallNs))
    stage.field(hex: chain)
    if let origin {
      stage.field(origin.sequence)
      stage.field(origin.offset)
    }
    stage.endLine()
    stage.append(text)
    stage.finish(start, seed: seed)
  }

  /// Ends the staged bytes as one batch and moves the chain on.
  mutating func stageBatch(_ stage: inout JournalStage) {
    var hash = SHA256()
    hash.update(data: chain)
    hash.update(bufferPointer: stage.bytes)
    hash.finalize().withUnsafeBytes { chain = Array($0) }
    batches += 1
    let start = stage.begin("batch", payload: 0)
    stage.field(batches)
    stage.field(hex: chain)
    stage.endLine()
    stage.finish(start, seed: seed)
  }
}

/// Where in an earlier journal of its writer a journal goes on: what is behind that place was taken back, or is
/// repeated in the first batch of this one.
struct JournalOrigin: Equatable {
  var sequence: Int
  var offset: Int
}

/// Bytes that were written and are not known to be synced.
struct UnsyncedBytes {
  /// More than this is not kept: the memory of a recorder stays bounded when a disk stalls.
  static let limit = 32 << 20
  private(set) var bytes: [UInt8] = []
  /// Position of the first of them, counted over all journals of the writer.
  private(set) var start = 0
  /// True after bytes had to be let go before they were synced.
  private(set) var isIncomplete = false

  /// Position behind the last of them.
  var end: Int { start + bytes.count }

  mutating func append(_ written: UnsafeRawBufferPointer) {
    if bytes.count + written.count > Self.limit {
      isIncomplete = true
      start += bytes.count
      bytes.removeAll(keepingCapacity: false)
    }
    bytes.append(contentsOf: written)
  }

  /// Everything before `position` is synced. Batches are synced whole or not at all.
  mutating func drop(to position: Int) {
    let count = min(position - start, bytes.count)
    guard count > 0 else { return }
    if count == bytes.count {
      bytes.removeAll(keepingCapacity: count <= 4 << 20)
      isIncomplete = false
    } else {
      bytes.removeFirst(count)
    }
    start += count
  }
}
