import Foundation
import SwiftProtobuf
import TapeJSON
import TapeTypes
import Testing

@testable import TapeOTLP

@Suite struct SpanMakerTests {
  static func call(
    body: String = "data: {\"a\":1}\n\ndata: [DONE]\n\n", status: Int? = 200, type: String = "text/event-stream",
    path: String = "/v2/deployments/stream", end: CallEnd.Cause = .endOfBody, hasTimes: Bool = true
  ) -> RecordedCall {
    let bytes = Array((": hello\n\n" + body).utf8)
    return RecordedCall(
      open: CallOpen(
        id: CallID(high: 7, low: 8), startedAtNs: 1_000_000_000, origin: .proxy, upstream: "https://api.orq.ai",
        path: path, hasTimes: hasTimes, salt: []),
      head: status.map { CallHead(offsetNs: 5, status: $0, headers: [HeaderField("Content-Type", type)]) },
      end: CallEnd(offsetNs: hasTimes ? 4_000_000_000 : nil, cause: end, frames: 2, bytes: bytes.count, sha256: nil),
      raw: bytes, frameEnds: [9, bytes.count], frameOffsetsNs: hasTimes ? [100_000_000, 250_000_000] : [])
  }

  static func span(
    _ shown: String, _ call: RecordedCall = call(), state: CallState = .done, content: Bool = false
  ) throws -> Span {
    SpanMaker(hasContent: content).span(call, shown: try JSONValue(parsing: shown), state: state)
  }

  static func attributes(_ span: Span) -> [String: AnyValue.OneOf_Value] {
    Dictionary(uniqueKeysWithValues: span.attributes.compactMap { pair in pair.value.value.map { (pair.key, $0) } })
  }

  private let shown = """
    {"call_id":"C","response_id":"R","trace_id":"01K8","span_id":"b7ad6b7169203331","thread_id":"T","identity_id":"ada",
    "deployment":"d","model":"gpt-4o","provider":"google-ai","state":"done","error":null,
    "request":{"key":"d","stream":true,"temperature":0.5,"max_tokens":100,"stop":"x","n":2},
    "choices":[{"index":0,"finish_reason":"stop"},{"index":1,"finish_reason":"length"}],
    "usage":{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15,"cached_tokens":4,"reasoning_tokens":2},
    "cost":{"total_usd":"0.01"}}
    """

  @Test func aSpanSaysWhatTheConventionsAskFor() throws {
    let span = try Self.span(shown)
    let attributes = Self.attributes(span)
    #expect(span.name == "chat gpt-4o" && span.kind == .client && span.status.code == .unset)
    #expect(span.startTimeUnixNano == 1_000_000_000 && span.endTimeUnixNano == 5_000_000_000)
    #expect(attributes["gen_ai.operation.name"] == .stringValue("chat"))
    #expect(attributes["gen_ai.provider.name"] == .stringValue("gcp.gemini"))
    #expect(attributes["gen_ai.request.model"] == .stringValue("gpt-4o"))
    #expect(attributes["gen_ai.request.stream"] == .boolValue(true))
    #expect(attributes["gen_ai.request.temperature"] == .doubleValue(0.5))
    #expect(attributes["gen_ai.request.max_tokens"] == .intValue(100))
    #expect(attributes["gen_ai.request.choice.count"] == .intValue(2))
    #expect(attributes["gen_ai.response.id"] == .stringValue("R"))
    #expect(attributes["gen_ai.response.model"] == .stringValue("gpt-4o"))
    // The comment before it is no chunk.
    #expect(attributes["gen_ai.response.time_to_first_chunk"] == .doubleValue(0.25))
    #expect(attributes["gen_ai.usage.input_tokens"] == .intValue(10))
    #expect(attributes["gen_ai.usage.output_tokens"] == .intValue(5))
    #expect(attributes["gen_ai.usage.cache_read.input_tokens"] == .intValue(4))
    #expect(attributes["gen_ai.usage.reasoning.output_tokens"] == .intValue(2))
    #expect(attributes["gen_ai.conversation.id"] == .stringValue("T"))
    #expect(attributes["server.address"] == .stringValue("api.orq.ai"))
    #expect(attributes["server.port"] == .intValue(443))
    #expect(attributes["tapedeck.trace_id"] == .stringValue("01K8") && attributes["tapedeck.span_id"] == nil)
    guard case .arrayValue(let reasons)? = attributes["gen_ai.response.finish_reasons"] else {
      Issue.record("no finish reasons")
      return
    }
    #expect(reasons.values.map(\.stringValue) == ["stop", "length"])
  }

