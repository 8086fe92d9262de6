import Glibc
import Logging
import Synchronization
import TapeArchive
import TapeProxy
import TapeRecorder
import TapeTypes

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

  /// Lets the streams end, closes the journal.
  func stop() {
    isStopped = true
    proxy.stop()
    proxy.waitUntilStopped()
  }

  /// The call as the archive gives it back.
  func tape(_ id: CallID) throws -> RecordedCall {
    guard let found = try ArchiveReader(store: store).find(id) else {
      throw TapeError(.notFound, "no call \(id) in the archive")
    }
    return found.call
  }

  func tapes() throws -> [RecordedCall] {
    var calls: [RecordedCall] = []
    try ArchiveReader(store: store).allCalls { call, _ in calls.append(call) }
    return calls
  }

  /// All bytes of all files of the store, to look for what must not be there.
  func everyByte() throws -> [UInt8] {
    var all: [UInt8] = []
    for file in try ArchiveReader(store: store).files() {
      guard let handle = fopen(directory + "/archive/" + file.name, "r") else { continue }
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
