import CTapeShims
package import TapeLoop
import TapeTypes

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Who gets the connections of a listener.
package protocol ListenerOwner: AnyObject {
  /// Takes over a socket that does not block.
  func accepted(_ descriptor: CInt)
  /// The process or the system has no more descriptors: connections wait in the kernel until `resume`.
  func cannotAccept(_ reason: String)
}

/// A listening socket.
package final class Listener: EventSource {
  private let descriptor: CInt
  /// The port that it has, also when 0 was asked for.
  package let port: Int
  private var token = EventToken.none
  private var loop: EventLoop?
  private weak var owner: (any ListenerOwner)?
  /// The process has no descriptors left: connections wait in the kernel.
  private var isPaused = false
  private var isClosed = false

  /// Binds and listens.
  ///
  /// - Throws: `TapeError` that names the address and what is wrong with it.
  package init(host: String, port: Int) throws {
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

  /// From now on `owner` gets the connections. On the loop's thread, as everything behind it.
  package func join(_ loop: EventLoop, owner: any ListenerOwner) {
    self.loop = loop
    self.owner = owner
    token = loop.add(descriptor, .readable, self)
  }

  package func ready(_ events: Readiness, now: Int64) {
    guard let owner, let loop else { return }
    for _ in 0..<64 {
      let client = tape_accept(descriptor)
      if client >= 0 {
        var one: CInt = 1
        setsockopt(client, CInt(IPPROTO_TCP), TCP_NODELAY, &one, socklen_t(MemoryLayout<CInt>.size))
        owner.accepted(client)
        continue
      }
      if errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM {
        let reason = errno
        owner.cannotAccept(String(cString: strerror(reason)))
        isPaused = true
        loop.change(descriptor, [], token)
        return
      }
      if errno != ECONNABORTED, errno != EINTR { return }
    }
  }

  /// Accepts again after descriptors ran out.
  package func resume() {
    guard isPaused, let loop else { return }
    isPaused = false
    loop.change(descriptor, .readable, token)
  }

  package func close() {
    guard !isClosed else { return }
    isClosed = true
    loop?.remove(descriptor, token)
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
