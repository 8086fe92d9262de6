import CCurl
import TapeLoop
import TapeTypes

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// One libcurl easy handle at work for one exchange, and the memory that it borrows.
final class CurlTransfer {
  private let easy: UnsafeMutableRawPointer
  private let multi: CurlMulti
  private unowned let owner: Exchange
  private var headers: UnsafeMutablePointer<curl_slist>?
  private let errorText: UnsafeMutablePointer<CChar>
  private let origin: String
  /// Sending it twice does no more than sending it once (RFC 9110 §9.2.2).
  private let isIdempotent: Bool
  /// The exchange is told when the request's last byte goes out.
  private let marksSent: Bool
  private var hasBegun = false
  /// libcurl was about to send the request a second time.
  private var wouldRepeat = false
  private var isReleased = false
  private var lacksDescriptors = false
  private var isPaused = false
  /// The request body, where the moment of its last byte must be known; empty otherwise.
  private let upload: [UInt8]
  private var uploaded = 0
  private var head = ResponseHeadReader()

  /// Content codings that this libcurl can undo.
  static let codings: Set<String> = {
    var codings: Set<String> = ["identity", "deflate", "gzip", "x-gzip"]
    let features = curl_version_info(CURLVERSION_TENTH)?.pointee.features ?? 0
    if features & CURL_VERSION_BROTLI != 0 { codings.insert("br") }
    if features & CURL_VERSION_ZSTD != 0 { codings.insert("zstd") }
    return codings
  }()

  /// Starts the transfer; nil if libcurl has no memory for it.
  init?(_ request: UpstreamRequest, owner: Exchange, loop: RecordingLoop) {
    guard let easy = curl_easy_init() else { return nil }
    self.easy = easy
    self.owner = owner
    multi = loop.multi
    origin = request.upstream.origin
    upload = request.zeroNs == nil ? request.body : []
    isIdempotent = ["GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"].contains(request.method)
    marksSent = request.zeroNs == nil && request.upload == nil
    errorText = .allocate(capacity: Int(CURL_ERROR_SIZE))
    errorText.initialize(repeating: 0, count: Int(CURL_ERROR_SIZE))
    setConnection(request.upstream, loop.options)
    setRequest(request)
    setCallbacks()
    if let queue = request.upload { setUpload(queue) }
    guard multi.add(easy) else {
      release()
      return nil
    }
  }

  deinit {
    release()
    errorText.deallocate()
  }

  /// Takes the handle out of libcurl and frees what it borrowed. Not from inside a callback.
  func release() {
    guard !isReleased else { return }
    isReleased = true
    multi.remove(easy)
    // Not kept for another call: before 8.1.1 libcurl writes to a freed field of the last response where the next one
    // begins with a folded line (curl/curl#11101). Connections are the multi handle's, and are kept.
    curl_easy_cleanup(easy)
    curl_slist_free_all(headers)
    headers = nil
  }

  /// Streams go on for long behind their heads, and nothing of the request is sent again.
  private func forgetRequest() {
    tape_easy_slist(easy, CURLOPT_HTTPHEADER, nil)
    curl_slist_free_all(headers)
    headers = nil
  }

  /// Nothing more is read from upstream until `resume`.
  func pause() {
    isPaused = true
    curl_easy_pause(easy, CURLPAUSE_RECV)
  }

  func resume() {
    isPaused = false
    curl_easy_pause(easy, CURLPAUSE_CONT)
  }

  /// There is more of the body to send. Not from inside a callback.
  func sendOn() { curl_easy_pause(easy, isPaused ? CURLPAUSE_RECV : CURLPAUSE_CONT) }

  func failure(_ code: CURLcode, origin: String, options: RecorderOptions) -> UpstreamFailure {
    var systemError = 0
    tape_info_long(easy, CURLINFO_OS_ERRNO, &systemError)
    return UpstreamFailure(
      code: wouldRepeat ? CURLE_GOT_NOTHING : code, message: String(cString: errorText),
      systemError: lacksDescriptors ? EMFILE : systemError == 0 ? Self.descriptorError(code) : CInt(systemError),
      origin: origin, options: options)
  }

  /// The last descriptors are the archive's: without them a journal could not follow on a full one.
  private func openSocket(_ address: curl_sockaddr) -> curl_socket_t {
    let made = socket(address.family, address.socktype | CInt(SOCK_CLOEXEC.rawValue), address.protocol)
    guard made >= 0, DescriptorLimit.isNearlyReached(by: made) else { return made }
    close(made)
    lacksDescriptors = true
    return CURL_SOCKET_BAD
  }

  /// `errno` if no descriptor can be had, which libcurl does not tell when it is a socket or the
  /// resolver that fails for it; otherwise 0.
  private static func descriptorError(_ code: CURLcode) -> CInt {
    guard code == CURLE_COULDNT_CONNECT || code == CURLE_COULDNT_RESOLVE_HOST else { return 0 }
    let probe = socket(AF_INET, CInt(SOCK_STREAM.rawValue), 0)
    guard probe < 0 else {
      close(probe)
      return 0
    }
    return errno
  }