  @Test func whatIsNotKnownIsLeftOut() throws {
    let span = try Self.span("{\"call_id\":\"C\",\"usage\":null,\"choices\":[]}", Self.call(hasTimes: false))
    let attributes = Self.attributes(span)
    #expect(span.name == "chat" && span.startTimeUnixNano == span.endTimeUnixNano)
    #expect(attributes["gen_ai.provider.name"] == .stringValue("orq"))
    for key in attributes.keys {
      #expect(!key.hasPrefix("gen_ai.usage") && !key.hasPrefix("gen_ai.response"), "\(key)")
    }
    #expect(attributes["gen_ai.request.model"] == nil && attributes["gen_ai.conversation.id"] == nil)
  }

  @Test func aBodyThatIsNoStreamHasNoFirstChunk() throws {
    let span = try Self.span(shown, Self.call(type: "application/json"))
    #expect(Self.attributes(span)["gen_ai.response.time_to_first_chunk"] == nil)
  }

  @Test func reasoningOnTopBecomesPartOfTheOutput() throws {
    let usage =
      "{\"usage\":{\"prompt_tokens\":10,\"completion_tokens\":5,\"total_tokens\":22,\"cached_tokens\":null,\"reasoning_tokens\":7}}"
    let attributes = Self.attributes(try Self.span(usage))
    #expect(attributes["gen_ai.usage.output_tokens"] == .intValue(12))
    #expect(attributes["gen_ai.usage.cache_read.input_tokens"] == nil)
  }

  @Test(arguments: [
    (
      "{\"error\":{\"message\":\"no\",\"code\":\"rate_limit\"}}", CallState.upstreamError, Optional(429), "rate_limit",
      "no"
    ),
    ("{\"error\":{\"message\":\"no\",\"code\":1302}}", .upstreamError, 200, "1302", "no"),
    ("{\"error\":{\"message\":\"no\",\"code\":null}}", .upstreamError, 503, "503", "no"),
    ("{\"error\":null}", .upstreamCut, 200, "upstream_cut", "upstream_cut"),
    ("{\"error\":null}", .timeout, 200, "timeout", "timeout"),
    ("{\"error\":null}", .lost, nil, "lost", "lost"),
  ]) func aFailedCallIsAnError(shown: String, state: CallState, status: Int?, type: String, message: String) throws {
    let span = try Self.span(shown, Self.call(status: status), state: state)
    #expect(span.status.code == .error && span.status.message == message)
    #expect(Self.attributes(span)["error.type"] == .stringValue(type))
  }

  @Test(arguments: [CallState.done, .clientAbort])
  func aCallThatDidNotFailIsNone(state: CallState) throws {
    let span = try Self.span("{}", state: state)
    #expect(span.status.code == .unset && Self.attributes(span)["error.type"] == nil)
    #expect(Self.attributes(span)["tapedeck.state"] == .stringValue(state.rawValue))
  }

