internal import Crypto
internal import TapeTypes

/// One journal opened for reading: its records, whether its batches follow from each other, and
/// whether its writer lives.
final class JournalFile {
  let name: String
  let writer: CallID
  let sequence: Int
  let cursor: JournalCursor
  private let files: any TapeFiles
  /// The version was too new: nothing of it is read.
  private(set) var isRefused = false
  /// The reader has come to the end of a journal that grows no more.
  var isRead = false
  private var sawHeader = false
  private var chain: [UInt8]?
  private var batchHash = SHA256()

  /// nil when the file is gone, or something that is no file has its name.
  init?(store: Store, name: String, writer: CallID, sequence: Int, chunk: Int = 256 << 10) throws(FileError) {
    guard try store.hasArchiveFile(name) else { return nil }
    let descriptor: Int32
    do throws(FileError) {
      descriptor = try store.files.open(store.archivePath + "/" + name, .read)
    } catch {
      if error.isMissing { return nil }
      throw error
    }
    self.name = name
    self.writer = writer
    self.sequence = sequence
    files = store.files
    cursor = JournalCursor(
      files: store.files, descriptor: descriptor, name: name,
      seed: JournalFormat.seed(writer: writer, sequence: sequence), offset: 0, limit: 0, chunk: chunk)
  }

  deinit { files.close(cursor.descriptor) }

  /// True while its writer holds it. A journal that was followed by another is no longer held.
  func isHeld() throws(FileError) -> Bool {
    guard try files.lock(cursor.descriptor, .shared, wait: false) else { return true }
    files.unlock(cursor.descriptor)
    return false
  }

  func size() throws(FileError) -> Int { try files.size(cursor.descriptor) }

  enum Finding {
    /// Bytes at the end that are no whole record.
    case tornTail(offset: Int, bytes: Int)
    case damage(offset: Int, String)
  }

  /// Reads on to the end of what is there.
  ///
  /// - Parameters:
  ///   - isFinal: nothing will be appended any more. Otherwise only whole batches are read, since a writer takes back
  ///     a batch that it could not write.
  ///   - end: where it ends according to a journal that follows it.
  ///   - budget: it stops behind so many bytes, and goes on from there the next time.
  /// - Returns: false if it stopped before the end of what is there.
  @discardableResult
  func read(
    isFinal: Bool, end: Int? = nil, budget: Int = .max, found: (Finding) -> Void,
    _ body: (JournalRecord) throws -> Void
  ) throws -> Bool {
    guard !isRefused else { return true }
    let size = try size()
    let start = cursor.offset
    let isWhole = try limit(to: min(size, end ?? size), isFinal: isFinal, budget: budget)
    while cursor.offset < cursor.limit {
      let offset = cursor.offset
      if offset - start >= budget { return false }
      if case .record(let record) = try cursor.next() {
        if let problem = check(record) { found(.damage(offset: offset, problem)) }
        if isRefused { return true }
        try body(record)
      } else if try cursor.resync() {
        chain = nil
        found(.damage(offset: offset, "\(cursor.offset - offset) bytes are not what was written"))
      } else {
        cursor.seek(offset)
        let bytes = cursor.limit - offset
        if offset == 0, let other = try otherJournal() {
          found(.damage(offset: 0, "it is the journal \(other) under another name"))
          return true
        }
        found(
          end == nil && bytes <= JournalFormat.largestRecord
            ? .tornTail(offset: offset, bytes: bytes)
            : .damage(offset: offset, "its last \(bytes) bytes are not what was written"))
        return true
      }
    }
    if let end, size < end, cursor.offset == size {
      found(.damage(offset: size, "its last \(end - size) bytes are missing"))
    }
    return isWhole
  }

  /// Lets the cursor read to `end`, or to the last batch that is whole; false if it is not to read all of that.
  private func limit(to end: Int, isFinal: Bool, budget: Int) throws(FileError) -> Bool {
    cursor.refresh(limit: end)
    if isFinal { return true }
    if budget < end - cursor.offset {
      // Batches are looked for where they will be read, not in all that is there.
      cursor.refresh(limit: cursor.offset + budget)
      let committed = try cursor.committedEnd()
      cursor.refresh(limit: committed > cursor.offset ? committed : end)
      if committed > cursor.offset { return false }
    }
    cursor.refresh(limit: try cursor.committedEnd())
    return true
  }

  /// The name that its first record has, if that is another: a torn tail has none.
  private func otherJournal() throws(FileError) -> String? {
    let start = try files.read(cursor.descriptor, 0..<min(512, try size()))
    let words = start.prefix { $0 != 0x0A }.split(separator: 0x20).map { String(decoding: $0, as: UTF8.self) }
    guard words.count > 5, words[2] == "journal", words[3].hasPrefix(JournalFormat.magicName),
      let writer = CallID(words[4]), let sequence = Int(words[5]), sequence > 0
    else { return nil }
    let other = JournalFormat.fileName(writer: writer, sequence: sequence)
    return other == name ? nil : other
  }

  /// What its first batch says that it goes on from; nil if it says nothing, or is not whole.
  func origin() throws(FileError) -> JournalOrigin? {
    cursor.refresh(limit: try size())
    guard case .record(let record) = try cursor.next(), record.kind == .journal, check(record) == nil else {
      return nil
    }
    var fields = record.fields
    for _ in 0..<5 { _ = fields.text() }
    guard let sequence = fields.count(), let offset = fields.count(), sequence < self.sequence else { return nil }
    while case .record(let record) = try cursor.next() {
      let problem = check(record)
      if record.kind == .batch { return problem == nil ? JournalOrigin(sequence: sequence, offset: offset) : nil }
    }
    return nil
  }

  /// Header and chain; returns what is wrong with them.
  private func check(_ record: JournalRecord) -> String? {
    defer { sawHeader = true }
    if record.kind == .journal { return header(record) }
    if record.kind != .batch {
      batchHash.update(bufferPointer: record.whole)
      return sawHeader ? nil : "the journal's header is missing"
    }
    var fields = record.fields
    guard fields.count() != nil, let stated = fields.hex(), stated.count == JournalFormat.chainBytes else {
      return "a batch record that makes no sense"
    }
    let expected = chain == nil ? nil : Array(batchHash.finalize())
    start(chain: stated)
    return expected == nil || expected == stated ? nil : "this batch does not follow from the one before"
  }

  private func header(_ record: JournalRecord) -> String? {
    var fields = record.fields
    let magic = String(decoding: fields.text(), as: UTF8.self)
    if magic != JournalFormat.magic {
      isRefused = true
      return magic.hasPrefix(JournalFormat.magicName)
        ? "the journal is of version \(magic.dropFirst(JournalFormat.magicName.utf8.count)), this program knows "
          + "version \(JournalFormat.version); \(Damage.newerVersion)" : "the file is no journal"
    }
    guard let writer = fields.callID(), writer == self.writer, fields.count() == sequence, fields.int() != nil,
      let chain = fields.hex(), chain.count == JournalFormat.chainBytes
    else { return "the journal's header does not fit its name" }
    start(chain: chain)
    batchHash.update(bufferPointer: record.whole)
    return nil
  }

  private func start(chain: [UInt8]) {
    self.chain = chain
    batchHash = SHA256()
    batchHash.update(data: chain)
  }
}
