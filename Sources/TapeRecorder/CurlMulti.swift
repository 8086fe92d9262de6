import CCurl
import TapeLoop
import TapeTypes

/// libcurl's multi handle on the event loop: its sockets in the loop's set, its timer on the loop.
///
/// `curl_multi_socket_action` touches only the sockets that are ready; `curl_multi_perform`
/// would look at every transfer on every turn.
final class CurlMulti {
  private let loop: EventLoop
  private let handle: UnsafeMutableRawPointer
  private var sockets: [CInt: CurlSocket] = [:]
  private var timer: LoopTimer?

  /// Must run once in a process, before any transfer and on one thread: a `static let` does.
  private static let isLibraryReady = curl_global_init(Int(CURL_GLOBAL_DEFAULT)) == CURLE_OK

  init(loop: EventLoop) throws {
    guard Self.isLibraryReady, let handle = curl_multi_init() else {
      throw TapeError(.failed, "cannot start libcurl")
    }
    self.loop = loop
    self.handle = handle
    timer = loop.makeTimer { [unowned self] _ in self.act(CURL_SOCKET_TIMEOUT, 0) }
    let owner = Unmanaged.passUnretained(self).toOpaque()
    tape_multi_socket_cb(handle) { _, socket, what, owner, _ in
      guard let owner else { return 0 }
      Unmanaged<CurlMulti>.fromOpaque(owner)._withUnsafeGuaranteedRef { $0.watch(socket, what) }
      return 0
    }
    tape_multi_pointer(handle, CURLMOPT_SOCKETDATA, owner)
    tape_multi_timer_cb(handle) { _, milliseconds, owner in
      guard let owner else { return 0 }
      Unmanaged<CurlMulti>.fromOpaque(owner)._withUnsafeGuaranteedRef { $0.setTimer(milliseconds) }
      return 0
    }
    tape_multi_pointer(handle, CURLMOPT_TIMERDATA, owner)
    // Kept for reuse; libcurl looks at idle connections now and then, so not without bound.
    tape_multi_long(handle, CURLMOPT_MAXCONNECTS, 256)
  }

  deinit {
    curl_multi_cleanup(handle)
  }

  /// Upstreams whose last answer was HTTP/2.
  private var http2Origins: Set<String> = []

  func speaksHTTP2(_ origin: String) -> Bool { http2Origins.contains(origin) }

  func note(_ origin: String, speaksHTTP2: Bool) {
    guard speaksHTTP2 != http2Origins.contains(origin) else { return }
    if speaksHTTP2 { http2Origins.insert(origin) } else { http2Origins.remove(origin) }
  }

  func add(_ easy: UnsafeMutableRawPointer) -> Bool { curl_multi_add_handle(handle, easy) == CURLM_OK }

  /// Not from inside a libcurl callback.
  func remove(_ easy: UnsafeMutableRawPointer) { curl_multi_remove_handle(handle, easy) }

  /// Hands out the transfers that have ended since the last call.
  func deliver(_ ended: (UnsafeMutableRawPointer, CURLcode) -> Void) {
    var left: CInt = 0
    while let message = curl_multi_info_read(handle, &left) {
      guard message.pointee.msg == CURLMSG_DONE, let easy = message.pointee.easy_handle else { continue }
      ended(easy, message.pointee.data.result)
    }
  }

  fileprivate func act(_ socket: CInt, _ mask: CInt) {
    var running: CInt = 0
    curl_multi_socket_action(handle, socket, mask, &running)
  }

  private func watch(_ socket: CInt, _ what: CInt) {
    var interest: Readiness = []
    if what == CURL_POLL_IN || what == CURL_POLL_INOUT { interest.insert(.readable) }
    if what == CURL_POLL_OUT || what == CURL_POLL_INOUT { interest.insert(.writable) }
    if interest.isEmpty {
      // Removed, or paused. A paused one must leave the set as well, since a hang-up is
      // reported whether asked for or not and would keep the loop turning.
      if let old = sockets.removeValue(forKey: socket) { loop.remove(socket, old.token) }
    } else if let known = sockets[socket] {
      loop.change(socket, interest, known.token)
    } else {
      let source = CurlSocket(socket, self)
      source.token = loop.add(socket, interest, source)
      sockets[socket] = source
    }
  }

  private func setTimer(_ milliseconds: Int) {
    timer?.set(milliseconds < 0 ? nil : loop.now + Int64(milliseconds) * 1_000_000)
  }
}

/// One of libcurl's sockets.
private final class CurlSocket: EventSource {
  private let socket: CInt
  private unowned let multi: CurlMulti
  var token = EventToken.none

  init(_ socket: CInt, _ multi: CurlMulti) {
    self.socket = socket
    self.multi = multi
  }

  func ready(_ events: Readiness, now: Int64) {
    // A failed socket is read from: then libcurl finds out what is wrong with it.
    var mask = events.isDisjoint(with: [.readable, .hungUp, .failed]) ? 0 : CURL_CSELECT_IN
    if events.contains(.writable) { mask |= CURL_CSELECT_OUT }
    multi.act(socket, mask)
  }
}
