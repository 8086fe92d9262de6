import TapeJSON
import TapeTypes
import Testing

@testable import TapeRedaction

@Suite struct RedactorTests {
  private func cleaned(_ body: String, _ rules: RedactionRule...) throws -> (body: String, redactions: [String]) {
    var open = CallOpen(
      id: CallID(high: 1, low: 2), startedAtNs: 0, origin: .proxy, body: Array(body.utf8), salt: [])
    try Redactor(rules).clean(&open)
    return (String(decoding: open.body, as: UTF8.self), open.redactions)
  }

  @Test(arguments: [
    (
      "messages[*].content", #"{"messages":[{"content":"a","x":1},{"content":[{"text":"b"}]}]}"#,
      #"{"messages":[{"content":"[redacted]","x":1},{"content":"[redacted]"}]}"#
    ),
    (
      "messages[1].content", #"{"messages":[{"content":"a"},{"content":"b"}]}"#,
      #"{"messages":[{"content":"a"},{"content":"[redacted]"}]}"#
    ),
    (
      "inputs.*", #"{ "inputs" : { "a" : 1 , "b" : null, "c":{} } }"#,
      #"{ "inputs" : { "a" : "[redacted]" , "b" : null, "c":"[redacted]" } }"#
    ),
    (#"a["b.c"]"#, #"{"a":{"b.c":"x","b":{"c":"y"}}}"#, #"{"a":{"b.c":"[redacted]","b":{"c":"y"}}}"#),
    ("k", #"{"k":"first","k":"second"}"#, #"{"k":"[redacted]","k":"[redacted]"}"#),
    ("none.here", #"{"a":1}"#, #"{"a":1}"#),
  ]) func aPathTakesOutValuesAndLeavesAllOtherBytes(path: String, body: String, expected: String) throws {
    let result = try cleaned(body, RedactionRule(path: path, places: [.request]))
    #expect(result.body == expected)
    #expect(result.redactions == (body == expected ? [] : ["request:\(path)"]))
  }

  @Test func aPatternIsLookedForInEveryText() throws {
    let rule = RedactionRule(name: "card", pattern: #"\b\d{4}-\d{4}\b"#, replacement: "****", places: [.request])
    let result = try cleaned(#"{"a":["x 1234-5678 y",{"b":"12345-6789"}],"n":12,"e":"\u0031234-5678"}"#, rule)
    #expect(result.body == #"{"a":["x **** y",{"b":"12345-6789"}],"n":12,"e":"****"}"#)
    #expect(result.redactions == ["request:card"])
    let plain = try cleaned("plain 1234-5678", rule).body
    #expect(plain == "plain ****")
  }

  @Test func aPatternWithAPathStaysBelowIt() throws {
    let rule = RedactionRule(path: "a", pattern: "secret", replacement: "-")
    let result = try cleaned(#"{"a":{"deep":["secret 1"]},"b":"secret"}"#, rule)
    #expect(result.body == #"{"a":{"deep":["- 1"]},"b":"secret"}"#)
    #expect(result.redactions == ["request:a", "response:a"])
  }

  @Test(arguments: [
    ("data: {\"t\":\"Anna\"}\n\n", "data: {\"t\":\"X\"}\n\n"),
    ("event: m\r\ndata:{\"t\":\"Anna\"}\r\nid: 1\r\n\r\n", "event: m\r\ndata:{\"t\":\"X\"}\r\nid: 1\r\n\r\n"),
    ("data: {\"t\":\ndata: \"Anna\"}\n\n", "data: {\"t\":\ndata: \"X\"}\n\n"),
    (": Anna was here\n\n", ": X was here\n\n"),
    ("data: Anna, not JSON\n\n", "data: X, not JSON\n\n"),
    ("\u{FEFF}data: {\"t\":\"Anna\"}\n\n", "\u{FEFF}data: {\"t\":\"X\"}\n\n"),
  ]) func aFrameKeepsItsShape(frame: String, expected: String) throws {
    let redactor = try Redactor([RedactionRule(pattern: "Anna", replacement: "X", places: [.response])])
    let result = redactor.frame(Array(frame.utf8), isEvent: true)
    #expect(result.map { String(decoding: $0, as: UTF8.self) } == expected)
    #expect(redactor.frame(Array("data: [DONE]\n\n".utf8), isEvent: true) == nil)
  }

  /// Whatever takes the place of a match, the frame stays one frame, and what was no data is none.
  @Test(arguments: [
    (": secret\ndata: x\n\n", "", ": \ndata: x\n\n"), (": secret\n\n", "\n\ndata: y", ": data: y\n\n"),
    ("secret: secret\ndata: x\n\n", "data", ":data: data\ndata: x\n\n"), ("secret\n\n", "", ":\n\n"),
    ("id: secret\n\n", "7", "id: 7\n\n"), ("event: secret\r\n\r\n", "a\r\nb", "event: ab\r\n\r\n"),
    ("data: secret", "a\nb", "data: a\ndata: b"), ("\u{FEFF}data: secret\n\n", "a\nb", "\u{FEFF}data: a\ndata: b\n\n"),
  ]) func aFrameStaysOneWhateverIsPutThere(frame: String, replacement: String, expected: String) throws {
    let redactor = try Redactor([RedactionRule(pattern: "secret", replacement: replacement, places: [.response])])
    let result = redactor.frame(Array(frame.utf8), isEvent: true)
    #expect(result.map { String(decoding: $0, as: UTF8.self) } == expected)
  }

  @Test func whatIsTooLargeIsNotOnTapeAtAll() throws {
    let redactor = try Redactor([RedactionRule(path: "a", places: [.response])])
    let huge = [UInt8](repeating: 0x61, count: Redactor.mostBytes + 1)
    let result = try #require(redactor.frame(huge, isEvent: true))
    #expect(result.count < 100)
  }

  @Test(arguments: ["", "a..b", "a[", "a[x]", "a.", "[-1]"]) func whatIsNoPathIsRefused(path: String) {
    #expect(throws: TapeError.self) { try RedactionRule(path: path).check() }
  }

  @Test(arguments: ["", "(", ")", "[a", "a{2,1}", "*", #"\1"#, "(?=a)", #"\q"#, "a{1001}", "((a{1000}){1000})"])
  func whatIsNoPatternIsRefused(pattern: String) {
    #expect(throws: TapeError.self) { try RedactionRule(pattern: pattern).check() }
  }

  @Test func aRuleNeedsAPathOrAPattern() {
    #expect(throws: TapeError.self) { try RedactionRule().check() }
  }
}

@Suite struct LinearPatternTests {
  @Test(arguments: [
    ("a+", "caaat", "c-t"), ("a+?", "caaat", "c---t"), ("colou?r", "color colour", "- -"), ("^a", "aa", "-a"),
    ("a$", "aa", "a-"), ("[^a-c]+", "abcxyz", "abc-"), ("(ab|cd)+", "xabcdx", "x-x"),
    (#"\w+@\w+\.com"#, "to a@b.com!", "to -!"),
    ("(?i)anna", "ANNA Anna", "- -"), ("a{2,3}", "aaaaa", "--"), ("a|ab", "ab", "-b"), ("[]a]", "]", "-"),
    ("数.", "a数据b", "a-b"),
    (#"\bcat\b"#, "cat concat", "- concat"), (#"[\d-]+"#, "x1-2y", "x-y"), (".", "a\nb", "-\n-"),
    (#"a\.b"#, "a.b axb", "- axb"),
  ]) func itReplacesWhatMatches(pattern: String, text: String, expected: String) throws {
    #expect(try LinearPattern(parsing: pattern).replacing(text, with: "-") == expected)
  }

  @Test func noPatternTakesMoreThanTheTextIsLong() throws {
    // Each of these takes longer than the world lasts where ways of matching are tried one after the other.
    for pattern in ["(a+)+$", "(a|a)*b", "(a|aa)+$", "(.*a){20}"] {
      _ = try LinearPattern(parsing: pattern).replacing(String(repeating: "a", count: 2000) + "!", with: "-")
    }
  }
}
