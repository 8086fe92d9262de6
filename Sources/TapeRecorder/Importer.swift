package import Logging
package import TapeArchive
package import TapeRedaction
package import TapeTypes

/// Takes calls that others recorded into the archive.
///
/// It is a writer of its own, with its own journal, so it can run beside recorders. Reads
/// piece by piece: memory is bounded by the calls that are open in the capture at once.
package final class Importer {
  package struct Options: Sendable {
    /// The request body of calls whose capture does not have it.
    package var request: [UInt8]?
    /// The start of captures without clock, ns since 1970.
    package var startedAtNs: Int64?
    /// Import also what is there already.
    package var again = false
    /// What must not get on tape.
    package var redactions: [RedactionRule] = []

    package init(request: [UInt8]? = nil, startedAtNs: Int64? = nil, again: Bool = false) {
      self.request = request
      self.startedAtNs = startedAtNs
      self.again = again
    }
  }

  /// One call of the input.
  package struct Outcome: Sendable, Equatable {
    package var id: CallID
    /// False if it was there already.
    package var isNew: Bool
    /// It was erased from the store, and was not imported again.
    package var wasErased: Bool

    package init(id: CallID, isNew: Bool, wasErased: Bool = false) {
      self.id = id
      self.isNew = isNew
      self.wasErased = wasErased
    }
  }

  /// Goes on record as an entry of `CallOpen.redactions`: the capture did not have a response head.
  package static let assumedHead = "assumed:response_head"

  let store: Store
  let options: Options
  private let log: Logger
  private let secrets: Secrets
  /// nil without rules.
  let redactor: Redactor?
  var known: ImportKnownCalls
  private var writer: JournalWriter?
  /// Called with how many bytes of the file that is being imported were read.
  package var onRead: ((Int) -> Void)?

  /// - Throws: `TapeError` when the store's calls cannot be read.
  package init(store: Store, options: Options, log: Logger) throws {
    self.store = store
    self.options = options
    self.log = log
    secrets = Secrets(fingerprintKey: try store.fingerprintKey())
    redactor = options.redactions.isEmpty ? nil : try Redactor(options.redactions)
    known = try ImportKnownCalls(store: store, log: log)
  }

  /// What came of one file.
  package struct FileResult {
    /// One a call, in the order of the input; of a file that failed, the calls that were complete by then.
    package var outcomes: [Outcome]
    /// Why the rest of the file was not imported: `TapeError` `.failed` with file and line for what cannot be.
    package var failure: (any Error)?
    /// What else there is to be told of the file, for people.
    package var remark: String?
  }

  /// Imports one file; what it is shows in its name or its first bytes. The next one can be imported also after a
  /// failure.
  package func importCalls(of path: String) -> FileResult {
    do {
      let file = try ImportFile(path: path)
      file.onRead = onRead
      switch try kind(file) {
      case .timed: return ImportTimedCapture(importer: self, file: file).run()
      case .raw: return FileResult(outcomes: [try ImportRawCapture(importer: self, file: file).run()])
      case .tape: return try ImportTape(importer: self, file: file).run()
      case .har: return try ImportHAR(importer: self, file: file).run()
      }
    } catch {
      return FileResult(outcomes: [], failure: error)
    }
  }

  /// The same for who needs all of a file.
  package func importFile(_ path: String) throws -> [Outcome] {
    let result = importCalls(of: path)
    if let failure = result.failure { throw failure }
    return result.outcomes
  }

  private enum Kind { case timed, raw, tape, har }

  private func kind(_ file: ImportFile) throws -> Kind {
    let name = file.path.lowercased()
    if name.hasSuffix(".sse") { return .raw }
    if name.hasSuffix(".jsonl") || name.hasSuffix(".ndjson") { return .timed }
    if name.hasSuffix(".har") { return .har }
    defer { file.rewind() }
    if name.hasSuffix(".tape") { return .tape }
    if let start = try file.chunk(), HARFile.isOne(beginning: start) { return .har }
    file.rewind()
    guard let line = try file.line() else { return .raw }
    if line.starts(with: TapeFile.magicName.utf8) { return .tape }
    return TimedLine(line) == nil ? .raw : .timed
  }

  /// Syncs what was written and lets go of the journal.
  ///
  /// - Throws: `TapeError` `.io` when something did not reach the disk.
  package func finish() throws {
    let writer = self.writer
    self.writer = nil
    try writer?.close()
    Eraser.finish(in: store, log: log)
  }

  // MARK: For the readers of each format

  /// A frame as it may be on tape.
  func redacted(_ frame: UnsafeRawBufferPointer, isEvent: Bool) -> [UInt8]? {
    guard let redactor, redactor.hasResponseRules else { return nil }
    return redactor.frame(Array(frame), isEvent: isEvent)
  }

  /// Removes secrets, and what rules say; a capture whose secrets were removed before stays as it is, so that its leaf hash does.
  func clean(_ open: CallOpen) -> CallOpen {
    var cleaned = open
    secrets.clean(&cleaned)
    var open = cleaned.headers == open.headers && cleaned.path == open.path ? open : cleaned
    redactor?.clean(&open)
    return open
  }

  func begin(_ open: CallOpen, head: CallHead?) throws -> JournalWriter.Handle {
    let journal = try journal()
    known.reserve(open.id)
    let handle = journal.open(open)
    if let head { journal.head(handle, head) }
    return handle
  }

  func journal() throws -> JournalWriter {
    if let writer { return writer }
    let made = try JournalWriter(store: store, log: log)
    writer = made
    return made
  }

  /// Writes what is staged once it is worth a write.
  func flushIfLarge() throws {
    guard let writer, writer.stagedBytes >= 1 << 20 else { return }
    if case .failing(let error) = writer.flush() { throw error }
  }

  func remember(_ open: CallOpen, _ content: ImportKnownCalls.Content) {
    known.add(open.id, startedAtNs: open.startedAtNs, content)
  }

  static func freshID(startedAtNs: Int64) -> CallID {
    CallID(milliseconds: UInt64(max(0, startedAtNs)) / 1_000_000)
  }

  static func freshSalt() -> [UInt8] {
    var generator = SystemRandomNumberGenerator()
    return (0..<16).map { _ in UInt8.random(in: 0...255, using: &generator) }
  }
}
