import TapeJSON
import TapeRedaction
import TapeTypes
import Testing

@testable import TapeReplayServer

struct CanonicalRequestTests {
  private func digest(_ text: String, _ rules: MatchRules) -> RequestDigest {
    CanonicalRequest(Array(text.utf8), rules).digest
  }

  @Test(arguments: [
    (#"{"a":1,"b":[2]}"#, #"{ "b" : [ 2 ] , "a" : 1 }"#), (#"{"a":1}"#, #"{"a":1.0}"#), (#"{"a":10}"#, #"{"a":1e1}"#),
    (#"{"a":0.7}"#, #"{"a":7E-1}"#), (#"{"a":0}"#, #"{"a":-0.0}"#), (#"{"a":1e400}"#, #"{"a":10e399}"#),
    (#"{"a":100200}"#, #"{"a":1.002e+5}"#), (#"{"a":"é/"}"#, #"{"a":"\u00e9\/"}"#),
    (#"{"a":"😀"}"#, #"{"a":"\ud83d\ude00"}"#), (#"{"a":2}"#, #"{"a":1,"a":2}"#),
    (#"{"a":1,"stream":true}"#, #"{"a":1}"#),
    (#"{"stream":false,"x":{"a":1,"b":2}}"#, #"{"x":{"b":2,"a":1},"stream_options":{"include_usage":true}}"#),
    (#"{"a":1,"invoke_options":{"include_usage":true}}"#, #"{"a":1}"#),
    (#"{"a":1,"invoke_options":{}}"#, #"{"a":1,"invoke_options":{"include_usage":true}}"#),
    (#"{"a":1,"invoke_options":null}"#, #"{"a":1,"invoke_options":{"include_usage":false}}"#),
    (#"{"metadata":{"request_id":"1","k":2}}"#, #"{"metadata":{"request_id":"7","k":2}}"#),
    (#"[1,{"a":2}]"#, #"[1.0, {"a":2}]"#),
  ])
  func whatAsksForTheSameIsTheSame(_ one: String, _ other: String) throws {
    let rules = try MatchRules()
    #expect(digest(one, rules) == digest(other, rules))
  }

  @Test(arguments: [
    (#"{"a":1}"#, #"{"a":"1"}"#), (#"{"a":1}"#, #"{"a":10}"#), (#"{"a":1}"#, #"{"a":-1}"#),
    (#"{"a":[1,2]}"#, #"{"a":[2,1]}"#),
    (#"{"a":null}"#, "{}"), (#"{"a":{}}"#, "{}"), (#"{"a":true}"#, #"{"a":false}"#),
    (#"{"a":"é"}"#, #"{"a":"e\u0301"}"#),
    (#"{"a":{"stream":true}}"#, #"{"a":{"stream":false}}"#), (#"{"thread":{"id":"1"}}"#, #"{"thread":{"id":"2"}}"#),
    (#"{"invoke_options":{"include_retrievals":true}}"#, #"{"invoke_options":{}}"#), ("a=1", "a=2"), ("", "{}"),
    (#"{"a":1"#, #"{ "a":1"#), ("[]", "{}"), ("\"x\"", "x"),
    (#"{"a":"\ud83d"}"#, #"{"a":"\ud83e"}"#), (#"{"a":"\ud83d"}"#, #"{"a":"\ufffd"}"#),
    (#"{"a":"\ude00\ud83d"}"#, #"{"a":"\ufffd\ufffd"}"#), (#"{"a":"\\ud83d"}"#, #"{"a":"\\ud83e"}"#),
  ])
  func whatAsksForSomethingElseIsNot(_ one: String, _ other: String) throws {
    let rules = try MatchRules()
    #expect(digest(one, rules) != digest(other, rules))
  }

  @Test func bodiesThatAreNoJSONAreComparedByteByByte() throws {
    let rules = try MatchRules()
    #expect(digest("a=1&b=2", rules) == digest("a=1&b=2", rules))
    #expect(CanonicalRequest([0xFF, 0x00], rules).digest != CanonicalRequest([0xFE, 0x00], rules).digest)
    #expect(CanonicalRequest([0xFF, 0x00], rules).json == nil)
  }

  @Test func pathsThatAUserNamesDoNotCount() throws {
    let rules = try MatchRules(ignoring: ["thread.id", "messages[*].id", "inputs.*"])
    let one = #"{"thread":{"id":"1","tags":["x"]},"messages":[{"id":1,"c":"Hi"}],"inputs":{"a":1}}"#
    #expect(
      digest(one, rules) == digest(#"{"messages":[{"c":"Hi","id":9}],"thread":{"tags":["x"],"id":"2"}}"#, rules))
    #expect(digest(one, rules) != digest(#"{"messages":[{"c":"Ho"}],"thread":{"tags":["x"]}}"#, rules))
    #expect(throws: TapeError.self) { try MatchRules(ignoring: ["a..b"]) }
  }

  @Test func whatIsNotOnTapeIsTakenOutOfRequestsToo() throws {
    let rules = try MatchRules(redactions: [RedactionRule(path: "inputs.password")])
    #expect(
      digest(#"{"inputs":{"password":"hunter2"}}"#, rules) == digest(#"{"inputs":{"password":"[redacted]"}}"#, rules))
  }

  @Test func deploymentAndStreamAreReadFromTheBody() throws {
    let rules = try MatchRules()
    let orq = CanonicalRequest(Array(#"{"key":"k","model":"m","stream":true}"#.utf8), rules)
    #expect(orq.deployment == "k" && orq.wantsStream)
    let other = CanonicalRequest(Array(#"{"model":"m"}"#.utf8), rules)
    #expect(other.deployment == "m" && !other.wantsStream)
  }
}

struct RequestDifferenceTests {
  private func differences(_ one: String, _ other: String) throws -> [RequestDifference] {
    let rules = try MatchRules()
    let bodies = [one, other].compactMap { CanonicalRequest(Array($0.utf8), rules).json }
    return RequestDifference.between(bodies[0], bodies[1])
  }

  @Test(arguments: [
    (#"{"a":1,"b":2}"#, #"{"b":2.0,"a":1}"#, []), (#"{"a":1}"#, #"{"a":2}"#, ["a"]),
    (#"{"m":[{"c":"x"},{"c":"y"}]}"#, #"{"m":[{"c":"x"},{"c":"z"}]}"#, ["m[1].c"]),
    (#"{"m":[1]}"#, #"{"m":[1,2,3]}"#, ["m[1]", "m[2]"]), (#"{"a":1,"c":3}"#, #"{"b":2,"c":3}"#, ["a", "b"]),
    (#"{"a.b":{"c":1}}"#, #"{"a.b":{"c":2}}"#, [#"["a.b"].c"#]), (#"{"a":[1]}"#, #"{"a":{"0":1}}"#, ["a"]),
    (#"{"a":{"b":{"c":{"d":1}}}}"#, #"{"a":{"b":{"c":{"d":null}}}}"#, ["a.b.c.d"]),
  ])
  func differencesAreNamedByTheirPath(_ one: String, _ other: String, _ paths: [String]) throws {
    #expect(try differences(one, other).map(\.path) == paths)
  }

  @Test func longTextsAreShownFromWhereTheyDiffer() throws {
    let start = String(repeating: "the same words ", count: 40)
    let found = try differences(#"{"a":"\#(start)then here"}"#, #"{"a":"\#(start)then there"}"#)
    #expect(found.count == 1)
    #expect(found[0].sentence.contains("then here") && found[0].sentence.contains("then there"))
    #expect(found[0].sentence.utf8.count < 150)
  }
}

extension CanonicalRequestTests {
  @Test func bodiesThatAreNoUTF8AreComparedByteByByte() throws {
    let rules = try MatchRules()
    func digest(_ bytes: [UInt8]) -> RequestDigest { CanonicalRequest(bytes, rules).digest }
    let bodies: [[UInt8]] = [[0xFF], [0xFE], [0xC3], [0xEF, 0xBF, 0xBD]].map {
      Array(#"{"a":""#.utf8) + $0 + Array(#""}"#.utf8)
    }
    #expect(Set(bodies.map(digest)).count == 4)
  }
}
