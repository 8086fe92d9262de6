import TapeJSON
import TapeQuery
import TapeTestSupport
import TapeTypes
import Testing

@Suite struct CallDiffTests {
  /// The first call beside the second.
  private func diff(_ a: TestCall, _ b: TestCall) throws -> JSONValue {
    let (test, engine) = try engine([a, b])
    defer { withExtendedLifetime(test) {} }
    let entries = try [a, b].map { try engine.resolve($0.id.description) }
    return try engine.diff(
      (engine.recorded(entries[0]), entries[0]), (engine.recorded(entries[1]), entries[1]))
  }

  private func marked(_ text: JSONValue?) -> String? {
    text?["parts"]?.array?.map { part in
      let marks =
        ["same": ("", ""), "removed": ("[-", "-]"), "added": ("{+", "+}")][part["op"]?.plain ?? ""] ?? ("?", "?")
      return marks.0 + (part["text"]?.plain ?? "") + marks.1
    }.joined()
  }

  @Test func textsAreComparedWordByWord() throws {
    let value = try diff(
      .text(1, startedAt: noon, ["Hello ", "old ", "world"], usage: TestUsage(10, 3)),
      .text(
        2, startedAt: noon + second, ["Hello new world"], request: request("ada"), usage: TestUsage(10, 8, cached: 4)))
    #expect(value["same"] == false && value["choices"]?.array?.count == 1)
    #expect(marked(value["choices"]?.array?.first?["content"]) == "Hello [-old-]{+new+} world")
    #expect(value["choices"]?.array?.first?["reasoning"] == .null)
    #expect(value["request"]?.compactString == #"{"same":false,"differs":["key","messages","identity"]}"#)
    #expect(
      value["usage"]?["difference"]?.compactString
        == #"{"prompt_tokens":0,"completion_tokens":5,"total_tokens":5,"cached_tokens":null,"reasoning_tokens":null}"#)
    #expect(value["cost"]?.compactString == #"{"a_usd":"0.000055","b_usd":"0.0001","difference_usd":"0.000045"}"#)
  }

  @Test func theSameIsTheSame() throws {
    let value = try diff(.tools(1, startedAt: noon), .tools(2, startedAt: noon + second))
    #expect(value["same"] == true && value["request"]?["same"] == true)
    #expect(value["choices"]?.array?.first?["tool_calls"]?.array?.map { $0["op"]?.plain } == ["same", "same"])
    #expect(value["timings"]?["difference"]?["first_content_ms"]?.integer == 0)
  }

  @Test func oneMayHaveNoText() throws {
    let value = try diff(.text(1, startedAt: noon, ["Hi there"]), .tools(2, startedAt: noon + second))
    let choice = value["choices"]?.array?.first
    #expect(marked(choice?["content"]) == "[-Hi there-]")
    #expect(choice?["tool_calls"]?.array?.map { $0["op"]?.plain } == ["added", "added"])
    #expect(choice?["finish_reason"] == ["a": "stop", "b": "tool_calls"])
    let refused = try diff(.refused(1, startedAt: noon), .text(2, startedAt: noon + second))
    #expect(marked(refused["choices"]?.array?.first?["content"]) == "{+Hello+}" && refused["same"] == false)
    #expect(refused["usage"]?["a"] == .null && refused["timings"]?["difference"]?["first_content_ms"] == .null)
    let neither = try diff(.refused(1, startedAt: noon), .refused(2, startedAt: noon + second))
    #expect(neither["choices"] == [] && neither["same"] == true)
  }

  @Test func toolCallsAreComparedByNameAndArguments() throws {
    func tools(_ number: Int, _ calls: [(String, String)]) -> TestCall {
      var call = TestCall(number, startedAt: noon + Int64(number) * second)
      for (index, (name, arguments)) in calls.enumerated() {
        let text = JSONValue.string(arguments).compactString
        call.addChunk(
          #""choices":[{"index":0,"message":{"type":"tool_calls","tool_calls":[{"index":\#(index),"function":{"name":"\#(name)","arguments":\#(text)}}]}}]"#
        )
      }
      call.add("data: [DONE]\n\n")
      return call
    }
    let value = try diff(
      tools(1, [("f", #"{"a": 1, "b": 2}"#), ("g", "{}"), ("h", #"{"city":"Utrecht"}"#)]),
      tools(2, [("f", #"{"b":2,"a":1}"#), ("h", #"{"city":"Paris"}"#), ("i", "not json")]))
    let tools = value["choices"]?.array?.first?["tool_calls"]?.array ?? []
    #expect(
      tools.map { "\($0["op"]?.plain ?? "") \($0["name"]?.plain ?? "")" } == [
        "same f", "removed g", "changed h", "added i",
      ])
    #expect(marked(tools[2]["arguments"]) == #"{"city":"[-Utrecht-]{+Paris+}"}"#)
  }

  @Test func gapsAreCountedBySize() throws {
    func call(_ number: Int, _ gaps: [Int64]) -> TestCall {
      var call = TestCall(number, startedAt: noon + Int64(number) * second)
      for gap in [5] + gaps { call.addText("x", gapMs: gap) }
      return call
    }
    let value = try diff(call(1, [0, 1, 20, 20, 49, 50]), call(2, [6_000]))
    let rows = (value["gaps"]?["histogram"]?.array ?? []).map(\.compactString)
    #expect(rows.count == 13)
    #expect(rows[0] == #"{"from_ms":0,"to_ms":1,"a":1,"b":0}"# && rows[1] == #"{"from_ms":1,"to_ms":2,"a":1,"b":0}"#)
    #expect(
      rows[5] == #"{"from_ms":20,"to_ms":50,"a":3,"b":0}"# && rows[6] == #"{"from_ms":50,"to_ms":100,"a":1,"b":0}"#)
    #expect(rows[12] == #"{"from_ms":5000,"to_ms":null,"a":0,"b":1}"#)
    #expect(
      value["gaps"]?["a"]?.compactString
        == #"{"count":6,"p50_ms":20,"p90_ms":50,"p95_ms":50,"p99_ms":50,"longest_ms":50}"#)
    #expect(value["gaps"]?["difference"]?["p50_ms"]?.integer == 5_980)
  }

  @Test func withoutTimesThereIsNothingToCompare() throws {
    var untimed = TestCall.text(1, startedAt: noon)
    untimed.hasTimes = false
    let value = try diff(untimed, .text(2, startedAt: noon + second))
    #expect(value["same"] == true)
    #expect(value["timings"]?["difference"]?.members?.allSatisfy { $0.value == .null } == true)
    #expect(value["gaps"]?["a"]?["count"]?.integer == 0 && value["gaps"]?["a"]?["p50_ms"] == .null)
  }
}
