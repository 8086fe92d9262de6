import TapeDialects
import TapeJSON
import TapeTypes
import Testing

@Suite struct WholeBodyTests {
  private let orq = #"""
    {"id":"r1","created":"2026-11-20T12:00:00Z","object":"chat","model":"gpt-4o","provider":"openai",

    "is_final":true,"telemetry":{"trace_id":"t","span_id":"s"},"finalized":"2026-11-20T12:00:02Z",
    "usage":{"prompt_tokens":10,"completion_tokens":3,"total_tokens":13},
    "choices":[{"index":0,"message":{"type":"content","role":"assistant","content":"Hello\n\nyou"},"finish_reason":"stop"}]}
    """#

  @Test(arguments: ["application/json", "application/json; charset=utf-8", "text/event-stream", nil])
  func aWholeGenerationIsReadLikeAStream(contentType: String?) {
    let generation = generation(of: call(Array(orq.utf8), path: "/v2/deployments/invoke", contentType: contentType))
    #expect(generation.content == "Hello\n\nyou")
    #expect(generation.usage == Usage(prompt: 10, completion: 3, total: 13, frame: 0))
    #expect(generation.traceID == "t" && generation.choices[0].finishReason == "stop")
    #expect(generation.complete && generation.defects.isEmpty)
    #expect(generation.dialect == .orq)
  }

  @Test func anOpenAICompletionIsReadToo() {
    let body = #"""
      {"id":"chatcmpl-1","object":"chat.completion","created":1700000000,"model":"gpt-4o","choices":[{"index":0,
      "message":{"role":"assistant","content":"Hi","refusal":null},"logprobs":null,"finish_reason":"stop"}],
      "usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3,"prompt_tokens_details":{"cached_tokens":0,"audio_tokens":4}},
      "service_tier":"default"}
      """#
    let generation = generation(
      of: call(Array(body.utf8), path: "/v1/chat/completions", contentType: "application/json"))
    #expect(generation.content == "Hi" && generation.complete)
    #expect(generation.dialect == .openAIChat)
    #expect(generation.created == "1700000000")
    #expect(generation.usage == Usage(prompt: 1, completion: 2, total: 3, cached: 0, frame: 0))
    #expect(generation.extra["service_tier"] == "default")
    #expect(generation.extra["usage"]?["prompt_tokens_details"]?["audio_tokens"] == 4)
  }

  @Test func oldCompletionsHaveTheirTextInTheChoice() {
    let body = #"{"object":"text_completion","choices":[{"index":0,"text":"Hi","finish_reason":"stop"}]}"#
    #expect(
      generation(of: call(Array(body.utf8), path: "/v1/completions", contentType: "application/json")).content == "Hi")
  }

  @Test func otherJSONAnswersAreCompleteAndKept() {
    let body = #"{"object":"list","data":[1],"usage":{"prompt_tokens":4,"total_tokens":4}}"#
    let generation = generation(of: call(Array(body.utf8), path: "/v1/embeddings", contentType: "application/json"))
    #expect(generation.complete && generation.defects.isEmpty)
    #expect(generation.usage?.prompt == 4 && generation.usage?.completion == nil)
    #expect(generation.extra["data"] == [1])
  }

  @Test(arguments: [
    ("<html><title>Hi</title></html>", "text/html"), ("{\"choices\":[", "application/json"), ("hello", "text/plain"),
    ("[1,2]", "application/json"), ("{\"foo\":1}", nil), ("oops", "text/event-stream"),
    (#"{"detail":"Nope"}"#, "application/json"), ("{}", "application/json"), (#"{"status":"ok"}"#, "application/json"),
    (#"{"choices":[]}"#, "application/json"), (#"{"id":"r1","object":"chat"}"#, "application/json"),
    (#"{"choices":[],"usage":{"prompt_tokens":1}}"#, "application/json"), (#"{"choices":null}"#, "application/json"),
  ])
  func anythingElseIsNoEventStream(body: String, type: String?) {
    for path in ["/v2/deployments/invoke", "/v1/chat/completions", ""] {
      let generation = generation(of: call(Array(body.utf8), path: path, contentType: type))
      #expect(generation.has(.notSSE))
      #expect(!generation.complete)
    }
  }

  @Test(arguments: [
    #"{"choices":[{"index":0,"message":{"role":"assistant","content":"Hi"}}]}"#, #"{"id":"r1","is_final":true}"#,
    #"{"choices":[{"index":0,"text":"Hi"}]}"#, #"{"choices":[{"message":{"tool_calls":[]}}],"is_final":false}"#,
  ])
  func aBodyWithAChoiceOrThatIsFinalIsComplete(body: String) {
    for path in ["/v2/deployments/invoke", "/v1/chat/completions", ""] {
      let generation = generation(of: call(Array(body.utf8), path: path, contentType: "application/json"))
      #expect(generation.complete && generation.defects.isEmpty)
    }
  }

  @Test func anErrorWithStatus200IsAnError() {
    let body = Array(#"{"code":401,"error":"Unauthorized"}"#.utf8)
    for type in ["application/json", "text/event-stream", nil] {
      let generation = generation(of: call(body, contentType: type))
      #expect(generation.error?.message == "Unauthorized")
      #expect(generation.hasErrorFrame && generation.has(.notSSE) && !generation.complete)
    }
  }

  @Test func anEventStreamUnderAnotherContentTypeIsStillRead() {
    let body = Array(stream(pieces: ["a", "b"]).utf8)
    let generation = generation(of: call(body, contentType: "application/json"))
    #expect(generation.content == "ab")
    #expect(generation.complete && !generation.has(.notSSE))
  }

  @Test func openAIStreamsGiveTextToolCallsAndUsage() {
    let body = [
      #"{"id":"c1","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}"#,
      #"{"id":"c1","choices":[{"index":0,"delta":{"content":"Hel"},"finish_reason":null}],"obfuscation":"x1"}"#,
      #"{"id":"c1","choices":[{"index":0,"delta":{"content":"lo","reasoning_content":"why"}}],"obfuscation":"x2"}"#,
      #"{"id":"c1","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"t","type":"function","function":{"name":"f","arguments":"{}"}}]},"finish_reason":"tool_calls"}]}"#,
      #"{"id":"c1","choices":[{"index":0,"delta":{"refusal":"I "}},{"index":0,"delta":{"refusal":"won't"}}]}"#,
      #"{"id":"c1","choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}}"#,
    ].map { "data: \($0)\n\n" }.joined()
    for path in ["/v2/router/chat/completions", ""] {
      let generation = generation(sse: body + "data: [DONE]\n\n", path: path)
      #expect(generation.dialect == .openAIChat)
      #expect(generation.content == "Hello" && generation.choices[0].reasoning == "why")
      #expect(generation.choices[0].toolCalls.first?.name == "f")
      #expect(generation.usage?.total == 3)
      #expect(generation.complete && generation.defects.isEmpty)
      #expect(generation.extra["obfuscation"] == "x2")
      #expect(generation.choices[0].refusal == "I won't")
    }
  }
}