  @Test func contentIsThereOnlyWhenAskedFor() throws {
    let shown = """
      {"state":"done","request":{"system":"Be brief","messages":[{"role":"user","content":[{"type":"text","text":"secret?"},
      {"type":"image_url","image_url":{"url":"https://x/y.png"}}]},
      {"role":"assistant","content":null,"tool_calls":[{"id":"c1","function":{"name":"f","arguments":"{\\"a\\":1}"}}]},
      {"role":"tool","tool_call_id":"c1","content":"42"}],
      "tools":[{"type":"function","function":{"name":"f"}}]},
      "choices":[{"index":0,"role":"assistant","content":"secret!","reasoning":"hm","tool_calls":[],"image_urls":[],"finish_reason":null}]}
      """
    let plain = try Self.span(shown)
    #expect(!plain.textFormatString().contains("secret") && !plain.textFormatString().contains("Be brief"))
    let attributes = Self.attributes(try Self.span(shown, content: true))
    func json(_ key: String) -> String? { if case .stringValue(let text)? = attributes[key] { text } else { nil } }
    #expect(json("gen_ai.system_instructions") == "[{\"type\":\"text\",\"content\":\"Be brief\"}]")
    #expect(
      json("gen_ai.input.messages")
        == "[{\"role\":\"user\",\"parts\":[{\"type\":\"text\",\"content\":\"secret?\"},"
        + "{\"type\":\"uri\",\"modality\":\"image\",\"uri\":\"https://x/y.png\"}]},"
        + "{\"role\":\"assistant\",\"parts\":[{\"type\":\"tool_call\",\"id\":\"c1\",\"name\":\"f\",\"arguments\":{\"a\":1}}]},"
        + "{\"role\":\"tool\",\"parts\":[{\"type\":\"tool_call_response\",\"id\":\"c1\",\"response\":\"42\"}]}]")
    #expect(
      json("gen_ai.output.messages")
        == "[{\"role\":\"assistant\",\"parts\":[{\"type\":\"reasoning\",\"content\":\"hm\"},"
        + "{\"type\":\"text\",\"content\":\"secret!\"}],\"finish_reason\":\"done\"}]")
    #expect(json("gen_ai.tool.definitions") == "[{\"type\":\"function\",\"name\":\"f\"}]")
  }

  @Test(arguments: [
    ("/v2/router/chat/completions?x=1", "chat"), ("/v1/completions", "text_completion"),
    ("/v3/router/responses", "chat"),
    ("/v2/agents/a/responses", "invoke_agent"), ("/v1/models/g:generateContent", "generate_content"),
    ("/v1/embeddings/", "embeddings"), ("", "chat"),
  ]) func theOperationFollowsFromThePath(path: String, operation: String) {
    #expect(Conventions.operation(path: path, object: nil) == operation)
  }

  @Test(arguments: [
    ("https://api.orq.ai", "api.orq.ai", 443), ("http://[::1]:8080", "::1", 8080), ("http://x:81", "x", 81),
    ("http://x", "x", 80),
  ]) func theServerIsTheUpstream(origin: String, address: String, port: Int) {
    let server = Server(origin)
    #expect(server.address == address && server.port == port)
  }

  @Test func requestsAreBoundedAndJoinToOneMessage() throws {
    var batch = SpanBatch(service: "shop", version: "1", hasContent: false)
    var joined = Data()
    var sizes: [Int] = []
    let big = String(repeating: "x", count: 300_000)
    for index in 0..<1_200 {
      let id = index.isMultiple(of: 100) ? big : "R"
      let shown: JSONValue = ["call_id": .string("\(index)"), "response_id": .string(id)]
      if let request = try batch.add(Self.call(), shown: shown, state: .done) {
        joined += request.body
        sizes.append(request.spans)
        #expect(request.body.count < 1_500_000)
      }
    }
    let rest = try batch.take()
    let last = try #require(rest)
    joined += last.body
    sizes.append(last.spans)
    let none = try batch.take()
    #expect(none == nil)
    #expect(sizes.count > 3 && sizes.allSatisfy { $0 <= 512 } && sizes.reduce(0, +) == 1_200)
    let all = try Opentelemetry_Proto_Trace_V1_TracesData(serializedBytes: joined)
    #expect(all.resourceSpans.count == sizes.count)
    let spans = all.resourceSpans.flatMap { $0.scopeSpans.flatMap(\.spans) }
    let ids = spans.compactMap { Self.attributes($0)["tapedeck.call_id"] }
    #expect(ids == (0..<1_200).map { .stringValue(String($0)) })
    #expect(all.resourceSpans[0].resource.attributes.map(\.value.stringValue) == ["shop"])
  }
}
