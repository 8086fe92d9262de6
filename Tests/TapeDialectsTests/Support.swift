import Foundation
import TapeDialects
import TapeJSON
import TapeSSE
import TapeTypes

/// A call as the archive would give it back.
func call(
  _ body: [UInt8], path: String = "/v2/deployments/stream", status: Int? = 200,
  contentType: String? = "text/event-stream", request: String = "", headers: [HeaderField] = []
) -> RecordedCall {
  let open = CallOpen(
    id: CallID(high: 1, low: 1), startedAtNs: 0, origin: .proxy, path: path, headers: headers,
    body: Array(request.utf8), salt: [])
  let fields = contentType.map { [HeaderField("Content-Type", $0)] } ?? []
  let head = status.map { CallHead(offsetNs: 1, status: $0, headers: fields) }
  let isStream = contentType == nil || contentType?.hasPrefix("text/event-stream") == true
  let ends = FrameSplitter.split(body, mode: isStream ? .events : .opaque).frameEnds
  return RecordedCall(
    open: open, head: head,
    end: CallEnd(offsetNs: 9, cause: .endOfBody, frames: ends.count, bytes: body.count, sha256: nil),
    raw: body, frameEnds: ends, frameOffsetsNs: ends.indices.map { Int64($0) })
}

func generation(sse body: String, path: String = "/v2/deployments/stream") -> Generation {
  generation(of: call(Array(body.utf8), path: path))
}

/// A stream of orq chunks with one choice each: the given JSON members inside `message`.
func stream(messages: [String], end: String = "data: [DONE]\n\n") -> String {
  messages.enumerated().map { index, message in
    let isFinal = index == messages.count - 1
    return "data: {\"id\":\"r1\",\"is_final\":\(isFinal),\"choices\":[{\"index\":0,\"message\":{\(message)}}]}\n\n"
  }.joined() + end
}

/// A stream of content pieces; the last chunk is final.
func stream(pieces: [String], end: String = "data: [DONE]\n\n") -> String {
  stream(messages: pieces.map { "\"content\":\(JSONValue.string($0).compactString)" }, end: end)
}

extension Generation {
  func has(_ kind: Defect.Kind) -> Bool { defects.contains { $0.kind == kind } }
  var content: String? { choices.first?.content }
}

func json(_ text: String) throws -> JSONValue { try JSONValue(parsing: text) }
