import TapeJSON
import TapeTestSupport
import TapeTypes
import Testing

@testable import TapeDialects

@Suite struct DialectDetectionTests {
  @Test(arguments: [
    ("/v2/deployments/stream", "orq"), ("/gateway/v2/deployments/invoke?x=1", "orq"),
    ("/v1/chat/completions", "openai_chat"), ("/v3/router/chat/completions", "openai_chat"),
    ("/openai/deployments/gpt-4o/chat/completions?api-version=1", "openai_chat"), ("/v1/completions", "openai_chat"),
    ("/v1/responses", "openai_responses"), ("/v3/router/responses?x", "openai_responses"),
    ("/v2/agents/KEY/responses", "unknown"), ("/v1/messages", "anthropic"), ("/v1/messages?beta=true", "anthropic"),
    ("/v1/threads/t/messages", "unknown"), ("/v1/messages/count_tokens", "unknown"),
    ("/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse", "gemini"),
    ("/v1beta/models/gemini-2.5-flash%3AgenerateContent", "gemini"),
    ("/v1/projects/p/locations/l/publishers/google/models/m:streamGenerateContent", "gemini"),
    ("/generateContent", "unknown"), ("/api/generate", "unknown"), ("", "unknown"), ("messages", "unknown"),
  ])
  func thePathNamesTheDialect(path: String, name: String) {
    #expect(Dialect(path: path).rawValue == name)
  }

  @Test(arguments: [
    (#"{"choices":[{"delta":{}}]}"#, "openai_chat"), (#"{"choices":[{"message":{}}]}"#, "orq"),
    (#"{"choices":[{"text":"x"}],"object":"text_completion"}"#, "openai_chat"), (#"{"choices":[]}"#, nil),
    (#"{"telemetry":{}}"#, "orq"), (#"{"type":"message_start","message":{}}"#, "anthropic"),
    (#"{"type":"message_stop"}"#, "anthropic"), (#"{"type":"ping"}"#, nil), (#"{"type":"error","error":{}}"#, nil),
    (#"{"type":"message","content":"x"}"#, nil), (#"{"type":"message","content":[]}"#, "anthropic"),
    (#"{"type":"response.created","response":{}}"#, "openai_responses"), (#"{"type":"response.x"}"#, nil),
    (#"{"type":"response.x","sequence_number":1}"#, "openai_responses"),
    (#"{"object":"response","output":[]}"#, "openai_responses"), (#"{"candidates":[]}"#, "gemini"),
    (#"{"usageMetadata":{}}"#, "gemini"), (#"{"promptFeedback":{}}"#, "gemini"),
    (#"{"response":{"candidates":[]}}"#, "gemini"), (#"{"candidates":7}"#, nil), ("[]", nil), ("x", nil),
    (#"{"type":"message_start","message":{}"#, nil),
  ])
  func aChunkShowsItsDialect(chunk: String, name: String?) {
    #expect(Array(chunk.utf8).withUnsafeBytes { Dialect(shownBy: $0)?.rawValue } == name)
  }

  @Test(arguments: [
    ("https://api.openai.com", "/v1/chat/completions", "gpt-4o", "openai"),
    ("https://api.groq.com:443/openai", "/v1/chat/completions", "llama", nil as String?),
    ("https://api.groq.com", "/openai/v1/chat/completions", "llama", "groq"),
    ("https://mine.openai.azure.com", "/openai/chat/completions", "gpt-4o", "azure"),
    ("http://127.0.0.1:8000", "/v1/chat/completions", "gpt-4o", nil),
    ("https://notapi.openai.com.example", "/v1/chat/completions", "gpt-4o", nil),
    ("https://openrouter.ai", "/api/v1/chat/completions", "anthropic/claude-sonnet-4.5", "anthropic"),
    ("http://127.0.0.1:8000", "/v1/chat/completions", "mine/own", nil),
  ])
  func theProviderIsTheModelsOrTheHosts(upstream: String, path: String, model: String, provider: String?) {
    var call = call(
      Array(
        #"data: {"object":"chat.completion.chunk","model":"\#(model)","choices":[{"delta":{"content":"x"}}]}"#.utf8)
        + Array("\n\n".utf8), path: path)
    call.open.upstream = upstream
    #expect(generation(of: call).provider == provider)
  }

  /// What streams say of themselves goes before what is worked out.
  @Test func theStreamsOwnProviderGoesFirst() {
    var call = call(
      Array(#"data: {"model":"anthropic/x","provider":"DeepInfra","choices":[{"delta":{"content":"x"}}]}"#.utf8)
        + Array("\n\n".utf8), path: "/api/v1/chat/completions")
    call.open.upstream = "https://openrouter.ai"
    #expect(generation(of: call).provider == "DeepInfra")
  }
}

/// Streams of all dialects, damaged: their outlines say what their frames say, and nothing is silently whole.
@Suite struct DamagedDialectTests {
  @Test(arguments: 0..<16)
  func damagedStreamsSayTheSame(part: Int) {
    var read = 0
    let vectors = DialectVector.all.filter { $0.json["frames"] != nil }
    for seed in UInt64(part * 100)..<UInt64(part * 100 + 100) {
      var random = SeededNumbers(seed &* 0x9E37)
      let vector = vectors[Int.random(in: 0..<vectors.count, using: &random)]
      let call = damaged(vector.call, &random)
      let expected = generation(of: call, withExtra: false)
      #expect(expected.complete || !expected.defects.isEmpty, "\(vector.testDescription), seed \(seed)")
      #expect(generation(of: call).defects == expected.defects)
      for variant: UInt64 in 0..<4 {
        var maker = OutlineMaker(call, seed: seed &* 4 &+ variant, splits: variant > 0)
        guard let outlined = generation(of: maker.outline()) else { continue }
        read += 1
        #expect(outlined == expected, "\(vector.testDescription), seed \(seed), templates \(variant)")
      }
    }
    // Else this would say nothing.
    #expect(read > 20)
  }

  private func damaged(_ call: RecordedCall, _ random: inout SeededNumbers) -> RecordedCall {
    var frames = (0..<call.frameCount).map { Array(call.raw[call.frameRange($0)]) }
    for _ in 0..<Int.random(in: 0...3, using: &random) {
      guard !frames.isEmpty else { break }
      let index = Int.random(in: 0..<frames.count, using: &random)
      switch Int.random(in: 0..<6, using: &random) {
      case 0: frames.remove(at: index)
      case 1: frames.insert(contentsOf: Array(repeating: frames[index], count: 3), at: index)
      case 2: frames.swapAt(index, Int.random(in: 0..<frames.count, using: &random))
      case 3: frames.removeLast(frames.count - index)
      case 4:
        // The last frame is cut off.
        frames.removeLast(frames.count - index - 1)
        frames[index].removeLast(Int.random(in: 1...frames[index].count, using: &random))
        if frames[index].isEmpty { frames.removeLast() }
      default:
        // A byte is another one.
        let place = Int.random(in: 0..<frames[index].count, using: &random)
        frames[index][place] = random.pick([0x20, 0x22, 0x30, 0x39, 0x5B, 0x5C, 0x61, 0x7D])
      }
    }
    var damaged = call
    damaged.raw = frames.flatMap { $0 }
    damaged.frameEnds = []
    damaged.frameOffsetsNs = []
    for frame in frames {
      damaged.frameEnds.append((damaged.frameEnds.last ?? 0) + frame.count)
      damaged.frameOffsetsNs.append(Int64(damaged.frameEnds.count))
    }
    damaged.end?.cause = random.pick([.endOfBody, .endOfBody, .upstreamClosed, .clientClosed])
    return damaged
  }
}
