import TapeTypes

/// A response as a client reads it off its socket.
struct Response {
  var status: Int
  var headers: [HeaderField]
  var body: [UInt8]
  /// The body ended as HTTP says it should.
  var isWhole: Bool

  var text: String { String(decoding: body, as: UTF8.self) }
  var call: CallID? { headers.first("x-tapedeck-call").flatMap { CallID($0) } }

  /// Reads one response.
  init(from socket: Socket, method: String = "POST") throws {
    var lines = String(decoding: try socket.receive(until: "\r\n\r\n"), as: UTF8.self).split(separator: "\r\n")
    status = Int(lines.removeFirst().split(separator: " ")[1]) ?? 0
    headers = lines.map { line in
      let parts = line.split(separator: ":", maxSplits: 1)
      return HeaderField(String(parts[0]), parts.count > 1 ? parts[1].trimmed : "")
    }
    body = []
    isWhole = true
    if method == "HEAD" || status == 204 || status == 304 { return }
    if headers.first("transfer-encoding") == "chunked" {
      isWhole = try readChunks(socket)
    } else if let length = headers.first("content-length").flatMap({ Int($0) }) {
      while body.count < length {
        let bytes = try socket.receive(length - body.count)
        if bytes.isEmpty { break }
        body += bytes
      }
      isWhole = body.count == length
    } else {
      // A reset is how a body that ends with the connection is cut.
      do {
        while true {
          let bytes = try socket.receive()
          if bytes.isEmpty { break }
          body += bytes
        }
      } catch { isWhole = false }
    }
  }

  private mutating func readChunks(_ socket: Socket) throws -> Bool {
    while true {
      guard let line = try? socket.receive(until: "\r\n") else { return false }
      guard let size = Int(String(decoding: line.dropLast(2), as: UTF8.self), radix: 16) else { return false }
      guard size > 0 else { return (try? socket.receive(exactly: 2)) == [0x0D, 0x0A] }
      guard let bytes = try? socket.receive(exactly: size + 2) else { return false }
      body += bytes.dropLast(2)
    }
  }
}

/// A request with a JSON body to orq's stream endpoint.
func post(
  _ path: String = "/v2/deployments/stream", _ body: String = "{\"key\":\"k\",\"stream\":true}", _ extra: String = ""
) -> String {
  "POST \(path) HTTP/1.1\r\nHost: proxy\r\nContent-Type: application/json\r\n\(extra)Content-Length: \(body.utf8.count)\r\n\r\n\(body)"
}
