import Foundation
import TapeJSON
import TapeSSE
import TapeTypes
import Testing

@testable import TapeDialects

/// One case of `Tests/Vectors/dialects.json`.
struct DialectVector: Sendable, CustomTestStringConvertible {
  var json: JSONValue

  var testDescription: String { json["name"]?.string ?? "?" }
  var want: JSONValue { json["want"] ?? .null }

  static let all: [DialectVector] = {
    let url = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../Vectors/dialects.json")
    guard let data = try? Data(contentsOf: url), let file = try? JSONValue(parsing: [UInt8](data)) else { return [] }
    return (file["vectors"]?.array ?? []).map { DialectVector(json: $0) }
  }()

  /// The call as the archive would give it back.
  var call: RecordedCall {
    var call = RecordedCall(
      open: CallOpen(
        id: CallID(high: 1, low: 1), startedAtNs: 0, origin: .proxy, upstream: json["upstream"]?.string ?? "",
        path: json["path"]?.string ?? "", salt: []))
    call.head = CallHead(
      offsetNs: 1, status: json["status"]?.integer ?? 0,
      headers: [HeaderField("Content-Type", json["content_type"]?.string ?? "")])
    let frames = json["frames"]?.array?.compactMap(\.string) ?? [json["body"]?.string ?? ""]
    for (index, frame) in frames.enumerated() {
      call.raw += Array(frame.utf8)
      call.frameEnds.append(call.raw.count)
      call.frameOffsetsNs.append(Int64(index) * 10)
    }
    let cause = CallEnd.Cause(rawValue: json["end"]?.string ?? "") ?? .endOfBody
    call.end = CallEnd(offsetNs: 9, cause: cause, frames: call.frameCount, bytes: call.raw.count, sha256: nil)
    return call
  }
}

@Suite struct DialectVectorTests {
  @Test func theVectorsAreThere() {
    #expect(DialectVector.all.count >= 70)
    for dialect in Dialect.allCases where dialect != .orq {
      #expect(DialectVector.all.contains { $0.want["dialect"]?.string == dialect.rawValue })
    }
  }

