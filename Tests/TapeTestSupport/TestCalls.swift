internal import TapeJSON
package import TapeTypes

/// Token counts of a test call.
package struct TestUsage: Sendable {
  package var prompt: Int
  package var completion: Int
  package var cached: Int?
  package var reasoning: Int?

  package init(_ prompt: Int, _ completion: Int, cached: Int? = nil, reasoning: Int? = nil) {
    self.prompt = prompt
    self.completion = completion
    self.cached = cached
    self.reasoning = reasoning
  }

  var json: String {
    var members = ["\"total_tokens\":\(prompt + completion)", "\"prompt_tokens\":\(prompt)"]
    members.append("\"completion_tokens\":\(completion)")
    if let cached { members.append("\"prompt_tokens_details\":{\"cached_tokens\":\(cached)}") }
    if let reasoning { members.append("\"completion_tokens_details\":{\"reasoning_tokens\":\(reasoning)}") }
    return "{" + members.joined(separator: ",") + "}"
  }
}

extension TestCall {
  /// A call that streams text, frame by frame every 10 ms, and ends well.
  package static func text(
    _ number: Int, startedAt: Int64, _ pieces: [String] = ["Hel", "lo"], request: String = "{}",
    usage: TestUsage? = TestUsage(10, 3)
  ) -> TestCall {
    var call = TestCall(number, startedAt: startedAt)
    call.request = Array(request.utf8)
    for piece in pieces { call.addText(piece) }
    let usage = usage.map { ",\"usage\":\($0.json)" } ?? ""
    call.addChunk(
      #""is_final":true,"finalized":"2026-11-20T12:00:01.000Z","choices":[{"index":0,"message":{"type":"content","role":"assistant","content":""},"finish_reason":"stop"}]"#
        + usage)
    call.add("data: [DONE]\n\n")
    return call
  }

  package mutating func addText(_ text: String, gapMs: Int64 = 10) {
    let content = JSONValue.string(text).compactString
    addChunk(
      #""is_final":false,"choices":[{"index":0,"message":{"type":"content","role":"assistant","content":\#(content)},"finish_reason":null}]"#,
      gapMs: gapMs)
  }

  /// Two tool calls, no content.
  package static func tools(_ number: Int, startedAt: Int64, request: String = "{}") -> TestCall {
    var call = TestCall(number, startedAt: startedAt)
    call.request = Array(request.utf8)
    for (index, name) in ["get_weather", "get_time"].enumerated() {
      call.addChunk(
        #""is_final":false,"choices":[{"index":0,"message":{"type":"tool_calls","role":"assistant","tool_calls":[{"index":\#(index),"id":"c\#(index)","type":"function","function":{"name":"\#(name)","arguments":"{\"city\":\"Utrecht\"}"}}]},"finish_reason":null}]"#
      )
    }
    call.addChunk(
      #""is_final":true,"choices":[{"index":0,"message":{"type":"tool_calls"},"finish_reason":"tool_calls"}]"#)
    call.add("data: [DONE]\n\n")
    return call
  }

  /// An error frame in mid-stream.
  package static func midstreamError(_ number: Int, startedAt: Int64, request: String = "{}") -> TestCall {
    var call = TestCall(number, startedAt: startedAt)
    call.request = Array(request.utf8)
    call.addText("Hel")
    call.add("data: {\"error\":{\"code\":429,\"message\":\"Rate limit exceeded\"}}\n\n")
    return call
  }

  /// Text that stops before its end, for `cause`; nil leaves the call without end.
  package static func unfinished(
    _ number: Int, startedAt: Int64, cause: CallEnd.Cause?, request: String = "{}"
  ) -> TestCall {
    var call = TestCall(number, startedAt: startedAt)
    call.request = Array(request.utf8)
    call.addText("Hel")
    call.cause = cause
    if cause == .clientClosed { call.clientClosedNs = call.offsetsNs.last }
    return call
  }

  /// No response at all.
  package static func refused(_ number: Int, startedAt: Int64, request: String = "{}") -> TestCall {
    var call = TestCall(number, startedAt: startedAt)
    call.request = Array(request.utf8)
    call.status = nil
    call.cause = .upstreamFailed
    return call
  }
}
