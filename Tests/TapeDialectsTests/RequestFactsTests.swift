import TapeDialects
import TapeJSON
import TapeTypes
import Testing

@Suite struct RequestFactsTests {
  private static let body = #"""
    {"key":"v-key","inputs":{"name":"v-input","n":{"deep":["v-deep"]}},"context":{"env":["v-env"]},
    "prefix_messages":[{"role":"system","content":"v-prefix"}],
    "messages":[{"role":"user","content":[{"type":"text","text":"v-text","cache_control":{"type":"v-cache"}},
    {"type":"image_url","image_url":{"url":"https://v-image/1.png","detail":"v-detail"}},
    {"type":"input_audio","input_audio":{"data":"UklGRgAAAABXQVZF","format":"wav"}},
    {"type":"file","file":{"file_data":"JVBERi0xLjQ=","filename":"v-file.pdf"}},
    {"type":"reasoning","reasoning":"v-reasoning","signature":"v-signature"},{"type":"redacted_reasoning","data":"v-redacted"},
    {"type":"refusal","refusal":"v-refusal"}]},
    {"role":"assistant","content":null,"tool_calls":[{"id":"v-call","type":"function","thought_signature":"v-thought",
    "function":{"name":"v-function","arguments":"{\"v-argument\":1}"}}]},
    {"role":"tool","tool_call_id":"v-call","content":"v-result"}],
    "identity":{"id":"v-identity","display_name":"v-name","email":"v-email","metadata":[{"k":"v-meta"}],
    "logo_url":"v-logo","tags":["v-tag1","v-tag2"]},
    "thread":{"id":"v-thread","tags":["v-thread-tag"]},"metadata":{"team":"v-team"},
    "documents":[{"text":"v-document","metadata":{"file_name":"v-doc-file"}}],"file_ids":["v-file-id"],
    "knowledge_filter":{"and":[{"x":"v-filter"}]},"extra_params":{"temperature":0.5,"p":"v-param"},
    "invoke_options":{"include_retrievals":true,"include_usage":true,"mock_response":"v-mock"},"stream":true,"model":"v-model",
    "unknown":"v-unknown"}
    """#

  private func facts(_ body: String, headers: [HeaderField] = []) -> RequestFacts {
    RequestFacts(call([], request: body, headers: headers).open)
  }

  @Test func everyRequestFieldHasItsPlace() throws {
    let facts = facts(RequestFactsTests.body)
    #expect(facts.deployment == "v-key" && facts.model == "v-model" && facts.stream == true)
    #expect(facts.inputs?["name"] == "v-input")
    #expect(facts.context?["env"] == ["v-env"])
    #expect(facts.metadata?["team"] == "v-team")
    #expect(facts.threadID == "v-thread" && facts.threadTags == ["v-thread-tag"])
    #expect(facts.identityID == "v-identity")
    #expect(facts.identity?.displayName == "v-name" && facts.identity?.email == "v-email")
    #expect(facts.identity?.logoURL == "v-logo" && facts.identity?.tags == ["v-tag1", "v-tag2"])
    #expect(facts.identity?.metadata?.array?.first?["k"] == "v-meta")
    #expect(facts.isMock && facts.includeUsage)
    // All the rest is in the body, as sent.
    #expect(facts.body == (try json(RequestFactsTests.body)))
  }

  @Test func thePromptTextHasTheWordsAndNoMedia() {
    let text = facts(RequestFactsTests.body).promptText
    for word in [
      "v-input", "v-deep", "v-prefix", "v-text", "https://v-image/1.png", "v-file.pdf", "v-reasoning", "v-refusal",
      "v-function", "{\"v-argument\":1}", "v-result",
    ] {
      #expect(text.contains(word), "\(word)")
    }
    for media in ["UklGRg", "JVBERi"] { #expect(!text.contains(media), "\(media)") }
    #expect(text.contains("[audio/wav 12 B sha256 "))
  }

  @Test(arguments: [
    (#"{"identity":{"id":"a"}}"#, [("X-ORQ-IDENTITY-ID", "b"), ("X-ORQ-CONTACT-ID", "c")], "a" as String?),
    (#"{"identity":"a"}"#, [("X-ORQ-IDENTITY-ID", "b")], "a"), (#"{"identity":{"id":42}}"#, [], "42"),
    (#"{}"#, [("x-orq-contact-id", "c"), ("x-orq-identity-id", "b")], "b"),
    (#"{"identity":{"id":""}}"#, [("X-Orq-Contact-Id", "c"), ("X-Tapedeck-Identity", "d")], "c"),
    (#"{"identity":null}"#, [("X-Tapedeck-Identity", "d")], "d"), ("not json", [("X-ORQ-IDENTITY-ID", "b")], "b"),
    ("{}", [], nil),
  ])
  func theIdentityIsTheFirstThatIsGiven(body: String, headers: [(String, String)], want: String?) {
    #expect(facts(body, headers: headers.map { HeaderField($0.0, $0.1) }).identityID == want)
  }

  @Test func theThreadHeaderIsTheLastResort() {
    let header = [HeaderField("X-Tapedeck-Thread", "h")]
    #expect(facts("{}", headers: header).threadID == "h")
    #expect(facts(#"{"thread":{"id":"b"}}"#, headers: header).threadID == "b")
  }

  @Test(arguments: [
    ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", true),
    ("00-4BF92F3577B34DA6A3CE929D0E0E4736-00F067AA0BA902B7-01", true),
    ("cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-what", true),
    ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-what", false),
    ("ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", false),
    ("00-00000000000000000000000000000000-00f067aa0ba902b7-01", false),
    ("00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01", false),
    ("00-4bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b7-01", false),
    ("00-4bf92f3577b34da6a3ce929d0e0e473g-00f067aa0ba902b7-01", false), ("", false), ("nonsense", false),
  ])
  func traceparentIsReadByTheStandard(header: String, isValid: Bool) {
    let facts = facts("{}", headers: [HeaderField("traceparent", header)])
    #expect(facts.traceID == (isValid ? "4bf92f3577b34da6a3ce929d0e0e4736" : nil))
    #expect(facts.parentSpanID == (isValid ? "00f067aa0ba902b7" : nil))
    #expect(facts.traceparent == header)
  }

  @Test(arguments: [
    (#"{"invoke_options":{"mock_response":"x"}}"#, true), (#"{"invoke_options":{"mock_response":""}}"#, true),
    (#"{"invoke_options":{"mock_response":null}}"#, false), (#"{"invoke_options":{"mock_response":false}}"#, false),
    (#"{"invoke_options":{}}"#, false), ("{}", false),
  ])
  func mockCallsAreTold(body: String, isMock: Bool) { #expect(facts(body).isMock == isMock) }

  @Test(arguments: ["", "[]", "7", "{\"key\":", "\u{0}\u{1}"])
  func anythingIsARequest(body: String) {
    let facts = facts(body)
    #expect(facts.deployment == nil && facts.promptText.isEmpty)
  }
}