  @Test(arguments: DialectVector.all)
  func everyVectorIsRebuiltAsItSays(vector: DialectVector) {
    let (call, want) = (vector.call, vector.want)
    let generation = generation(of: call)
    #expect(generation.dialect.rawValue == want["dialect"]?.string)
    #expect(generation.responseID == want["response_id"]?.string)
    #expect(generation.object == (want["object"]?.string ?? generation.object))
    #expect(generation.created == want["created"]?.string)
    #expect(generation.model == want["model"]?.string)
    #expect(generation.provider == want["provider"]?.string)
    #expect(generation.complete == want["complete"]?.bool)
    #expect(generation.contentMode.rawValue == want["content_mode"]?.string)
    let state = CallState(
      head: call.head, end: call.end, isLive: false, isComplete: generation.complete,
      hasErrorFrame: generation.hasErrorFrame)
    #expect(state.rawValue == want["state"]?.string)
    #expect(generation.defects.map(\.kind.rawValue).sorted() == want["defects"]?.array?.compactMap(\.string).sorted())
    #expect(.array(generation.choices.map(shown)) == sorted(want["choices"] ?? .null))
    #expect(shown(generation.usage) == want["usage"])
    #expect((generation.usage?.contradiction != nil) == (want["usage_contradiction"]?.bool ?? false))
    #expect(shown(generation.error) == want["error"])
    if let frame = want["first_content_frame"]?.integer { #expect(generation.firstContentFrame == frame) }
    if let extra = want["extra"] { #expect(sorted(withoutHistory(generation.extra)) == sorted(extra)) }
    for member in want["extra_has"]?.members ?? [] {
      #expect(generation.extra[member.key].map(sorted) == sorted(member.value), "\(generation.extra.compactString)")
    }
  }

  /// As `Tests/Vectors/dialects.json` has them.
  private func shown(_ choice: Choice) -> JSONValue {
    sorted([
      "index": .int(choice.index), "role": .string(choice.role), "content": .string(choice.content),
      "reasoning": .string(choice.reasoning), "reasoning_signature": .string(choice.reasoningSignature),
      "redacted_reasoning": .string(choice.redactedReasoning), "refusal": .string(choice.refusal),
      "tool_calls": .array(choice.toolCalls.map(shown)), "image_urls": .array(choice.imageURLs.map { .string($0) }),
      "finish_reason": .string(choice.finishReason),
    ])
  }

  private func shown(_ call: ToolCall) -> JSONValue {
    var members: [JSONValue.Member] = [
      .init("index", .int(call.index)), .init("id", .string(call.id)), .init("name", .string(call.name)),
      .init("arguments", .string(call.arguments)),
    ]
    if let type = call.type { members.append(.init("type", .string(type))) }
    if let signature = call.thoughtSignature { members.append(.init("thought_signature", .string(signature))) }
    return .object(members)
  }

  private func shown(_ usage: Usage?) -> JSONValue {
    guard let usage else { return .null }
    return [
      "prompt_tokens": .int(usage.prompt), "completion_tokens": .int(usage.completion),
      "total_tokens": .int(usage.total), "cached_tokens": .int(usage.cached),
      "reasoning_tokens": .int(usage.reasoning), "frame": .int(usage.frame),
    ]
  }

  private func shown(_ error: GenerationError?) -> JSONValue {
    guard let error else { return .null }
    return ["message": .string(error.message), "code": error.code ?? .null, "frame": .int(error.frame)]
  }

  private func withoutHistory(_ extra: JSONValue) -> JSONValue {
    .object((extra.members ?? []).filter { $0.key != "_history" })
  }

  private func sorted(_ value: JSONValue) -> JSONValue {
    switch value {
    case .object(let members):
      .object(members.map { .init($0.key, sorted($0.value)) }.sorted { $0.key < $1.key })
    case .array(let elements): .array(elements.map(sorted))
    default: value
    }
  }

  // MARK: Other ways to the same

  @Test(arguments: DialectVector.all)
  func theOutlineSaysWhatTheFramesSay(vector: DialectVector) {
    let call = vector.call
    let expected = generation(of: call, withExtra: false)
    for seed: UInt64 in 0..<30 {
      var maker = OutlineMaker(call, seed: seed, splits: seed % 3 > 0)
      if let read = generation(of: maker.outline()) { #expect(read == expected, "seed \(seed)") }
    }
  }

  /// A long answer of one text is read from its outline, without its frames.
  @Test(arguments: [
    "anthropic_text", "anthropic_thinking", "anthropic_tool_use", "responses_text", "responses_function_call",
  ])
  func usualStreamsAreReadFromTheirOutline(name: String) throws {
    let vector = try #require(DialectVector.all.first { $0.testDescription == name })
    var maker = OutlineMaker(vector.call, seed: 0, holes: 100, splits: true)
    let read = try #require(generation(of: maker.outline()))
    #expect(read == generation(of: vector.call, withExtra: false))
  }

  /// What a live call shows after every frame is what the frames so far make, and nothing is missing yet.
  @Test(arguments: DialectVector.all)
  func everyBeginningIsASnapshot(vector: DialectVector) {
    let call = vector.call
    var reconstructor = Reconstructor(open: call.open, head: call.head)
    var text = 0
    for index in 0..<call.frameCount {
      call.raw.withUnsafeBytes { raw in
        reconstructor.consume(frame: UnsafeRawBufferPointer(rebasing: raw[call.frameRange(index)]), offsetNs: nil)
      }
      let snapshot = reconstructor.snapshot()
      #expect(!snapshot.defects.contains { $0.kind == .noFinal || $0.kind == .truncated })
      if snapshot.dialect != .unknown {
        let count = snapshot.choices.reduce(0) { $0 + ($1.content?.utf8.count ?? 0) }
        #expect(count >= text)
        text = count
      }
    }
  }

  @Test(arguments: DialectVector.all)
  func thePiecesOfTheFramesAreTheWhole(vector: DialectVector) {
    let call = vector.call
    let whole = generation(of: call)
    guard whole.dialect != .unknown else { return }
    var texts = FrameTexts(of: call)
    var content: [Int: String] = [:]
    for index in 0..<call.frameCount {
      for piece in texts.pieces(ofFrame: index) { content[piece.choice, default: ""] += piece.content }
    }
    // A whole body is read when all of it is there.
    guard vector.json["frames"] != nil else { return }
    for choice in whole.choices where !(choice.content ?? "").contains("🌊") {
      let text = (choice.content ?? "") + (choice.refusal ?? "")
      #expect((content[choice.index] ?? "").utf8.count == text.utf8.count)
    }
  }
}
