import Glibc

struct SocketError: Error, CustomStringConvertible {
  var description: String
  init(_ what: String) { description = "\(what): \(String(cString: strerror(errno)))" }
}

/// A blocking loopback socket. Nothing waits for ever: after ten minutes without bytes a read fails (on a machine
/// that runs all tests at once, a task may have to wait long for its turn).
final class Socket: @unchecked Sendable {
  let descriptor: CInt
  private var isClosed = false

  init(descriptor: CInt) {
    self.descriptor = descriptor
    var limit = timeval(tv_sec: 600, tv_usec: 0)
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    var one: CInt = 1
    setsockopt(descriptor, CInt(IPPROTO_TCP), TCP_NODELAY, &one, socklen_t(MemoryLayout<CInt>.size))
  }

  deinit { close() }

  /// Connects to a port of 127.0.0.1; a small receive buffer makes a slow reader felt soon.
  convenience init(port: Int, receiveBuffer: CInt? = nil) throws {
    self.init(descriptor: socket(AF_INET, CInt(SOCK_STREAM.rawValue), 0))
    if var receiveBuffer {
      setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &receiveBuffer, socklen_t(MemoryLayout<CInt>.size))
    }
    var address = Socket.loopback(port)
    let code = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    guard code == 0 else { throw SocketError("connect to \(port)") }
  }

  static func loopback(_ port: Int) -> sockaddr_in {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = in_port_t(port).bigEndian
    address.sin_addr.s_addr = in_addr_t(0x7F00_0001).bigEndian
    return address
  }

  /// A socket that listens on a port of its own.
  static func listening(backlog: CInt) throws -> (Socket, port: Int) {
    let listener = Socket(descriptor: socket(AF_INET, CInt(SOCK_STREAM.rawValue), 0))
    var address = loopback(0)
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let isListening = withUnsafeMutablePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
        bind(listener.descriptor, address, length) == 0 && listen(listener.descriptor, backlog) == 0
          && getsockname(listener.descriptor, address, &length) == 0
      }
    }
    guard isListening else { throw SocketError("listen") }
    return (listener, Int(in_port_t(bigEndian: address.sin_port)))
  }

  func send(_ text: String) throws { try send(Array(text.utf8)) }

  func send(_ bytes: [UInt8]) throws {
    var sent = 0
    while sent < bytes.count {
      let count = bytes.withUnsafeBytes {
        Glibc.send(descriptor, $0.baseAddress! + sent, bytes.count - sent, CInt(MSG_NOSIGNAL))
      }
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { throw SocketError("send") }
      sent += count
    }
  }

  /// What one read gives; empty at the end.
  func receive(_ limit: Int = 65536) throws -> [UInt8] {
    var buffer = [UInt8](repeating: 0, count: limit)
    var count = recv(descriptor, &buffer, limit, 0)
    while count < 0, errno == EINTR { count = recv(descriptor, &buffer, limit, 0) }
    guard count >= 0 else { throw SocketError("receive") }
    return Array(buffer[..<count])
  }

  /// Reads until the bytes read contain `text`, no further than needed to know.
  func receive(until text: String) throws -> [UInt8] {
    var all: [UInt8] = []
    let wanted = Array(text.utf8)
    while !all.suffix(wanted.count).elementsEqual(wanted) {
      let byte = try receive(1)
      guard !byte.isEmpty else { throw SocketError("closed before \(text.debugDescription), after \(all.count) bytes") }
      all += byte
    }
    return all
  }

  func receive(exactly count: Int) throws -> [UInt8] {
    var all: [UInt8] = []
    while all.count < count {
      let bytes = try receive(count - all.count)
      guard !bytes.isEmpty else { throw SocketError("closed after \(all.count) of \(count) bytes") }
      all += bytes
    }
    return all
  }

  /// Reads to the end of the connection.
  func receiveAll() throws -> [UInt8] {
    var all: [UInt8] = []
    while true {
      let bytes = try receive()
      if bytes.isEmpty { return all }
      all += bytes
    }
  }

  /// Something has come that was not received yet.
  var hasBytes: Bool {
    var request = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    return poll(&request, 1, 0) > 0
  }

  func halfClose() { shutdown(descriptor, CInt(SHUT_WR)) }

  func close() {
    guard !isClosed else { return }
    isClosed = true
    _ = Glibc.close(descriptor)
  }

  /// Closes with a reset.
  func reset() {
    var hard = linger(l_onoff: 1, l_linger: 0)
    setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &hard, socklen_t(MemoryLayout<linger>.size))
    close()
  }
}

/// Lets one thread wait for another, in tests that must not depend on time.
final class Gate: @unchecked Sendable {
  private let semaphore = UnsafeMutablePointer<sem_t>.allocate(capacity: 1)
  init() { sem_init(semaphore, 0, 0) }
  func open() { sem_post(semaphore) }

  /// - Throws: after 20 s, so that a fault does not hang the tests.
  func pass() throws {
    var deadline = timespec()
    clock_gettime(CLOCK_REALTIME, &deadline)
    deadline.tv_sec += 20
    guard sem_timedwait(semaphore, &deadline) == 0 else { throw SocketError("waited in vain") }
  }
}