  // MARK: Options

  private func setConnection(_ upstream: UpstreamURL, _ options: RecorderOptions) {
    tape_easy_long(easy, CURLOPT_NOSIGNAL, 1)
    tape_easy_string(easy, CURLOPT_PROTOCOLS_STR, "http,https")
    // Each transfer has one of its own: larger ones cost memory by the stream, and the processor's caches.
    tape_easy_long(easy, CURLOPT_BUFFERSIZE, 4 << 10)
    tape_easy_long(easy, CURLOPT_HTTP_VERSION, Int(CURL_HTTP_VERSION_2TLS))
    // Wait for a connection that may turn out to carry many calls rather than open many. Only
    // over TLS, where libcurl speaks HTTP/2.
    tape_easy_long(easy, CURLOPT_PIPEWAIT, upstream.scheme == .https ? 1 : 0)
    tape_easy_long(easy, CURLOPT_MAXAGE_CONN, 60)
    tape_easy_long(easy, CURLOPT_TCP_KEEPALIVE, 1)
    tape_easy_long(easy, CURLOPT_CONNECTTIMEOUT_MS, max(1, Int(options.connectTimeoutSeconds * 1000)))
    tape_easy_long(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1)
    if let file = options.caFile { tape_easy_string(easy, CURLOPT_CAINFO, file) }
    tape_easy_pointer(easy, CURLOPT_OPENSOCKETDATA, Unmanaged.passUnretained(self).toOpaque())
    tape_easy_opensocket_cb(easy) { me, _, address in
      guard let me, let address else { return CURL_SOCKET_BAD }
      return Unmanaged<CurlTransfer>.fromOpaque(me)._withUnsafeGuaranteedRef { $0.openSocket(address.pointee) }
    }
    if upstream.isLoopback { tape_easy_string(easy, CURLOPT_PROXY, "") }
  }

  private func setRequest(_ request: UpstreamRequest) {
    tape_easy_string(easy, CURLOPT_URL, request.upstream.origin + "/")
    tape_easy_long(easy, CURLOPT_PATH_AS_IS, 1)
    // Byte for byte what the client asked for; in the URL, libcurl would tidy it.
    _ = Self.withCString(request.target) { tape_easy_string(easy, CURLOPT_REQUEST_TARGET, $0) }
    // Empty: decode whatever comes. The header below still asks for none.
    tape_easy_string(easy, CURLOPT_ACCEPT_ENCODING, "")
    if request.method == "HEAD" {
      tape_easy_long(easy, CURLOPT_NOBODY, 1)
    } else if request.hasBody {
      tape_easy_long(easy, CURLOPT_POST, 1)
      let length = request.upload.map { $0.length ?? -1 } ?? request.body.count
      tape_easy_off(easy, CURLOPT_POSTFIELDSIZE_LARGE, curl_off_t(length))
      if request.zeroNs != nil {
        _ = request.body.withUnsafeBytes { body in
          tape_easy_pointer(easy, CURLOPT_COPYPOSTFIELDS, UnsafeMutableRawPointer(mutating: body.baseAddress))
        }
      }
    } else {
      tape_easy_long(easy, CURLOPT_HTTPGET, 1)
    }
    if request.method != "HEAD" { tape_easy_string(easy, CURLOPT_CUSTOMREQUEST, request.method) }
    for field in request.headers {
      // libcurl drops `Name:`, and sends `Name;` as a field without value.
      let line = field.value.isEmpty ? "\(field.name);" : "\(field.name): \(field.value)"
      headers = Self.withCString(line) { curl_slist_append(headers, $0) }
    }
    // What libcurl would add of its own.
    for name in ["Accept", "Content-Type", "Expect", "User-Agent"] where request.headers.first(name) == nil {
      headers = curl_slist_append(headers, "\(name):")
    }
    if let queue = request.upload, queue.length == nil {
      headers = curl_slist_append(headers, "Transfer-Encoding: chunked")
    }
    tape_easy_slist(easy, CURLOPT_HTTPHEADER, headers)
  }

  /// The bytes that the text stands for.
  private static func withCString<Result>(_ text: String, _ body: (UnsafePointer<CChar>) -> Result) -> Result {
    guard let bytes = HeaderText.bytes(text) else { return text.withCString(body) }
    return (bytes.map { CChar(bitPattern: $0) } + [0]).withUnsafeBufferPointer { buffer in
      buffer.baseAddress.map(body) ?? text.withCString(body)
    }
  }

