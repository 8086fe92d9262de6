import TapeRecorder
import Testing

struct GenerationEndpointsTests {
  @Test(arguments: [
    "/v2/deployments/stream", "/v2/deployments/invoke", "/prefix/v2/deployments/stream?x=1", "/deployments/stream/",
    "/v2/router/chat/completions", "/v3/router/responses", "/v2/router/completions", "/v2/agents/my-key/responses",
    "/v2/agents/stream-run", "/v1/messages", "/v1beta/models/gemini:generateContent",
    "/v1beta/models/gemini:streamGenerateContent?alt=sse", "/v1beta/models/gemini%3AstreamGenerateContent",
  ])
  func generationsAreTaped(_ target: String) {
    #expect(GenerationEndpoints.contains(method: "POST", target: target))
    #expect(!GenerationEndpoints.contains(method: "GET", target: target))
  }

  @Test(arguments: [
    "/v2/deployments", "/v2/deployments/streams", "/v1/models", "/v1/messages/count_tokens", "/v1/embeddings",
    "/x?y=/v2/deployments/stream", "/", "/mycompletions", "/v2/files",
  ])
  func otherCallsPass(_ target: String) {
    #expect(!GenerationEndpoints.contains(method: "POST", target: target))
  }
}
