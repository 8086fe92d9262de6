import TapeJSON
import TapeTestSupport
import TapeTypes
import Testing

@testable import TapeQuery

@Suite struct SearchTests {
  private func search(_ phrase: String, _ calls: [TestCall], context: Int = 60, text: String? = nil) throws -> [String]
  {
    let (test, engine) = try engine(calls)
    defer { withExtendedLifetime(test) {} }
    var filter = CallFilter()
    filter.phrase = phrase
    filter.text = text
    var found: [String] = []
    try engine.search(filter, context: context) { call in
      let snippets = (call.json["snippets"]?.array ?? []).map { "\($0["in"]?.plain ?? ""): \($0["text"]?.plain ?? "")" }
      found.append("\(call.matches) " + snippets.joined(separator: " | "))
    }
    return found
  }

  private func call(_ number: Int, _ question: String, _ answer: [String]) -> TestCall {
    .text(number, startedAt: noon + Int64(number) * second, answer, request: request(question: question))
  }

  @Test func whatIsSaidAndAnsweredIsFoundNewestFirst() throws {
    let calls = [
      call(1, "May I get a refund?", ["Our ref", "und policy: 30 days."]), call(2, "Hi", ["Hello"]),
      call(3, "Refund policy, please. Refund!", ["No."]),
    ]
    #expect(
      try search("refund", calls) == [
        "2 prompt: ⟦Refund⟧ policy, please. ⟦Refund⟧!",
        "2 prompt: May I get a ⟦refund⟧? | completion: Our ⟦refund⟧ policy: 30 days.",
      ])
    #expect(try search("refund pol*", calls, text: "days") == ["1 completion: Our ⟦refund policy⟧: 30 days."])
    #expect(try search("refund pol", calls).isEmpty)
  }

  @Test func aSnippetIsCutBetweenWordsAndSaysSo() throws {
    let words = (1...40).map { "word\($0)" }.joined(separator: " ")
    let calls = [call(1, "x", ["\(words) needle \(words)"])]
    #expect(
      try search("needle", calls, context: 20) == ["1 completion: …word39 word40 ⟦needle⟧ word1 word2 word3…"])
    #expect(try search("word1 word2", calls, context: 5) == ["2 completion: ⟦word1 word2⟧ word…"])
  }

  @Test func charactersOfScriptsWithoutSpacesAreFoundInsideOfARun() throws {
    #expect(try search("数据", [call(1, "x", ["大数", "据处理"])]) == ["1 completion: 大⟦数据⟧处理"])
  }
}
