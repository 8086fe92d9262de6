import Foundation
import TapeDialects
import TapeJSON
import TapeTypes
import Testing

/// One case of `Tests/Vectors/orq.json`.
struct OrqVector: Sendable, CustomTestStringConvertible {
  var name: String
  var contentMode: String
  var requestBody: JSONValue
  var sse: [UInt8]
  var expected: JSONValue

  var testDescription: String { name }

  static let all: [OrqVector] = load()

  private static func load() -> [OrqVector] {
    let url = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../Vectors/orq.json")
    guard let data = try? Data(contentsOf: url), let file = try? JSONValue(parsing: [UInt8](data)) else { return [] }
    return (file["vectors"]?.array ?? []).map { json in
      OrqVector(
        name: json["name"]?.string ?? "?", contentMode: json["content_mode"]?.string ?? "?",
        requestBody: json["request_body"] ?? .null,
        sse: [UInt8](Data(base64Encoded: json["sse_base64"]?.string ?? "") ?? Data()),
        expected: json["expected"] ?? .null)
    }
  }
}

/// The vectors mean bytes, Swift's == means "looks the same".
private func same(_ got: String?, _ want: JSONValue?) -> Bool {
  got.map { Array($0.utf8) } == want?.string.map { Array($0.utf8) }
}

@Suite struct OrqVectorTests {
  @Test func theVectorsAreThere() { #expect(OrqVector.all.count == 28) }

  @Test(arguments: OrqVector.all)
  func everyVectorIsRebuiltAsItSays(vector: OrqVector) {
    let generation = generation(of: call(vector.sse, request: vector.requestBody.compactString))
    let want = vector.expected
    #expect(same(generation.responseID, want["id"]))
    #expect(same(generation.traceID, want["trace_id"]))
    #expect(same(generation.spanID, want["span_id"]))
    #expect(same(generation.model, want["model"]))
    #expect(same(generation.provider, want["provider"]))
    #expect(generation.contentMode.rawValue == vector.contentMode)
    #expect(generation.complete == want["complete"]?.bool)
    #expect(generation.retrievals.count == want["retrievals_count"]?.integer)
    expectUsage(generation.usage, want["usage"])
    let messages = want["messages"]?.array ?? []
    #expect(generation.choices.count == messages.count)
    for (choice, message) in zip(generation.choices, messages) { expect(choice, message) }
    if want["error"]?.isNull == false {
      #expect(!generation.defects.isEmpty || generation.error != nil)
    } else {
      #expect(generation.error == nil)
    }
    #expect(generation.complete || !generation.defects.isEmpty, "an incomplete call has a defect")
  }

  @Test(arguments: [
    ("cut_mid_frame", Defect.Kind.truncated, nil as String?),
    ("midstream_error_frame", .errorFrame, "Rate limit exceeded"),
    ("midstream_error_then_done", .errorFrame, "Internal error"), ("frame_not_json", .badFrame, nil),
    ("json_body_no_sse", .notSSE, "Unauthorized"), ("reasoning_before_content", .modelChanged, nil),
  ])
  func defectsHaveTheKindAndTheMessage(name: String, kind: Defect.Kind, message: String?) throws {
    let vector = try #require(OrqVector.all.first { $0.name == name })
    let generation = generation(of: call(vector.sse))
    #expect(generation.has(kind))
    #expect(generation.error?.message == message)
  }

  private func expectUsage(_ usage: Usage?, _ want: JSONValue?) {
    #expect((usage == nil) == (want?.isNull ?? true))
    #expect(usage?.prompt == want?["prompt"]?.integer)
    #expect(usage?.completion == want?["completion"]?.integer)
    #expect(usage?.total == want?["total"]?.integer)
    #expect(usage?.cached == want?["cached"]?.integer)
    #expect(usage?.reasoning == want?["reasoning"]?.integer)
  }

  private func expect(_ choice: Choice, _ want: JSONValue) {
    #expect(choice.index == want["index"]?.integer)
    #expect(same(choice.role, want["role"]))
    #expect(same(choice.content, want["content"]))
    #expect(same(choice.reasoning, want["reasoning"]))
    #expect(same(choice.reasoningSignature, want["reasoning_signature"]))
    #expect(same(choice.redactedReasoning, want["redacted_reasoning"]))
    #expect(same(choice.finishReason, want["finish_reason"]))
    #expect(choice.imageURLs == want["image_urls"]?.array?.compactMap(\.string))
    let tools = want["tool_calls"]?.array ?? []
    #expect(choice.toolCalls.count == tools.count)
    for (call, tool) in zip(choice.toolCalls, tools) {
      #expect(call.index == tool["index"]?.integer)
      #expect(same(call.id, tool["id"]))
      #expect(same(call.name, tool["name"]))
      #expect(same(call.arguments, tool["arguments"]))
    }
  }
}
