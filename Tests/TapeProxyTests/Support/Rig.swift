import Glibc
import Logging
import Synchronization
import TapeArchive
import TapeProxy
import TapeRecorder
import TapeTypes
import Testing

/// A proxy on a store of its own, in front of an upstream.
final class Rig {
  let directory: String
  let store: Store
  let proxy: ProxyServer
  let port: Int
  let logged = LogLines()
  private var isStopped = false

  init(
    to upstream: String, files: (any TapeFiles)? = nil, directory given: String? = nil,
    _ change: (inout ProxyOptions) -> Void = { _ in }
  ) throws {
    let directory = given ?? Rig.makeDirectory()
    self.directory = directory
    store =
      try files.map { try Store(path: directory, access: .writing, files: $0, clock: SystemClock()) }
      ?? Store(path: directory, access: .writing)
    var options = ProxyOptions(upstream: try UpstreamURL(upstream))
    options.listenPort = 0
    let lines = logged
    options.recorder.logger = Logger(label: "test") { _ in lines }
    change(&options)
    proxy = try ProxyServer(options: options, store: store)
    port = try proxy.start()
  }

  deinit {
    if !isStopped {
      proxy.stopNow()
      proxy.waitUntilStopped()
    }
  }

  static func makeDirectory() -> String {
    var template = Array("/tmp/tapedeck-test-XXXXXX".utf8CString)
    return String(cString: mkdtemp(&template)) + "/store"
  }

  func connect(receiveBuffer: CInt? = nil) throws -> Socket { try Socket(port: port, receiveBuffer: receiveBuffer) }

  /// One request on a connection of its own.
  func exchange(_ request: String = post(), method: String = "POST") throws -> Response {
    let socket = try connect()
    try socket.send(request)
    return try Response(from: socket, method: method)
  }

  /// Waits for what the proxy counts.
  ///
  /// - Throws: after 20 s, so that a fault does not hang the tests.
  func wait(until condition: (ProxyCounters) -> Bool) throws {
    for _ in 0..<20_000 {
      if condition(proxy.counters) { return }
      usleep(1000)
    }
    throw SocketError("waited in vain, at \(proxy.counters)")
  }

  /// Lets the streams end, closes the journal.
  func stop() {
    isStopped = true
    proxy.stop()
    proxy.waitUntilStopped()
  }

  /// The call as it is on tape.
  func tape(_ id: CallID) throws -> RecordedCall {
    guard let call = try tapes().first(where: { $0.open.id == id }) else {
      throw TapeError(.notFound, "no call \(id) on tape")
    }
    return call
  }

  func tapes() throws -> [RecordedCall] { try recordedCalls(of: store) }

  /// All bytes of all files of the store, to look for what must not be there.
  func everyByte() throws -> [UInt8] {
    var all: [UInt8] = []
    guard let listing = opendir(directory + "/archive") else { throw SocketError("opendir") }
    defer { closedir(listing) }
    while let entry = readdir(listing) {
      let name = withUnsafeBytes(of: entry.pointee.d_name) {
        String(cString: $0.bindMemory(to: CChar.self).baseAddress!)
      }
      guard !name.hasPrefix("."), let handle = fopen(directory + "/archive/" + name, "r") else { continue }
      var buffer = [UInt8](repeating: 0, count: 65536)
      while case let count = fread(&buffer, 1, buffer.count, handle), count > 0 { all += buffer[..<count] }
      fclose(handle)
    }
    return all
  }
}

/// Keeps what was logged.
final class LogLines: LogHandler, Sendable {
  private let lines = Mutex<[String]>([])
  var all: [String] { lines.withLock { $0 } }

  func log(event: LogEvent) {
    lines.withLock { $0.append("\(event.level) \(event.message)") }
  }

  subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { nil }
    set {}
  }
  var metadata: Logger.Metadata {
    get { [:] }
    set {}
  }
  var logLevel: Logger.Level {
    get { .trace }
    set {}
  }
}

extension [UInt8] {
  func contains(_ text: String) -> Bool { firstRange(of: Swift.Array(text.utf8)) != nil }
}

/// All calls of the store's journals, in start order.
func recordedCalls(of store: Store) throws -> [RecordedCall] {
  var calls: [CallID: RecordedCall] = [:]
  try JournalFollower(store: store).poll { event in
    switch event {
    case .opened(let open, _): calls[open.id] = RecordedCall(open: open, isLive: true)
    case .head(let id, let head): calls[id]?.head = head
    case .frame(let id, let offsetNs, let bytes):
      guard var call = calls.removeValue(forKey: id) else { return }
      call.raw.append(contentsOf: bytes)
      call.frameEnds.append(call.raw.count)
      call.frameOffsetsNs.append(offsetNs ?? -1)
      calls[id] = call
    case .ended(let id, let end): calls[id]?.end = end
    case .lost(let id, _): calls[id]?.isLive = false
    case .damage(let damage): Issue.record("damage: \(damage)")
    case .part, .gap, .sealed: break
    }
  }
  return calls.values.sorted { $0.open.id < $1.open.id }
}
