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

  /// As orq's router takes them in a chat completion: `CreateChatCompletionOrq` of orq's SDK.
  @Test(arguments: [
    (
      #"{"orq":{"identity":{"id":"i","tags":["a"]},"thread":{"id":"t","tags":["x"]}}}"#, "i" as String?,
      "t" as String?, ["x"]
    ),
    (#"{"orq":{"contact":{"id":"c"}}}"#, "c", nil, []),
    (#"{"orq":{"contact":{"id":"c"},"identity":{"id":"i"}}}"#, "i", nil, []),
    // What stands at the top goes before it, if it names somebody or something.
    (
      #"{"identity":{"id":"I"},"thread":{"id":"T","tags":["y"]},"orq":{"identity":{"id":"i"},"thread":{"id":"t","tags":["x"]}}}"#,
      "I", "T", ["y"]
    ),
    (
      #"{"identity":{},"thread":{"id":""},"user":"u","orq":{"identity":{"id":"i"},"thread":{"id":"t","tags":["x"]}}}"#,
      "i", "t", ["x"]
    ),
    (#"{"orq":{"identity":null,"thread":"t"},"user":"u"}"#, "u", "t", []), (#"{"orq":7,"user":"u"}"#, "u", nil, []),
  ])
  func theRoutersOwnObjectNamesWhoAndWhichThread(body: String, identity: String?, thread: String?, tags: [String]) {
    let facts = RequestFacts(call([], path: "/v2/router/chat/completions", request: body).open)
    #expect(facts.identityID == identity && facts.threadID == thread && facts.threadTags == tags)
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

/// Who asked, and in which conversation, by each API's own fields.
@Suite struct APINamesTests {
  private func facts(_ path: String, _ body: String, _ headers: [HeaderField] = []) -> RequestFacts {
    RequestFacts(
      CallOpen(
        id: CallID(high: 1, low: 1), startedAtNs: 0, origin: .proxy, path: path, headers: headers,
        body: Array(body.utf8), salt: []))
  }

  @Test(arguments: [
    ("/v1/chat/completions", #"{"user":"u"}"#, "u", nil as String?),
    ("/v1/chat/completions", #"{"user":"u","safety_identifier":"s"}"#, "s", nil),
    ("/v1/chat/completions", #"{"user":"","metadata":{"user_id":"m","thread_id":"t"}}"#, "m", "t"),
    ("/v1/responses", #"{"safety_identifier":"s","conversation":"conv_1"}"#, "s", "conv_1"),
    ("/v1/responses", #"{"conversation":{"id":"conv_2"},"metadata":{"session_id":"x"}}"#, nil, "conv_2"),
    ("/v1/responses", #"{"prompt_cache_key":"k","previous_response_id":"resp_1"}"#, nil, nil),
    ("/v1/messages", #"{"metadata":{"user_id":"a"},"user":"no"}"#, "a", nil),
    ("/v1beta/models/gemini-2.5-pro:streamGenerateContent?alt=sse", #"{"user":"no"}"#, nil, nil),
    ("/v2/deployments/stream", #"{"key":"k","user":"no","metadata":{"user_id":"no","thread_id":"no"}}"#, nil, nil),
    ("/v1/chat/completions", "[1]", nil, nil), ("/v1/responses", #"{"conversation":null,"user":7}"#, "7", nil),
  ])
  func theyAreTheApisOwn(path: String, body: String, identity: String?, thread: String?) {
    let facts = facts(path, body)
    #expect(facts.identityID == identity)
    #expect(facts.threadID == thread)
  }

  @Test(arguments: [
    ("/v1/responses", #"{"previous_response_id":"resp_1"}"#, "resp_1" as String?),
    ("/v1/responses", #"{"previous_response_id":"resp_1","conversation":null,"user":"u"}"#, "resp_1"),
    ("/v3/router/responses", #"{"previous_response_id":"resp_1","thread":{"id":"t"}}"#, "resp_1"),
    ("/v1/responses", #"{"previous_response_id":null}"#, nil), ("/v1/responses", #"{"previous_response_id":""}"#, nil),
    ("/v1/responses", #"{"previous_response_id":{"id":"x"}}"#, nil),
    ("/v1/messages", #"{"previous_response_id":"resp_1"}"#, nil),
  ])
  func aResponseThatIsGoneOnFrom(path: String, body: String, previous: String?) {
    #expect(facts(path, body).previousResponseID == previous)
  }

  @Test func tapedecksHeadersGoBeforeThem() {
    let headers = [HeaderField("X-Tapedeck-Identity", "h"), HeaderField("X-Tapedeck-Thread", "t")]
    let facts = facts("/v1/responses", #"{"user":"u","conversation":"c"}"#, headers)
    #expect(facts.identityID == "h" && facts.threadID == "t")
  }

  @Test(arguments: [
    ("/v1beta/models/gemini-2.5-pro:streamGenerateContent?alt=sse", "gemini-2.5-pro"),
    ("/v1/publishers/google/models/gemini-2.5-pro%3AgenerateContent", "gemini-2.5-pro"),
    ("/v1/messages", nil as String?),
  ])
  func geminisModelIsInThePath(path: String, model: String?) {
    #expect(facts(path, "{}").model == model)
  }

  @Test func theWordsOfEveryApiAreFound() {
    let gemini = facts(
      "/v1/models/m:generateContent",
      #"""
      {"systemInstruction":{"parts":[{"text":"Be brief"}]},"contents":[{"role":"user","parts":[{"text":"Hello"},
      {"inlineData":{"mimeType":"image/png","data":"AAAA"}}]},{"role":"model","parts":[{"functionCall":{"name":"tide",
      "args":{"port":"Whitby"}}}]},{"role":"user","parts":[{"functionResponse":{"name":"tide","response":{"at":"noon"}}}]}]}
      """#)
    #expect(gemini.promptText == "Be brief\nHello\ntide\nWhitby\ntide\nnoon")
    let messages = gemini.messages()
    #expect(messages.map(\.role) == ["system", "user", "model", "user"])
    #expect(messages[2].toolCalls.first?.arguments == #"{"port":"Whitby"}"#)
    #expect(messages[1].content.hasPrefix("Hello\n[image/png 3 B"))
    let anthropic = facts(
      "/v1/messages",
      #"""
      {"system":[{"type":"text","text":"Be brief"}],"messages":[{"role":"user","content":"Hello"},{"role":"assistant",
      "content":[{"type":"thinking","thinking":"hm","signature":"s"},{"type":"text","text":"It "},{"type":"text","text":"is"},
      {"type":"server_tool_use","id":"s","name":"web_search","input":{"query":"q"}},{"type":"tool_use","id":"t","name":"tide",
      "input":{"port":"Whitby"}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"t","content":"noon"}]}]}
      """#)
    #expect(anthropic.promptText == "Be brief\nHello\nIt \nis\ntide\nWhitby\nnoon")
    #expect(anthropic.messages().map(\.content) == ["Be brief", "Hello", "It is", "noon"])
    #expect(anthropic.messages()[2].toolCalls.count == 1)
  }

  /// Items that one answer has are one message, as the answer is.
  @Test func itemsOfAnAnswerAreOneMessage() {
    let facts = facts(
      "/v1/responses",
      #"""
      {"input":[{"role":"user","content":"a"},{"type":"reasoning","id":"r","summary":[]},{"type":"message","role":"assistant",
      "content":[{"type":"output_text","text":"b"},{"type":"output_text","text":"c"}]},{"type":"function_call","call_id":"1",
      "name":"f","arguments":"{}"},{"type":"custom_tool_call","call_id":"2","name":"g","input":"x"},
      {"type":"web_search_call","id":"w"},{"type":"function_call_output","call_id":"1","output":"d"}]}
      """#)
    let messages = facts.messages()
    #expect(messages.map(\.role) == ["user", "assistant", "tool"])
    #expect(messages[1].content == "bc" && messages[1].toolCalls.map(\.name) == ["f", "g"])
    #expect(messages[1].toolCalls.map(\.index) == [0, 1])
  }
}
