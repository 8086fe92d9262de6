import CCurl
import Logging
import Synchronization
package import TapeArchive
package import TapeRedaction
package import TapeLoop
package import TapeTypes

/// The one loop of a recorder: clients, upstream and the journal on one thread.
///
/// A turn handles all events that are ready. Then what they staged goes to the journal in one
/// write, and only then does each client get its bytes, in one send. So nobody ever has a
/// byte that is not on tape. Everything but `post`, `newCallID`, `counters` and `syncReadings` belongs to the loop's thread;
/// `@unchecked Sendable` says no more than that the reference may be handed to that thread.
package final class RecordingLoop: @unchecked Sendable {
  package let events: EventLoop
  package let options: RecorderOptions
  package let buffers = BufferPool()
  package let secrets: Secrets
  /// nil without rules.
  package let redactor: Redactor?
  package let counters = RecordingCounters()
  let multi: CurlMulti
  let journal: JournalWriter
  let tally = BatchTally()
  let clock: any TapeClock
  private let log: Logger
  private let lastID = Mutex<CallID?>(nil)
  private var exchanges: [Exchange] = []
  /// What others receive and this loop tapes.
  let bodies = BodyTapes()
  @exclusivity(unchecked) private var touchedClients: ContiguousArray<any ExchangeClient> = []
  /// Those that get their bytes right now.
  private var flushingClients: ContiguousArray<any ExchangeClient> = []
  private var deferred: [(RecordingLoop) -> Void] = []
  package private(set) var isArchiveFailing = false
  /// What the archive failed with last.
  package var archiveFailure: String { journal.counters.lastError?.description ?? "the archive takes no writes" }
  private var sweepTimer: LoopTimer?
  private var sweepers: [(_ now: Int64) -> Void] = []

  /// - Throws: `TapeError` if the store cannot be written, libcurl does not start or the CA file cannot be read.
  package init(store: Store, journal: JournalOptions, options: RecorderOptions) throws {
    var journalOptions = journal
    if options.isStrict { journalOptions.durability = .strict }
    try options.check()
    self.options = options
    clock = options.clock
    log = options.logger
    events = try EventLoop()
    multi = try CurlMulti(loop: events)
    secrets = Secrets(fingerprintKey: try store.fingerprintKey())
    redactor = options.redactions.isEmpty ? nil : try Redactor(options.redactions)
    self.journal = try JournalWriter(store: store, options: journalOptions, log: log)
    sweepTimer = events.makeTimer { [unowned self] in self.sweep(now: $0) }
    sweepTimer?.set(now + Self.restNs)
    events.endOfBatch = { [unowned self] in self.endBatch(now: $0) }
  }

  /// The time of the event at work, monotonic ns.
  package var now: Int64 { events.now }

  /// Wall clock, ns since 1970.
  package var wallNow: Int64 { clock.wallNs() }

  /// What the wall clock was at a monotonic time that is not long past.
  package func wallNs(at monotonicNs: Int64) -> Int64 { clock.wallNs() - (MonotonicClock.nowNs - monotonicNs) }

  // MARK: Exchanges

  /// Starts a request. The exchange tells `client` what becomes of it.
  package func start(_ request: UpstreamRequest, client: any ExchangeClient, out: OutBuffer) -> Exchange {
    let exchange = Exchange(request, client: client, out: out, loop: self)
    exchange.index = exchanges.count
    exchanges.append(exchange)
    exchange.start()
    keepSweeping()
    return exchange
  }

  /// How the journal's syncing is doing; from any thread.
  package var syncReadings: SyncReadings { journal.syncReadings }

  package var openExchanges: Int { exchanges.count }

  func forget(_ exchange: Exchange) {
    guard exchange.index >= 0, let last = exchanges.popLast() else { return }
    if last !== exchange {
      last.index = exchange.index
      exchanges[exchange.index] = last
    }
    exchange.index = -1
  }

  /// Ends a call that the archive cannot take.
  func stop(_ exchange: Exchange) {
    exchange.out.dropUncommitted()
    exchange.stop(ExchangeOutcome(cause: .archiveStopped, detail: archiveFailure))
  }

  // MARK: Names

  /// A new id for a call that starts now. Ids rise, also within a millisecond and over a clock
  /// that steps back. From any thread.
  package func newCallID(wallNs: Int64) -> CallID {
    let milliseconds = UInt64(max(0, wallNs) / 1_000_000)
    return lastID.withLock { lastID in
      var id = CallID(milliseconds: milliseconds)
      if let last = lastID, id <= last {
        let (low, isOver) = last.low.addingReportingOverflow(1)
        id = CallID(high: isOver ? last.high &+ 1 : last.high, low: low)
      }
      lastID = id
      return id
    }
  }

  /// 16 random bytes for `CallOpen.salt`.
  package static func newSalt() -> [UInt8] {
    var generator = SystemRandomNumberGenerator()
    let (high, low) = (generator.next(), generator.next())
    return withUnsafeBytes(of: high) { Array($0) } + withUnsafeBytes(of: low) { Array($0) }
  }

  // MARK: A batch

  /// Called behind each batch. For a look at whether there is anything left to do.
  package var afterBatch: () -> Void = {}

  /// `client` has something to send, or its exchange has ended.
  package func touched(_ client: any ExchangeClient) { touchedClients.append(client) }

  /// Numbers the batches, so that each exchange announces its client once in each.
  @exclusivity(unchecked) private(set) var batch = 0

  /// Runs `work` behind the sends of this batch, outside of libcurl.
  package func later(_ work: @escaping (RecordingLoop) -> Void) { deferred.append(work) }

  private func endBatch(now: Int64) {
    repeat {
      deliverEnded()
      counters.add(tally)
      flushJournal()
      batch &+= 1
      swap(&touchedClients, &flushingClients)
      for client in flushingClients { client.flush(now: now) }
      flushingClients.removeAll(keepingCapacity: true)
      if !deferred.isEmpty {
        let work = deferred
        deferred = []
        for item in work { item(self) }
      }
    } while !touchedClients.isEmpty || !deferred.isEmpty
    afterBatch()
  }

  private func deliverEnded() {
    multi.deliver { easy, code in
      var owner: UnsafeMutableRawPointer?
      tape_info_pointer(easy, CURLINFO_PRIVATE, &owner)
      if let owner { Unmanaged<Exchange>.fromOpaque(owner).takeUnretainedValue().finish(code) }
    }
  }

  /// Writes what is staged. False if the archive does not take it.
  @discardableResult
  func flushJournal() -> Bool {
    guard journal.stagedBytes > 0 || isArchiveFailing else { return true }
    return writeJournal()
  }

  @discardableResult
  private func writeJournal() -> Bool {
    let result = journal.flush()
    if isArchiveFailing || result != .written {
      counters.setGaps(frames: journal.counters.gapFrames, bytes: journal.counters.gapBytes)
    }
    switch result {
    case .written:
      if isArchiveFailing { log.notice("the archive takes writes again") }
      isArchiveFailing = false
      return true
    case .failing(let error):
      if !isArchiveFailing {
        let consequence = options.onArchiveFailure == .pass ? "streams go on without tape" : "calls are stopped"
        log.error("recording fails, \(consequence): \(error.description)")
      }
      isArchiveFailing = true
      if options.onArchiveFailure == .stop { stopTapedCalls() }
      return false
    }
  }

  private func stopTapedCalls() {
    for exchange in exchanges where exchange.isTaped { stop(exchange) }
    bodies.stopAll(archiveFailure)
  }

  // MARK: Deadlines

  /// `sweeper` is called now and then while there is something open, to check deadlines.
  package func addSweeper(_ sweeper: @escaping (_ now: Int64) -> Void) { sweepers.append(sweeper) }

  /// Deadlines are looked at this often: one timer for all streams instead of one each.
  private var sweepNs: Int64 {
    let idle = options.idleTimeoutSeconds
    return idle > 0 ? Int64(min(1, max(0.02, idle / 4)) * 1e9) : 1_000_000_000
  }

  /// With nothing open, only the journal has to be looked after: it may be old, or asked for by an erasure.
  private static let restNs: Int64 = 1_000_000_000

  /// Something with a deadline has been opened.
  package func keepSweeping() {
    guard !isSweeping else { return }
    isSweeping = true
    sweepTimer?.set(now + sweepNs)
  }

  private var isSweeping = false
  /// Whether something beside exchanges still has deadlines.
  package var hasOtherDeadlines: () -> Bool = { false }

  private func sweep(now: Int64) {
    for exchange in exchanges { exchange.checkDeadlines(now: now) }
    for sweeper in sweepers { sweeper(now) }
    // Also with nothing staged: it tries a failing disk again and starts a new journal when one is due.
    writeJournal()
    isSweeping = !exchanges.isEmpty || hasOtherDeadlines()
    sweepTimer?.set(now + (isSweeping ? sweepNs : Self.restNs))
  }

  // MARK: Life

  /// Runs on the calling thread until `finish`, and lets go of what is still open.
  package func run() {
    events.run()
    exchanges = []
    touchedClients = []
    deferred = []
  }

  private var isFinished = false

  /// Hands work to the loop's thread; from any thread.
  package func post(_ work: @escaping @Sendable (RecordingLoop) -> Void) {
    events.poster.post { work(self) }
  }

  /// Ends `run` once the last exchange and the last body have ended.
  package func finishWhenIdle() {
    afterBatch = { [unowned self] in if self.exchanges.isEmpty, self.bodies.isEmpty { self.finish() } }
  }

  /// Ends `run`. Calls that are open stay without an end record.
  package func finish() {
    guard !isFinished else { return }
    isFinished = true
    events.stop()
    do { try journal.close() } catch { log.error("the journal does not close: \(error)") }
    counters.setGaps(frames: journal.counters.gapFrames, bytes: journal.counters.gapBytes)
  }
}
