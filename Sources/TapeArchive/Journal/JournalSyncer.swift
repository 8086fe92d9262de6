#if canImport(Glibc)
  internal import Glibc
#else
  internal import Darwin
#endif
package import TapeTypes

/// What the syncing of a journal has come to since its writer was made.
package struct SyncReadings: Sendable, Equatable {
  /// Written, and not known to be on disk.
  package var unsyncedBytes = 0
  /// How long each fdatasync(2) of a journal took, in nanoseconds.
  package var durations = Histogram.diskNs
  package var failures = 0

  package init() {}
}

/// Makes what the writer wrote durable, on a thread of its own.
///
/// Positions are counted over all journals of the writer. A file whose sync failed is never
/// synced again: the kernel may have dropped its pages and would then say that all is well.
final class JournalSyncer: @unchecked Sendable {
  private struct State {
    var descriptor: Int32 = -1
    var written = 0
    var synced = 0
    /// Journals that were followed by another one, to sync and close.
    var retired: [(descriptor: Int32, sync: Bool)] = []
    var directoryChanged = false
    /// When the first change that no sync was begun for becomes too old; nil without such a change.
    var dueNs: Int64?
    var failure: FileError?
    var isBusy = false
    var isStopping = false
  }

  private let files: any TapeFiles
  private let directory: String
  private let intervalMs: Int
  private let limitBytes: Int
  private let mutex: UnsafeMutablePointer<pthread_mutex_t>
  private let condition: UnsafeMutablePointer<pthread_cond_t>
  private var state = State()
  private var counted = SyncReadings()
  private var thread: pthread_t?

  init(files: any TapeFiles, directory: String, options: JournalOptions) {
    self.files = files
    self.directory = directory
    intervalMs = options.syncIntervalMs
    limitBytes = options.syncBytes
    mutex = .allocate(capacity: 1)
    condition = .allocate(capacity: 1)
    pthread_mutex_init(mutex, nil)
    #if canImport(Glibc)
      // A wall clock that somebody sets must not put a sync off.
      var attributes = pthread_condattr_t()
      pthread_condattr_init(&attributes)
      pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
      pthread_cond_init(condition, &attributes)
      pthread_condattr_destroy(&attributes)
    #else
      pthread_cond_init(condition, nil)
    #endif
  }

  deinit {
    pthread_mutex_destroy(mutex)
    pthread_cond_destroy(condition)
    mutex.deallocate()
    condition.deallocate()
  }

  func start() throws(FileError) {
    let context = Unmanaged.passRetained(self).toOpaque()
    #if canImport(Glibc)
      var thread = pthread_t()
    #else
      var thread: pthread_t?
    #endif
    let result = pthread_create(&thread, nil, syncerMain, context)
    guard result == 0 else {
      Unmanaged<JournalSyncer>.fromOpaque(context).release()
      throw FileError("pthread_create", "", errno: result)
    }
    self.thread = thread
  }

  // MARK: Called by the writer

  /// The writer now appends to this journal; the one before is synced if `sync`, then closed.
  func follow(_ descriptor: Int32, retiring old: Int32?, sync: Bool) {
    locked {
      if let old { state.retired.append((old, sync)) }
      state.descriptor = descriptor
      state.directoryChanged = true
      state.failure = nil
      setDue()
      pthread_cond_signal(condition)
    }
  }

  /// Says that `bytes` more are written; returns how far the writer's bytes are synced.
  func wrote(_ bytes: Int) -> Int {
    locked {
      state.written += bytes
      if setDue() || state.written - state.synced >= limitBytes { pthread_cond_signal(condition) }
      return state.synced
    }
  }

  /// How it is doing; from any thread.
  var readings: SyncReadings {
    locked {
      var readings = counted
      readings.unsyncedBytes = state.written - state.synced
      return readings
    }
  }

  /// Why the journal cannot be synced any more; nil again once the writer follows with a new one.
  var failure: FileError? { locked { state.failure } }

  /// Syncs here and now what was written so far. Not a file whose sync has failed before: then it fails at once.
  func syncNow() throws(FileError) {
    let work = locked { () -> State? in
      while state.isBusy { pthread_cond_wait(condition, mutex) }
      return state.failure == nil ? begin() : nil
    }
    if let work { perform(work) }
    if let failure { throw failure }
  }

