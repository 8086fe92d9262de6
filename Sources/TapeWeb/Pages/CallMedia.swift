internal import HTTPTypes
internal import Hummingbird
internal import NIOCore
internal import TapeArchive
internal import TapeDialects
internal import TapeJSON
internal import TapeQuery
internal import TapeTypes

extension Pages {
  /// An attachment of a request or an answer, opened on demand.
  func media(_ request: WebRequest) async throws -> Response {
    let (reference, digest) = (request.segments[0], request.segments[1])
    let found = try await desk.ask { engine -> InlineMedium? in
      let call = try engine.recorded(engine.resolve(reference))
      return Self.media(of: call).first { $0.digest == digest }
    }
    guard let found else {
      throw WebError(.notFound, "not_found", "call \(reference) has no attachment with the hash \(digest)")
    }
    // Only pictures are shown by the browser; whatever could have a script in it is a file.
    let isPicture = ["image/png", "image/jpeg", "image/gif", "image/webp"].contains(found.type)
    var response = Response.bytes(
      .ok, isPicture ? found.type : "application/octet-stream", ByteBuffer(bytes: found.bytes))
    response.headers[.contentDisposition] = isPicture ? "inline" : "attachment; filename=\"\(digest).bin\""
    response.headers[.contentSecurityPolicy] = "default-src 'none'; sandbox; frame-ancestors 'none'"
    return response
  }

  static func media(of call: RecordedCall) -> [InlineMedium] {
    var media: [InlineMedium] = []
    if let body = try? JSONValue(parsing: call.open.body) { media += inlineMedia(in: body) }
    for choice in generation(of: call).choices {
      media += inlineMedia(in: .array(choice.imageURLs.map { .string($0) }))
      media += inlineMedia(in: .string(choice.content))
    }
    var seen: Set<String> = []
    return media.filter { seen.insert($0.digest).inserted }
  }
}
