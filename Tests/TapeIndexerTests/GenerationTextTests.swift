import TapeDialects
import Testing

@testable import TapeIndexer

@Suite struct GenerationTextTests {
  /// Base64 that begins as a picture does, and some that is one by its name alone.
  private static let picture = "iVBORw0KGgo" + String(repeating: "Abc9", count: 100) + "A"
  private static let named = String(repeating: "Xyz7", count: 20)

  @Test func mediaInsideOfJSONAreNoWords() {
    var choice = Choice(index: 0)
    choice.content = #"{"type":"done","b64_json":"\#(Self.named)"}"# + "\n" + #"{"x":"\#(Self.picture)"}"#
    var call = ToolCall(index: 0)
    call.name = "save"
    call.arguments = #"{"name":"harbour","file":"\#(Self.picture)"}"#
    choice.toolCalls = [call]
    var generation = Generation()
    generation.choices = [choice]
    let text = generation.fullText
    #expect(!text.contains("Abc9") && !text.contains("Xyz7"))
    #expect(text.contains(#"{"type":"done","b64_json":"[application/octet-stream 60 B sha256 "#))
    #expect(text.contains(#"save {"name":"harbour","file":"[image/png "#))
  }
}
