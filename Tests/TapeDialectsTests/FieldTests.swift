import TapeDialects
import TapeJSON
import TapeTypes
import Testing

/// Every response field that is known, and one unknown beside each, survives into the generation.
@Suite struct FieldTests {
  private static let chunk = #"""
    {"id":"v-id","created":"v-created","object":"v-object","model":"v-model","provider":"v-provider","is_final":true,
    "integration_id":"v-integration","telemetry":{"trace_id":"v-trace","span_id":"v-span","new1":"v-new1"},
    "finalized":"v-finalized","system_fingerprint":"v-fingerprint","provider_response":{"raw":"v-raw"},
    "retrievals":[{"document":"v-document","metadata":{"file_name":"v-file","page_number":7,"file_type":"v-type",
    "search_score":0.91,"rerank_score":0.52,"new2":"v-new2"}}],
    "usage":{"total_tokens":130,"prompt_tokens":100,"completion_tokens":30,"new3":"v-new3",
    "prompt_tokens_details":{"cached_tokens":64,"new4":"v-new4"},
    "completion_tokens_details":{"reasoning_tokens":25,"new5":"v-new5"}},
    "choices":[{"index":3,"new6":"v-new6","finish_reason":"v-finish","message":{"type":"v-message-type","role":"v-role",
    "content":"v-content","url":"v-url","reasoning":"v-reasoning","reasoning_signature":"v-signature",
    "redacted_reasoning":"v-redacted","new7":{"deep":["v-new7"]},"tool_calls":[{"index":2,"id":"v-call","type":"v-call-type",
    "thought_signature":"v-thought","new8":"v-new8","function":{"name":"v-name","arguments":"v-arguments","new9":"v-new9"}}]}}],
    "new0":[1,{"a":"v-new0"}]}
    """#

  private var whole: Generation {
    generation(
      sse: "data: \(FieldTests.chunk.replacing("\n", with: ""))\n\ndata: [DONE]\n\n")
  }

  @Test func everyKnownFieldHasItsPlace() throws {
    let generation = whole
    #expect(generation.responseID == "v-id")
    #expect(generation.created == "v-created")
    #expect(generation.object == "v-object")
    #expect(generation.model == "v-model")
    #expect(generation.provider == "v-provider")
    #expect(generation.complete)
    #expect(generation.integrationID == "v-integration")
    #expect(generation.traceID == "v-trace")
    #expect(generation.spanID == "v-span")
    #expect(generation.finalized == "v-finalized")
    #expect(generation.systemFingerprint == "v-fingerprint")
    #expect(generation.usage == Usage(prompt: 100, completion: 30, total: 130, cached: 64, reasoning: 25, frame: 0))
    let choice = try #require(generation.choices.first)
    #expect(choice.index == 3 && choice.finishReason == "v-finish" && choice.type == "v-message-type")
    #expect(choice.role == "v-role" && choice.content == "v-content" && choice.imageURLs == ["v-url"])
    #expect(choice.reasoning == "v-reasoning" && choice.reasoningSignature == "v-signature")
    #expect(choice.redactedReasoning == "v-redacted")
    let tool = try #require(choice.toolCalls.first)
    #expect(
      tool.index == 2 && tool.id == "v-call" && tool.type == "v-call-type" && tool.thoughtSignature == "v-thought")
    #expect(tool.name == "v-name" && tool.arguments == "v-arguments")
    let metadata = try #require(generation.retrievals.first?["metadata"])
    #expect(generation.retrievals.first?["document"] == "v-document")
    for (key, value) in [
      ("file_name", "\"v-file\""), ("page_number", "7"), ("file_type", "\"v-type\""), ("search_score", "0.91"),
      ("rerank_score", "0.52"), ("new2", "\"v-new2\""),
    ] {
      #expect(metadata[key]?.compactString == value)
    }
  }

  @Test func everyUnknownFieldIsKeptWhereItCameFrom() throws {
    let want = #"""
      {"provider_response":{"raw":"v-raw"},"new0":[1,{"a":"v-new0"}],"telemetry":{"new1":"v-new1"},
      "usage":{"new3":"v-new3","prompt_tokens_details":{"new4":"v-new4"},"completion_tokens_details":{"new5":"v-new5"}},
      "choices":{"3":{"new6":"v-new6","message":{"new7":{"deep":["v-new7"]},
      "tool_calls":{"2":{"new8":"v-new8","function":{"new9":"v-new9"}}}}}}}
      """#
    #expect(sorted(whole.extra) == sorted(try json(want)))
  }

  @Test func everyLeafOfTheChunkIsSomewhereInTheGeneration() throws {
    let generation = whole
    let dump = String(describing: generation)
    for leaf in leaves(try json(FieldTests.chunk)) { #expect(dump.contains(leaf), "\(leaf)") }
  }

  @Test func valuesOfAnotherKindThanExpectedAreKeptToo() {
    let chunk =
      #"{"id":7,"model":{"a":1},"telemetry":"t","finalized":[1],"is_final":"yes","retrievals":"r","choices":[{"index":"x","finish_reason":5,"message":{"content":5,"role":[],"reasoning":{},"tool_calls":"t","url":1}}]}"#
    let generation = generation(sse: "data: \(chunk)\n\ndata: [DONE]\n\n")
    #expect(
      sorted(generation.extra)
        == sorted(
          (try? json(
            #"{"id":7,"model":{"a":1},"telemetry":"t","finalized":[1],"is_final":"yes","retrievals":"r","choices":{"0":{"index":"x","finish_reason":5,"message":{"content":5,"role":[],"reasoning":{},"tool_calls":"t","url":1}}}}"#
          )) ?? .null))
  }

  @Test func theLastValueOfAnUnknownFieldWinsAndNullErasesNothing() {
    let chunks = [#"{"x":1,"y":null}"#, #"{"x":2}"#, #"{"x":null}"#, #"{"\u0078":3,"x\"y":1}"#]
    let body = chunks.map { "data: \($0)\n\n" }.joined()
    #expect(generation(sse: body).extra["x"] == 3)
    #expect(generation(sse: body + "data: {\"x\":4}\n\n").extra["x"] == 4)
    #expect(generation(sse: body).extra.members?.map(\.key) == ["x", "x\"y", "_history"])
    #expect(generation(sse: body).extra["x\"y"] == 1)
  }

  @Test func theValuesThatAFieldHadBeforeAreKept() throws {
    let chunks = [
      #"{"x":1,"same":"s","id":7,"choices":[{"index":0,"message":{"n":"a","content":[{"text":"p","new":"q"}]}}]}"#,
      #"{"x":[2],"same":"s","id":{"a":8},"choices":[{"index":0,"message":{"n":"b","content":5}}]}"#,
      #"{"x":1,"same":"s","choices":[{"index":0,"message":{"n":"a","tool_calls":["t"]}}]}"#,
      #"{"x":3,"same":"s","choices":[{"index":0,"message":{"n":null}}]}"#,
    ]
    let extra = generation(sse: chunks.map { "data: \($0)\n\n" }.joined()).extra
    #expect(extra["x"] == 3 && extra["same"] == "s" && extra["choices"]?["0"]?["message"]?["n"] == "a")
    #expect(extra["choices"]?["0"]?["message"]?["tool_calls"]?["0"]?["value"] == "t")
    let want = #"""
      [{"path":["id"],"values":[7,{"a":8}]},{"path":["choices","0","message","content"],
      "values":[[{"text":"p","new":"q"}],5]},{"path":["choices","0","message","n"],"values":["a","b"]},
      {"path":["x"],"values":[1,[2],3]}]
      """#
    #expect(sortedByPath(extra["_history"]) == sortedByPath(try json(want)))
  }

  @Test func aValueBesideFieldsOfTheSameNameIsKept() throws {
    let body = [#"{"telemetry":"t","_history":1}"#, #"{"telemetry":{"new":1}}"#].map { "data: \($0)\n\n" }.joined()
    let want = #"{"telemetry":{"new":1},"_history":1,"__history":[{"path":["telemetry"],"values":["t"]}]}"#
    #expect(generation(sse: body).extra == (try json(want)))
  }

  @Test func theValuesThatAreKeptAreBounded() throws {
    let many = (0..<1_500).map { "data: {\"x\":\($0)}\n\n" }.joined()
    let counted = generation(sse: many).extra
    #expect(counted["x"] == 1_499)
    let history = try #require(counted["_history"]?.array?.first)
    #expect(history["values"]?.array == (0..<1_000).map { .int($0) })
    #expect(history["left_out"] == 500)

    let large = String(repeating: "y", count: 200_000)
    let heavy = (0..<8).map { "data: {\"a\":\"\($0)\(large)\",\"b\":\($0)}\n\n" }.joined()
    let weighed = generation(sse: heavy).extra
    #expect(weighed["a"]?.string?.hasPrefix("7") == true)
    let histories = try #require(weighed["_history"]?.array)
    #expect(histories.map { $0["values"]?.array?.count } == [5, 8])
    #expect(histories.map { $0["left_out"]?.integer } == [3, nil])
  }

  @Test func escapedKeysAreTheSameKeys() {
    let chunk =
      #"{"\u0069d":"r","choi\u0063es":[{"in\u0064ex":0,"mess\u0061ge":{"c\u006fntent":"a"}}],"us\u0061ge":{"prompt_t\u006fkens":1}}"#
    let generation = generation(sse: "data: \(chunk)\n\ndata: [DONE]\n\n")
    #expect(generation.responseID == "r" && generation.content == "a" && generation.usage?.prompt == 1)
    #expect(generation.extra == .object([]))
  }

  @Test func veryManyUnknownKeysAreReadInTime() {
    // Linear, not quadratic: this would take minutes otherwise.
    let chunk = "{" + (0..<20_000).map { "\"k\($0)\":\($0)" }.joined(separator: ",") + "}"
    let generation = generation(sse: "data: \(chunk)\n\n")
    #expect(generation.extra.members?.count == 20_000)
  }

  @Test func randomDamageNeverTraps() {
    var state: UInt64 = 7
    func next(_ bound: Int) -> Int {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Int((state >> 33) % UInt64(bound))
    }
    let chunk = Array("data: \(FieldTests.chunk.replacing("\n", with: ""))\n\ndata: [DONE]\n\n".utf8)
    for _ in 0..<3_000 {
      var body = chunk
      for _ in 0...next(4) {
        switch next(3) {
        case 0: body[next(body.count)] = UInt8(next(256))
        case 1: body.remove(at: next(body.count))
        default: body.insert(contentsOf: Array("\"{[:,\\u\r\n-1e9".utf8)[next(6)...], at: next(body.count))
        }
      }
      let generation = generation(of: call(body))
      #expect(generation.complete || !generation.defects.isEmpty)
    }
  }

  private func sortedByPath(_ histories: JSONValue?) -> [JSONValue] {
    (histories?.array ?? []).sorted { ($0["path"]?.compactString ?? "") < ($1["path"]?.compactString ?? "") }
  }

  private func leaves(_ value: JSONValue) -> [String] {
    switch value {
    case .string(let text): [text]
    case .number(let text): [text]
    case .array(let elements): elements.flatMap(leaves)
    case .object(let members): members.flatMap { leaves($0.value) }
    case .null, .bool: []
    }
  }

  private func sorted(_ value: JSONValue) -> JSONValue {
    guard let members = value.members else { return value }
    return .object(members.map { .init($0.key, sorted($0.value)) }.sorted { $0.key < $1.key })
  }
}
