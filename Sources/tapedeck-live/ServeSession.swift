internal import CTapeShims
internal import Foundation
internal import Logging
internal import Synchronization
internal import TapeArchive
internal import TapeCommands
internal import TapeIndexer
internal import TapeProxy
internal import TapeTypes
internal import TapeWeb

/// What runs while `tapedeck serve` does: the proxy on its own thread, the indexer on
/// another, the sealer on a third, the web page as a task.
final class ServeSession: Sendable {
  private let store: Store
  private let indexes: Bool
  private let seals: Bool
  private let retention: Retention?
  private let log: Logger
  private let proxy = Mutex<ProxyServer?>(nil)
  /// Runs from when the last stream has ended.
  private let stopTime = StopTime()
  /// What is not sealed, or not in the catalogue, so many seconds later is left to the next start: whoever told us to stop
  /// kills those that take long.
  private static let (sealingSeconds, indexingSeconds) = (3, 5)

  init(store: Store, indexes: Bool, seals: Bool, retention: Retention?, log: Logger) {
    self.retention = retention
    self.store = store
    self.indexes = indexes
    self.seals = seals
    self.log = log
  }

  /// The first signal drains, the second ends at once.
  func signalled(before: Int, _ stopping: StopFlag) {
    let proxy = proxy.withLock { $0 }
    stopping.raise()
    if before == 0 {
      proxy?.stop()
    } else {
      proxy?.stopNow()
      exit(2)
    }
  }

  func run(
    proxy options: ProxyOptions?, listen: ListenAddress, ui: ListenAddress?, token: UIToken?, stopping: StopFlag
  ) async throws {
    if let options { try startProxy(options, stopping) }
    let workers = startWorkers(stopping)
    let page = ui.map { startPage($0, token, stopping) }
    tape_forget_startup_code()
    await waitForEnd(stopping)
    stopTime.start()
    page?.cancel()
    for worker in workers { await worker.wait() }
    try finish()
    if let failure = await page?.value { throw failure }
  }

  private func startProxy(_ options: ProxyOptions, _ stopping: StopFlag) throws {
    let server = try ProxyServer(options: options, store: store)
    let port = try server.start()
    proxy.withLock { $0 = server }
    if stopping.isRaised { server.stop() }
    let url = ListenAddress.url(options.listenHost, port)
    StandardOutput.note("proxy listening on \(url)")
    if StandardOutput.isErrorTerminal {
      StandardOutput.note(
        """
        Point a client at it, for example:
          export ORQ_BASE_URL=\(url)
          Orq(api_key=..., server_url="\(url)")
        """)
      for route in options.routes where !route.prefix.isEmpty {
        StandardOutput.note("  \(url)\(route.prefix) for \(route.upstream)")
      }
    }
  }

  private func startWorkers(_ stopping: StopFlag) -> [Worker] {
    var workers: [Worker] = []
    if indexes {
      workers.append(
        Worker { [indexer, log] in
          do {
            try indexer.follow { stopping.isRaised }
          } catch {
            log.error("the indexer stopped: \(error)")
          }
        })
    }
    if seals {
      workers.append(
        Worker { [self] in
          while !stopping.isRaised {
            seal()
            retention?.run(on: store, log: log)
            Self.rest(store, stopping)
          }
        })
    }
    return workers
  }

  /// Until the next seal: half a minute, or less where calls are to be erased that may end at any moment. Another process
  /// may ask for that at any moment, too.
  private static func rest(_ store: Store, _ stopping: StopFlag) {
    for _ in 0..<10 {
      stopping.wait(seconds: 3)
      let isErasing = (try? ErasureList.pending(in: store).contains { !$0.isOutOfArchive }) ?? false
      if stopping.isRaised || isErasing { return }
    }
  }

  private var indexer: Indexer {
    Indexer(store: store, log: log) { [stopTime] in stopTime.isOver(afterSeconds: Self.indexingSeconds) }
  }

  private var isSealingOver: @Sendable () -> Bool {
    { [stopTime] in stopTime.isOver(afterSeconds: Self.sealingSeconds) }
  }

  private func seal() {
    do {
      let report = try Sealer(store: store, log: log, keeper: KeepUsage.keeper, until: isSealingOver).seal()
      if report.wasStopped { log.notice("stopping: what is not sealed yet is left to the next start, or to tapedeck seal") }
      for damage in report.damage { log.error("damage in the archive: \(damage)") }
      for call in report.unsealed { log.error("not sealed: \(call)") }
    } catch {
      log.warning("sealing failed, and is tried again later: \(error)")
    }
  }

  /// A page whose value is the error that ended it, nil if it was told to end.
  private func startPage(_ address: ListenAddress, _ token: UIToken?, _ stopping: StopFlag) -> Task<(any Error)?, Never>
  {
    let metrics = MetricsPage(store: store, version: Entry.version) { [weak self] in
      self?.proxy.withLock { $0 }?.counters
    }
    let server = WebServer(
      store: store, host: address.host, port: address.port, token: token, routes: [metrics.route], log: log)
    return Task {
      do {
        try await server.run { port in
          StandardOutput.note("ui listening on \(ListenAddress.url(address.host, port))")
        }
        return nil
      } catch {
        if stopping.isRaised || error is CancellationError { return nil }
        stopping.raise()
        self.proxy.withLock { $0 }?.stop()
        return error as? TapeError
          ?? TapeError(.network, "the web page cannot be served on \(address.host):\(address.port): \(error)")
      }
    }
  }

  private func waitForEnd(_ stopping: StopFlag) async {
    let server = proxy.withLock { $0 }
    await Worker {
      stopping.wait()
      server?.waitUntilStopped()
    }.wait()
  }

  /// The journal is closed now: what has ended is sealed and in the catalogue before we go, as far as there is time.
  private func finish() throws {
    // Who only looked at a store leaves it as it is.
    guard indexes || seals || proxy.withLock({ $0 != nil }) else { return }
    if seals {
      seal()
    } else {
      Eraser.finish(in: store, log: log, keeper: KeepUsage.keeper, until: isSealingOver)
    }
    if indexes { try indexer.run() }
  }
}

/// Blocking work on a thread of its own, that a task can wait for.
final class Worker: Sendable {
  private let done = AsyncStream<Void>.makeStream()

  init(_ body: @escaping @Sendable () -> Void) {
    let end = done.continuation
    detachThread {
      body()
      end.finish()
    }
  }

  func wait() async {
    for await _ in done.stream {}
  }
}
