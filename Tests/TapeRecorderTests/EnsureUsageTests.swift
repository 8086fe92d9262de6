import TapeRecorder
import Testing

struct EnsureUsageTests {
  @Test(arguments: [
    (#"{"key":"k"}"#, #"{"key":"k","invoke_options":{"include_usage":true}}"#),
    (#"{}"#, #"{"invoke_options":{"include_usage":true}}"#),
    (" { \"key\" : \"k\" }\n", " { \"key\" : \"k\" ,\"invoke_options\":{\"include_usage\":true}}\n"),
    (#"{"invoke_options":{},"key":"k"}"#, #"{"invoke_options":{"include_usage":true},"key":"k"}"#),
    (#"{"invoke_options" : null ,"a":1}"#, #"{"invoke_options" : {"include_usage":true} ,"a":1}"#),
    (
      #"{"invoke_options":{"mock_response":"}\" {"},"a":[{"invoke_options":{}}]}"#,
      #"{"invoke_options":{"mock_response":"}\" {","include_usage":true},"a":[{"invoke_options":{}}]}"#
    ),
    (
      #"{"inputs":{"invoke_options":{"x":1}},"invoke_options":{"include_retrievals":true}}"#,
      #"{"inputs":{"invoke_options":{"x":1}},"invoke_options":{"include_retrievals":true,"include_usage":true}}"#
    ),
    (
      #"{"a":"invoke_options","invoke_options":{"b":"\\"}}"#,
      #"{"a":"invoke_options","invoke_options":{"b":"\\","include_usage":true}}"#
    ),
    (#"{"n":1e400,"s":"\ud83d"}"#, #"{"n":1e400,"s":"\ud83d","invoke_options":{"include_usage":true}}"#),
  ])
  func theWishIsSplicedInAndNothingElseChanges(_ body: String, _ expected: String) {
    let changed = EnsureUsage.applied(to: Array(body.utf8), target: "/v2/deployments/stream?x=1")
    #expect(changed.map { String(decoding: $0, as: UTF8.self) } == expected)
  }

  @Test(arguments: [
    #"{"invoke_options":{"include_usage":false}}"#, #"{"invoke_options":{"include_usage":true}}"#,
    #"{"invoke_options":7}"#, "[]", "not json", "", #"{"a":1"#,
  ])
  func whatSaysItsOwnOrIsNoObjectStays(_ body: String) {
    #expect(EnsureUsage.applied(to: Array(body.utf8), target: "/v2/deployments/stream") == nil)
  }

  @Test func chatCompletionsGetStreamOptionsOnlyWhenTheyStream() {
    let target = "/v2/router/chat/completions"
    let streaming = EnsureUsage.applied(to: Array(#"{"stream":true}"#.utf8), target: target)
    #expect(streaming == Array(#"{"stream":true,"stream_options":{"include_usage":true}}"#.utf8))
    #expect(EnsureUsage.applied(to: Array(#"{"stream":false}"#.utf8), target: target) == nil)
    #expect(EnsureUsage.applied(to: Array("{}".utf8), target: target) == nil)
  }

  @Test func otherEndpointsAreLeftAlone() {
    #expect(EnsureUsage.applied(to: Array("{}".utf8), target: "/v1/messages") == nil)
  }
}
