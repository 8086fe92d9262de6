import CCurl
package import TapeTypes

/// Plain HTTP requests one after the other over one connection, for who has no loop: libcurl's easy interface.
package final class HTTPPost {
  package struct Response: Sendable {
    package var status: Int
    package var headers: [HeaderField]
    package var body: [UInt8]
  }

  private static let mostBodyBytes = 1 << 20
  private static let isLibraryReady = curl_global_init(Int(CURL_GLOBAL_DEFAULT)) == CURLE_OK

  private let url: UpstreamURL
  private let easy: UnsafeMutableRawPointer
  private let headers: UnsafeMutablePointer<curl_slist>?
  private let errorText: UnsafeMutablePointer<CChar>
  private var response = Response(status: 0, headers: [], body: [])

  /// - Parameters:
  ///   - target: path and query.
  ///   - caFile: authorities to trust instead of the system's.
  ///   - timeoutSeconds: for one request in all.
  /// - Throws: `TapeError` `.failed`.
  package init(
    _ url: UpstreamURL, target: String, headers fields: [HeaderField], caFile: String?, timeoutSeconds: Int
  ) throws {
    guard Self.isLibraryReady, let easy = curl_easy_init() else { throw TapeError(.failed, "cannot start libcurl") }
    self.easy = easy
    self.url = url
    var list: UnsafeMutablePointer<curl_slist>?
    for field in fields {
      list = curl_slist_append(list, field.value.isEmpty ? "\(field.name);" : "\(field.name): \(field.value)")
    }
    headers = curl_slist_append(list, "Expect:")
    errorText = .allocate(capacity: Int(CURL_ERROR_SIZE))
    errorText.initialize(repeating: 0, count: Int(CURL_ERROR_SIZE))
    tape_easy_long(easy, CURLOPT_NOSIGNAL, 1)
    tape_easy_string(easy, CURLOPT_PROTOCOLS_STR, "http,https")
    tape_easy_string(easy, CURLOPT_URL, url.origin + "/")
    tape_easy_string(easy, CURLOPT_REQUEST_TARGET, target)
    tape_easy_long(easy, CURLOPT_POST, 1)
    tape_easy_slist(easy, CURLOPT_HTTPHEADER, headers)
    tape_easy_long(easy, CURLOPT_CONNECTTIMEOUT_MS, 10_000)
    tape_easy_long(easy, CURLOPT_TIMEOUT_MS, timeoutSeconds * 1000)
    tape_easy_pointer(easy, CURLOPT_ERRORBUFFER, errorText)
    if let caFile { tape_easy_string(easy, CURLOPT_CAINFO, caFile) }
    if url.isLoopback { tape_easy_string(easy, CURLOPT_PROXY, "") }
    setCallbacks()
  }

  deinit {
    curl_easy_cleanup(easy)
    curl_slist_free_all(headers)
    errorText.deallocate()
  }

  private func setCallbacks() {
    let me = Unmanaged.passUnretained(self).toOpaque()
    tape_easy_pointer(easy, CURLOPT_WRITEDATA, me)
    tape_easy_callback(easy, CURLOPT_WRITEFUNCTION) { bytes, _, count, me in
      guard let bytes, let me else { return 0 }
      let room = Unmanaged<HTTPPost>.fromOpaque(me)._withUnsafeGuaranteedRef {
        $0.take(UnsafeRawBufferPointer(start: bytes, count: count))
      }
      return room ? count : 0
    }
    tape_easy_pointer(easy, CURLOPT_HEADERDATA, me)
    tape_easy_callback(easy, CURLOPT_HEADERFUNCTION) { bytes, _, count, me in
      guard let bytes, let me else { return 0 }
      Unmanaged<HTTPPost>.fromOpaque(me)._withUnsafeGuaranteedRef {
        $0.header(UnsafeRawBufferPointer(start: bytes, count: count))
      }
      return count
    }
  }

  private func take(_ bytes: UnsafeRawBufferPointer) -> Bool {
    guard response.body.count + bytes.count <= Self.mostBodyBytes else { return false }
    response.body += bytes
    return true
  }

  private func header(_ line: UnsafeRawBufferPointer) {
    let text = String(decoding: line, as: UTF8.self)
    // Of several heads (100 Continue) the last one counts.
    if text.hasPrefix("HTTP/") { response.headers = [] }
    guard response.headers.count < 200, let colon = text.firstIndex(of: ":") else { return }
    let value = text[text.index(after: colon)...].drop { $0.isWhitespace }
    let end = value.lastIndex { !$0.isWhitespace }.map { value.index(after: $0) } ?? value.startIndex
    response.headers.append(HeaderField(String(text[..<colon]), String(value[..<end])))
  }

  /// - Throws: `TapeError` `.network` when there was no whole response.
  package func send(_ body: [UInt8]) throws -> Response {
    response = Response(status: 0, headers: [], body: [])
    errorText.pointee = 0
    let code = body.withUnsafeBytes { bytes in
      tape_easy_off(easy, CURLOPT_POSTFIELDSIZE_LARGE, curl_off_t(bytes.count))
      // Lent for the time of the request.
      tape_easy_pointer(easy, CURLOPT_POSTFIELDS, UnsafeMutableRawPointer(mutating: bytes.baseAddress))
      return curl_easy_perform(easy)
    }
    guard code == CURLE_OK else {
      let said = String(cString: errorText)
      throw TapeError(.network, said.isEmpty ? String(cString: curl_easy_strerror(code)) : said)
    }
    tape_info_long(easy, CURLINFO_RESPONSE_CODE, &response.status)
    return response
  }
}
