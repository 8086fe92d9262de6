import Glibc
import Synchronization

/// An upstream that does over a raw socket exactly what a test tells it to.
final class ScriptedUpstream: Sendable {
  /// A request as it came over the wire.
  struct Request: Sendable {
    var head: String
    var body: [UInt8]

    /// The lines of a header field, lower-case names.
    func header(_ name: String) -> String? {
      head.split(separator: "\r\n").dropFirst().first { $0.lowercased().hasPrefix(name + ":") }
        .map { $0.dropFirst(name.count + 1).trimmed }
    }

    var line: String { String(head.prefix { $0 != "\r\n" }) }
  }

  let port: Int
  private let listener: Socket
  private let seen = Mutex<[Request]>([])
  private let connected = Mutex(0)

  /// - Parameter script: runs on a thread of its own for each connection; the connection closes behind it.
  init(_ script: @escaping @Sendable (_ peer: Socket, _ upstream: ScriptedUpstream) throws -> Void) throws {
    let (listener, port) = try Socket.listening(backlog: 64)
    (self.listener, self.port) = (listener, port)
    // The thread keeps the upstream for as long as the tests run: a test's last mention of it may come before its last
    // connection is accepted.
    Self.thread {
      while true {
        let descriptor = accept(listener.descriptor, nil, nil)
        guard descriptor >= 0 else {
          // Signals (of children that other tests run) and a moment without descriptors are no end.
          if errno == EBADF || errno == EINVAL { return }
          usleep(1000)
          continue
        }
        self.connected.withLock { $0 += 1 }
        Self.thread {
          let peer = Socket(descriptor: descriptor)
          try? script(peer, self)
          peer.close()
        }
      }
    }
  }

  /// Answers every request of every connection with the same bytes, and keeps the connections.
  convenience init(answering response: String) throws {
    try self.init { peer, upstream in
      while let _ = try upstream.request(from: peer) { try peer.send(response) }
    }
  }

  var url: String { "http://127.0.0.1:\(port)" }
  var requests: [Request] { seen.withLock { $0 } }
  var connections: Int { connected.withLock { $0 } }

  /// Reads one request; nil when the connection ends.
  func request(from peer: Socket) throws -> Request? {
    guard let head = try? peer.receive(until: "\r\n\r\n") else { return nil }
    var request = Request(head: String(decoding: head, as: UTF8.self), body: [])
    if let length = request.header("content-length").flatMap({ Int($0) }) {
      request.body = try peer.receive(exactly: length)
    }
    seen.withLock { $0.append(request) }
    return request
  }

  private static func thread(_ job: @escaping @Sendable () -> Void) {
    final class Box: Sendable {
      let job: @Sendable () -> Void
      init(_ job: @escaping @Sendable () -> Void) { self.job = job }
    }
    var id = pthread_t()
    pthread_create(
      &id, nil,
      { argument in
        Unmanaged<Box>.fromOpaque(argument!).takeRetainedValue().job()
        return nil
      }, Unmanaged.passRetained(Box(job)).toOpaque())
    pthread_detach(id)
  }
}

extension Substring {
  var trimmed: String {
    var text = self
    while text.first == " " { text.removeFirst() }
    while text.last == " " { text.removeLast() }
    return String(text)
  }
}

/// A whole response.
let ok = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok"

/// The head of an event stream in chunks.
let streamHead = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"

/// One chunk of a chunked body.
func chunk(_ text: String) -> String { String(text.utf8.count, radix: 16) + "\r\n" + text + "\r\n" }

let lastChunk = "0\r\n\r\n"