  private func setCallbacks() {
    let me = Unmanaged.passUnretained(self).toOpaque()
    tape_easy_pointer(easy, CURLOPT_PRIVATE, Unmanaged.passUnretained(owner).toOpaque())
    tape_easy_pointer(easy, CURLOPT_ERRORBUFFER, errorText)
    tape_easy_pointer(easy, CURLOPT_WRITEDATA, Unmanaged.passUnretained(owner).toOpaque())
    tape_easy_callback(easy, CURLOPT_WRITEFUNCTION) { bytes, _, count, owner in
      guard let bytes, let owner else { return 0 }
      let goesOn = Unmanaged<Exchange>.fromOpaque(owner)._withUnsafeGuaranteedRef {
        $0.received(body: UnsafeRawBufferPointer(start: bytes, count: count))
      }
      return goesOn ? count : 0
    }
    tape_easy_pointer(easy, CURLOPT_HEADERDATA, me)
    tape_easy_callback(easy, CURLOPT_HEADERFUNCTION) { bytes, _, count, me in
      guard let bytes, let me else { return 0 }
      let goesOn = Unmanaged<CurlTransfer>.fromOpaque(me)._withUnsafeGuaranteedRef {
        $0.header(UnsafeRawBufferPointer(start: bytes, count: count))
      }
      return goesOn ? count : 0
    }
    tape_easy_pointer(easy, CURLOPT_PREREQDATA, me)
    tape_easy_prereq_cb(easy) { me, _, _, _, _ in
      guard let me else { return CInt(CURL_PREREQFUNC_ABORT) }
      let goesOn = Unmanaged<CurlTransfer>.fromOpaque(me)._withUnsafeGuaranteedRef { $0.begins() }
      return CInt(goesOn ? CURL_PREREQFUNC_OK : CURL_PREREQFUNC_ABORT)
    }
    if marksSent { setUpload(me) }
  }

  /// A connection is there, and the request goes on it next.
  ///
  /// libcurl begins again where a connection that was used before ends without an answer. Upstream may have acted on the
  /// request by then: a generation would be made, and paid, twice. Over HTTP/2 upstream says which
  /// requests it did not look at.
  private func begins() -> Bool {
    wouldRepeat = hasBegun && !isIdempotent && !multi.speaksHTTP2(origin)
    hasBegun = true
    if marksSent, upload.isEmpty { owner.sent() }
    return !wouldRepeat
  }

  /// Feeds a body that still comes in. It cannot be sent twice, so it does not go to a connection that may turn out to be
  /// closed.
  private func setUpload(_ queue: UploadQueue) {
    tape_easy_long(easy, CURLOPT_FRESH_CONNECT, 1)
    tape_easy_pointer(easy, CURLOPT_READDATA, Unmanaged.passUnretained(queue).toOpaque())
    tape_easy_callback(easy, CURLOPT_READFUNCTION) { buffer, size, count, queue in
      guard let buffer, let queue else { return 0 }
      return Unmanaged<UploadQueue>.fromOpaque(queue)._withUnsafeGuaranteedRef {
        $0.take(into: UnsafeMutableRawBufferPointer(start: buffer, count: size * count)) ?? Int(CURL_READFUNC_PAUSE)
      }
    }
  }

  /// Feeds the body by callback, to learn when its last byte goes out.
  private func setUpload(_ me: UnsafeMutableRawPointer) {
    tape_easy_pointer(easy, CURLOPT_READDATA, me)
    tape_easy_callback(easy, CURLOPT_READFUNCTION) { buffer, size, count, me in
      guard let buffer, let me else { return 0 }
      return Unmanaged<CurlTransfer>.fromOpaque(me)._withUnsafeGuaranteedRef {
        $0.upload(into: UnsafeMutableRawBufferPointer(start: buffer, count: size * count))
      }
    }
    tape_easy_pointer(easy, CURLOPT_SEEKDATA, me)
    tape_easy_seek_cb(easy) { me, offset, origin in
      guard let me, origin == SEEK_SET, offset >= 0 else { return CInt(CURL_SEEKFUNC_FAIL) }
      Unmanaged<CurlTransfer>.fromOpaque(me)._withUnsafeGuaranteedRef { $0.uploaded = Int(offset) }
      return CInt(CURL_SEEKFUNC_OK)
    }
  }

  // MARK: Callbacks

  private func upload(into buffer: UnsafeMutableRawBufferPointer) -> Int {
    let count = min(buffer.count, upload.count - uploaded)
    upload.withUnsafeBytes {
      buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[uploaded..<uploaded + count]))
    }
    uploaded += count
    if uploaded == upload.count { owner.sent() }
    return count
  }

  /// One line of a response head, with its line end.
  private func header(_ line: UnsafeRawBufferPointer) -> Bool {
    switch head.take(line) {
    case .more: return true
    case .tooLarge: return false
    case .trailer(let field):
      owner.received(trailer: field)
      return true
    case .head(let head):
      multi.note(origin, speaksHTTP2: head.version == "2")
      forgetRequest()
      return owner.received(head: head)
    }
  }
}
