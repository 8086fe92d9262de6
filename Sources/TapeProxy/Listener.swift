import CTapeShims
import Logging
import TapeRecorder
import TapeTypes

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// A listening socket.
final class Listener: EventSource {
  private let descriptor: CInt
  /// The port that it has, also when 0 was asked for.
  let port: Int
  private var token = EventToken.none
  private weak var proxy: ProxyCore?
  /// The process has no descriptors left: connections wait in the kernel.
  private var isPaused = false
  private var isClosed = false

  /// Binds and listens.
  ///
  /// - Throws: `TapeError` that names the address and what is wrong with it.
  init(host: String, port: Int) throws {
    func refusal(_ reason: String) -> TapeError {
      TapeError(.network, "cannot listen on \(host):\(port): \(reason)")
    }
    guard (0...65535).contains(port) else { throw refusal("a port is a number from 0 to 65535") }
    var hints = addrinfo()
    hints.ai_family = AF_UNSPEC
    hints.ai_socktype = CInt(SOCK_STREAM.rawValue)
    hints.ai_flags = AI_PASSIVE
    var found: UnsafeMutablePointer<addrinfo>?
    let bare = host.hasPrefix("[") && host.hasSuffix("]") ? String(host.dropFirst().dropLast()) : host
    let code = getaddrinfo(bare.isEmpty ? nil : bare, String(port), &hints, &found)
    guard code == 0 else { throw refusal(String(cString: gai_strerror(code))) }
    defer { freeaddrinfo(found) }
    var reason = EADDRNOTAVAIL
    var address = found
    while let candidate = address {
      if let (descriptor, port) = Self.listen(on: candidate.pointee, &reason) {
        self.descriptor = descriptor
        self.port = port
        return
      }
      address = candidate.pointee.ai_next
    }
    throw refusal(String(cString: strerror(reason)))
  }

  private static func listen(on address: addrinfo, _ reason: inout CInt) -> (descriptor: CInt, port: Int)? {
    let kind = CInt(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)
    let descriptor = socket(address.ai_family, kind, 0)
    var one: CInt = 1
    setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &one, socklen_t(MemoryLayout<CInt>.size))
    if descriptor >= 0, bind(descriptor, address.ai_addr, address.ai_addrlen) == 0, Glibc.listen(descriptor, 1024) == 0,
      let port = port(of: descriptor)
    {
      return (descriptor, port)
    }
    reason = errno
    if descriptor >= 0 { _ = Glibc.close(descriptor) }
    return nil
  }

  deinit { close() }

  func join(_ proxy: ProxyCore) {
    self.proxy = proxy
    token = proxy.loop.events.add(descriptor, .readable, self)
  }

  func ready(_ events: Readiness, now: Int64) {
    guard let proxy else { return }
    for _ in 0..<64 {
      let client = tape_accept(descriptor)
      if client >= 0 {
        var one: CInt = 1
        setsockopt(client, CInt(IPPROTO_TCP), TCP_NODELAY, &one, socklen_t(MemoryLayout<CInt>.size))
        proxy.accepted(client)
        continue
      }
      if errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM {
        proxy.log.warning("cannot accept a connection: \(String(cString: strerror(errno)))")
        isPaused = true
        proxy.loop.events.change(descriptor, [], token)
      }
      if errno != ECONNABORTED, errno != EINTR { return }
    }
  }

  /// Accepts again after descriptors ran out.
  func resume() {
    guard isPaused, let proxy else { return }
    isPaused = false
    proxy.loop.events.change(descriptor, .readable, token)
  }

  func close() {
    guard !isClosed else { return }
    isClosed = true
    proxy?.loop.events.remove(descriptor, token)
    _ = Glibc.close(descriptor)
  }

  private static func port(of descriptor: CInt) -> Int? {
    var storage = sockaddr_storage()
    var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
    let isKnown = withUnsafeMutablePointer(to: &storage) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor, $0, &length) == 0 }
    }
    guard isKnown else { return nil }
    // The port is at the same place in sockaddr_in and sockaddr_in6, in network order.
    return withUnsafeBytes(of: &storage) { Int($0[2]) << 8 | Int($0[3]) }
  }
}