  /// Syncs what is left, ends the thread and returns what failed. The current journal stays open.
  func stop() -> FileError? {
    locked {
      state.isStopping = true
      pthread_cond_broadcast(condition)
    }
    if let thread { pthread_join(thread, nil) }
    thread = nil
    return failure
  }

  // MARK: Work

  /// Syncs and closes what `work` says. One at a time: `begin` has set `isBusy`.
  private func perform(_ work: State) {
    var failure: FileError?
    let beganNs = SystemClock().monotonicNs()
    func attempt(_ step: () throws(FileError) -> Void) {
      // After a failure nothing more is synced: the writer has to come with a new journal.
      guard failure == nil, work.failure == nil else { return }
      do throws(FileError) { try step() } catch { failure = error }
    }
    if work.directoryChanged { attempt { () throws(FileError) in try files.syncDirectory(directory) } }
    for (descriptor, sync) in work.retired {
      if sync { attempt { () throws(FileError) in try files.sync(descriptor) } }
      files.close(descriptor)
    }
    if work.descriptor >= 0 { attempt { () throws(FileError) in try files.sync(work.descriptor) } }
    let tookNs = SystemClock().monotonicNs() - beganNs
    locked {
      state.isBusy = false
      if failure == nil, work.failure == nil { counted.durations.add(tookNs) }
      if let failure {
        counted.failures += 1
        state.failure = failure
        // What they have unsynced is written again elsewhere.
        state.retired = state.retired.map { ($0.descriptor, false) }
      } else if work.failure == nil {
        state.synced = max(state.synced, work.written)
      }
      pthread_cond_broadcast(condition)
    }
  }

  /// Takes all that there is to do, with the lock held.
  private func begin() -> State {
    let work = state
    state.isBusy = true
    state.retired = []
    state.directoryChanged = false
    state.dueNs = nil
    return work
  }

  fileprivate func run() {
    while let work = locked({ nextWork() }) { perform(work) }
  }

  /// Waits until there is something to sync and the interval or the amount is reached; nil to end.
  private func nextWork() -> State? {
    while true {
      if state.isBusy || (isIdle && !state.isStopping) {
        pthread_cond_wait(condition, mutex)
        continue
      }
      if isIdle { return nil }
      guard !state.isStopping, state.written - state.synced < limitBytes, let due = state.dueNs,
        due > SystemClock().monotonicNs()
      else { return begin() }
      wait(untilNs: due)
    }
  }

  /// Starts the interval, unless it runs. True if it did.
  @discardableResult
  private func setDue() -> Bool {
    guard state.dueNs == nil else { return false }
    state.dueNs = SystemClock().monotonicNs() + Int64(intervalMs) * 1_000_000
    return true
  }

  private func wait(untilNs due: Int64) {
    #if canImport(Glibc)
      var deadline = timespec(tv_sec: Int(due / 1_000_000_000), tv_nsec: Int(due % 1_000_000_000))
      pthread_cond_timedwait(condition, mutex, &deadline)
    #else
      let rest = max(0, due - SystemClock().monotonicNs())
      var interval = timespec(tv_sec: Int(rest / 1_000_000_000), tv_nsec: Int(rest % 1_000_000_000))
      pthread_cond_timedwait_relative_np(condition, mutex, &interval)
    #endif
  }

  private var isIdle: Bool {
    state.retired.isEmpty && (state.failure != nil || (state.written == state.synced && !state.directoryChanged))
  }

  private func locked<T>(_ body: () -> T) -> T {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    return body()
  }
}

#if canImport(Glibc)
  private func syncerMain(_ context: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    if let context { Unmanaged<JournalSyncer>.fromOpaque(context).takeRetainedValue().run() }
    return nil
  }
#else
  private func syncerMain(_ context: UnsafeMutableRawPointer) -> UnsafeMutableRawPointer? {
    Unmanaged<JournalSyncer>.fromOpaque(context).takeRetainedValue().run()
    return nil
  }
#endif
