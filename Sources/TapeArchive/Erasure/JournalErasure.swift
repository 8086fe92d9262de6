internal import Crypto
internal import TapeTypes

/// Takes calls out of a closed journal that has to stay, as others of its calls have not ended.
///
/// Each of their records gives way to a `void` record of the same size, so that all others stay where they are; the
/// batches' chain is made anew. The journal is replaced when the new one was read back.
struct JournalErasure {
  let store: Store

  /// - Parameter damageToo: drops also what is no record and what belongs to a call that is not known, which may have
  ///   been of an erased one.
  /// - Returns: how many bytes were voided; 0 leaves the file as it is.
  func void(
    _ erased: Set<CallID>, in file: String, writer: CallID, sequence: Int, damageToo: Bool = false
  ) throws -> Int {
    let path = store.archivePath + "/" + file
    let descriptor = try store.files.open(path, .read)
    defer { store.files.close(descriptor) }
    let size = try store.files.size(descriptor)
    let seed = JournalFormat.seed(writer: writer, sequence: sequence)
    let cursor = JournalCursor(
      files: store.files, descriptor: descriptor, name: file, seed: seed, offset: 0, limit: size)
    var copy = JournalCopy(seed: seed, erased: erased, damageToo: damageToo)
    while cursor.offset < size {
      let offset = cursor.offset
      if case .record(let record) = try cursor.next() {
        copy.add(record)
      } else {
        let end = try cursor.resync() ? cursor.offset : size
        copy.add(damaged: try store.files.read(descriptor, offset..<end))
        cursor.seek(end)
      }
    }
    guard copy.voided > 0 else { return 0 }
    let bytes = copy.bytes
    guard damageToo || bytes.count == size else {
      throw TapeError(.failed, "\(file) could not be written without its erased calls; it is left as it was")
    }
    try store.files.replace(path, with: bytes, in: store.archivePath)
    return copy.voided
  }
}

/// A journal while it is written anew.
private struct JournalCopy: ~Copyable {
  private var stage = JournalStage()
  private(set) var voided = 0
  private let seed: UInt32
  private let erased: Set<CallID>
  private let damageToo: Bool
  /// Ids of the call numbers that this journal names.
  private var ids: [Int: CallID] = [:]
  private var chain: [UInt8]?
  private var batchStart = 0
  /// The chain as it stands in the journal: a batch that did not follow shall not follow afterwards.
  private var oldChain: [UInt8]?
  private var oldHash = SHA256()

  init(seed: UInt32, erased: Set<CallID>, damageToo: Bool) {
    self.seed = seed
    self.erased = erased
    self.damageToo = damageToo
  }

  var bytes: [UInt8] { Array(stage.bytes) }

  mutating func add(_ record: JournalRecord) {
    switch record.kind {
    case .journal:
      var fields = record.fields
      for _ in 0..<4 { _ = fields.text() }
      chain = fields.hex()
      follow(chain)
      stage.append(record.whole)
    case .batch: return addBatch(record)
    default:
      if isErased(record) { void(record.size) } else { stage.append(record.whole) }
    }
    oldHash.update(bufferPointer: record.whole)
  }

  private mutating func follow(_ chain: [UInt8]?) {
    oldChain = chain
    oldHash = SHA256()
    if let chain { oldHash.update(data: chain) }
  }

  private mutating func isErased(_ record: JournalRecord) -> Bool {
    var fields = record.fields
    guard record.kind != nil, let number = fields.count() else { return false }
    if record.kind == .open || record.kind == .resume, let id = fields.callID() { ids[number] = id }
    guard let id = ids[number] else { return damageToo }
    return erased.contains(id)
  }

  /// The same batch over what is now before it.
  private mutating func addBatch(_ record: JournalRecord) {
    var fields = record.fields
    guard let sequence = fields.count(), let stated = fields.hex() else { return stage.append(record.whole) }
    let follows = oldChain == nil || Array(oldHash.finalize()) == stated
    follow(stated)
    defer { batchStart = stage.count }
    guard follows, let before = chain else {
      chain = stated
      return stage.append(record.whole)
    }
    var hash = SHA256()
    hash.update(data: before)
    hash.update(bufferPointer: UnsafeRawBufferPointer(rebasing: stage.bytes[batchStart...]))
    chain = hash.finalize().withUnsafeBytes { Array($0) }
    let start = stage.begin("batch", payload: 0)
    stage.field(sequence)
    stage.field(hex: chain ?? stated)
    stage.endLine()
    stage.finish(start, seed: seed)
  }

  mutating func add(damaged bytes: [UInt8]) {
    oldChain = nil
    if damageToo { voided += bytes.count } else { stage.append(bytes) }
  }

  /// A record that says nothing, of so many bytes.
  private mutating func void(_ size: Int) {
    voided += size
    // Checksum and space, length, ` void`, two line feeds; where no length fits, a field of two bytes helps.
    for filler in [0, 2] {
      for digits in 1...12 {
        let payload = size - JournalFormat.checksumWidth - digits - 5 - 2 - filler
        guard payload >= 0, String(payload).utf8.count == digits else { continue }
        let start = stage.begin("void", payload: payload)
        if filler > 0 { stage.field(text: "-".utf8) }
        stage.endLine()
        stage.append([UInt8](repeating: 0x20, count: payload))
        return stage.finish(start, seed: seed)
      }
    }
  }
}
