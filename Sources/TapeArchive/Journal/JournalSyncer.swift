#if canImport(Glibc)
  internal import Glibc
#else
  internal import Darwin
#endif

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
  private var thread: pthread_t?

  init(files: any TapeFiles, directory: String, options: JournalOptions) {
    self.files = files
    self.directory = directory
    intervalMs = options.syncIntervalMs
    limitBytes = options.syncBytes
    mutex = .allocate(capacity: 1)
    condition = .allocate(capacity: 1)
    pthread_mutex_init(mutex, nil)
    pthread_cond_init(condition, nil)
  }

  deinit {
    pthread_mutex_destroy(mutex)
    pthread_cond_destroy(condition)
    mutex.deallocate()
    condition.deallocate()
  }

  func start() {
    let context = Unmanaged.passRetained(self).toOpaque()
    #if canImport(Glibc)
      var thread = pthread_t()
    #else
      var thread: pthread_t?
    #endif
    guard pthread_create(&thread, nil, syncerMain, context) == 0 else {
      Unmanaged<JournalSyncer>.fromOpaque(context).release()
      return
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
      pthread_cond_signal(condition)
    }
  }

  /// Says that `bytes` more are written; returns how far the writer's bytes are synced.
  func wrote(_ bytes: Int) -> Int {
    locked {
      let wasClean = state.written == state.synced
      state.written += bytes
      if wasClean || state.written - state.synced >= limitBytes { pthread_cond_signal(condition) }
      return state.synced
    }
  }

  /// Why the journal cannot be synced any more; nil again once the writer follows with a new one.
  var failure: FileError? { locked { state.failure } }

  /// Syncs here and now, for `--durability strict`.
  func syncNow() throws(FileError) {
    let (descriptor, written, directoryChanged) = locked {
      while state.isBusy { pthread_cond_wait(condition, mutex) }
      state.isBusy = true
      return (state.descriptor, state.written, state.directoryChanged)
    }
    var failure: FileError?
    do throws(FileError) {
      if directoryChanged { try files.syncDirectory(directory) }
      try files.sync(descriptor)
    } catch {
      failure = error
    }
    locked {
      state.isBusy = false
      if failure == nil {
        state.synced = max(state.synced, written)
        state.directoryChanged = false
      } else {
        state.failure = failure
      }
      pthread_cond_broadcast(condition)
    }
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

  // MARK: The thread

  fileprivate func run() {
    while let work = locked({ nextWork() }) {
      var failure: FileError?
      do throws(FileError) {
        if work.directoryChanged { try files.syncDirectory(directory) }
      } catch {
        failure = error
      }
      for (descriptor, sync) in work.retired {
        do throws(FileError) {
          if sync, failure == nil { try files.sync(descriptor) }
        } catch {
          failure = error
        }
        files.close(descriptor)
      }
      do throws(FileError) {
        if failure == nil, work.failure == nil, work.descriptor >= 0 { try files.sync(work.descriptor) }
      } catch {
        failure = error
      }
      locked {
        state.isBusy = false
        if let failure {
          state.failure = failure
        } else if work.failure == nil {
          state.synced = max(state.synced, work.written)
        }
        pthread_cond_broadcast(condition)
      }
    }
  }

  /// Waits until there is something to sync and the interval or the amount is reached; nil to end.
  private func nextWork() -> State? {
    // After a failure nothing more of that file is synced: the writer has to come with a new one.
    while state.isBusy || (!state.isStopping && isIdle) { pthread_cond_wait(condition, mutex) }
    if isIdle { return nil }
    var deadline = timespec()
    clock_gettime(CLOCK_REALTIME, &deadline)
    deadline.tv_nsec += intervalMs % 1000 * 1_000_000
    deadline.tv_sec += intervalMs / 1000 + deadline.tv_nsec / 1_000_000_000
    deadline.tv_nsec %= 1_000_000_000
    while !state.isStopping, state.written - state.synced < limitBytes {
      if pthread_cond_timedwait(condition, mutex, &deadline) == ETIMEDOUT { break }
    }
    while state.isBusy { pthread_cond_wait(condition, mutex) }
    let work = state
    state.isBusy = true
    state.retired = []
    state.directoryChanged = false
    return work
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
