package import CCurl

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Turns libcurl's result codes into a sentence that says what failed, on what, and what to do.
package struct UpstreamFailure {
  let code: CURLcode
  /// libcurl's error buffer.
  let message: String
  /// `errno` of the connection, if any.
  let systemError: CInt
  /// Scheme, host and port, without userinfo.
  let origin: String
  let options: RecorderOptions

  package init(code: CURLcode, message: String, systemError: CInt, origin: String, options: RecorderOptions) {
    self.code = code
    self.message = message
    self.systemError = systemError
    self.origin = origin
    self.options = options
  }

  /// It is not upstream's fault.
  package var isDescriptorShortage: Bool { systemError == EMFILE || systemError == ENFILE }

  package var isTimeout: Bool { code == CURLE_OPERATION_TIMEDOUT }

  package var sentence: String {
    if isDescriptorShortage { return descriptorSentence }
    switch code {
    case CURLE_COULDNT_RESOLVE_HOST, CURLE_COULDNT_RESOLVE_PROXY:
      return "cannot resolve the host name of \(origin): check the upstream URL and the DNS"
    case CURLE_COULDNT_CONNECT: return connectSentence
    case CURLE_OPERATION_TIMEDOUT:
      return "no connection to \(origin) within \(Self.seconds(options.connectTimeoutSeconds)) s"
    case CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CONNECT_ERROR, CURLE_SSL_CACERT_BADFILE, CURLE_SSL_CERTPROBLEM,
      CURLE_SSL_ISSUER_ERROR, CURLE_SSL_INVALIDCERTSTATUS, CURLE_USE_SSL_FAILED:
      return tlsSentence
    case CURLE_UNSUPPORTED_PROTOCOL, CURLE_WEIRD_SERVER_REPLY:
      return "\(origin) does not answer in HTTP\(remark)"
    case CURLE_GOT_NOTHING: return "\(origin) closed the connection without an answer"
    case CURLE_PARTIAL_FILE: return "\(origin) closed the connection inside the response"
    case CURLE_RECV_ERROR, CURLE_HTTP2, CURLE_HTTP2_STREAM: return "\(origin) broke the connection\(remark)"
    case CURLE_SEND_ERROR: return "\(origin) broke the connection inside the request\(remark)"
    case CURLE_BAD_CONTENT_ENCODING: return "the compressed response of \(origin) cannot be decoded\(remark)"
    default:
      return "the call to \(origin) failed\(remark.isEmpty ? ": " + String(cString: curl_easy_strerror(code)) : remark)"
    }
  }

  private var remark: String { message.isEmpty ? "" : ": \(message)" }

  private var connectSentence: String {
    switch systemError {
    case ECONNREFUSED: "\(origin) refused the connection: is the upstream running there?"
    case ENETUNREACH, EHOSTUNREACH: "\(origin) cannot be reached: no route to the host"
    case ETIMEDOUT: "no connection to \(origin): the connection timed out"
    default: "cannot connect to \(origin)\(remark)"
    }
  }

  private var descriptorSentence: String {
    let whose =
      systemError == EMFILE
      ? "this process has as many files open as it may (ulimit -n)" : "the system has no file descriptors left"
    return "cannot connect to \(origin): \(whose)"
  }

  private var tlsSentence: String {
    let text = message.lowercased()
    if code == CURLE_SSL_CACERT_BADFILE {
      return "cannot read the certificate authorities in \(options.caFile ?? "the system's CA file")\(remark)"
    }
    if text.contains("expired") { return "the TLS certificate of \(origin) has expired" }
    if text.contains("not yet valid") { return "the TLS certificate of \(origin) is not valid yet" }
    if text.contains("subject name") || text.contains("does not match") || text.contains("hostname mismatch") {
      return "the TLS certificate of \(origin) is for another host\(remark)"
    }
    if text.contains("self-signed") || text.contains("self signed") || text.contains("issuer")
      || text.contains("unable to verify")
    {
      let remedy =
        options.caFile == nil ? "name its CA file with --ca-file" : "\(options.caFile ?? "") does not have its CA"
      return "the TLS certificate of \(origin) is not signed by a trusted authority: \(remedy)\(remark)"
    }
    return "no TLS connection to \(origin)\(remark)"
  }

  static func seconds(_ value: Double) -> String {
    value == value.rounded() && abs(value) < 1e9 ? String(Int(value)) : String(value)
  }
}
