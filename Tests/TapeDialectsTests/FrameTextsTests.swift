import TapeDialects
import TapeTypes
import Testing

@Suite struct FrameTextsTests {
  private func pieces(_ frames: [String]) -> [String] {
    let call = call(frames.flatMap { Array("data: \($0)\n\n".utf8) })
    var texts = FrameTexts(of: call)
    return call.frameEnds.indices.map { index in
      texts.pieces(ofFrame: index).map { piece in
        let tools = piece.tools.map { " \($0.index):\($0.name ?? "–")(\($0.arguments))" }.joined()
        return "\(piece.choice) [\(piece.reasoning)|\(piece.content)]\(tools)\(piece.imageURLs.joined())"
      }.joined(separator: ", ")
    }
  }

  private func message(_ members: String, index: Int = 0) -> String {
    #"{"choices":[{"index":\#(index),"message":{\#(members)}}]}"#
  }

  @Test func eachFrameHasWhatItAdded() {
    #expect(
      pieces([
        message(#""reasoning":"Hm""#), message(#""content":"Hel""#), message(#""content":"lo","reasoning":"!""#),
        message(#""content":"two""#, index: 1), message(#""refusal":"No.""#), "{}",
        message(#""type":"image","url":"https://x/1.png""#),
      ]) == ["0 [Hm|]", "0 [|Hel]", "0 [!|lo]", "1 [|two]", "0 [|No.]", "", "0 [|]https://x/1.png"])
  }

  @Test func toolCallsComeInFragments() {
    func tool(_ members: String) -> String { message(#""tool_calls":[{\#(members)}]"#) }
    #expect(
      pieces([
        tool(#""index":0,"id":"a","function":{"name":"f","arguments":""}"#),
        tool(#""index":0,"function":{"name":"","arguments":"{\"x\":"}"#),
        tool(#""index":1,"id":"b","function":{"name":"g","arguments":"{}"}"#),
        tool(#""index":0,"function":{"arguments":"1}"}"#),
      ]) == ["0 [|] 0:f()", #"0 [|] 0:–({"x":)"#, "0 [|] 1:g({})", "0 [|] 0:–(1})"])
  }
}
