import TapeDialects
import TapeJSON
import TapeTypes
import Testing

@Suite struct ContentTests {
  @Test(arguments: [
    // Deltas are added, also equal ones.
    (["ha", "ha"], "haha", "delta"), (["ha", "ha", "ha"], "hahaha", "delta"), (["a"], "a", "delta"),
    // The last piece repeats the whole text: after at least 3 pieces and 16 bytes only.
    (["Hello ", "my dear ", "friend.", "Hello my dear friend."], "Hello my dear friend.", "delta"),
    (["Hello my ", "dear friend.", "Hello my dear friend."], "Hello my dear friend.Hello my dear friend.", "delta"),
    (["Hel", "lo ", "you", "Hello you"], "Hello youHello you", "delta"),
    (["0123", "4567", "89abcde", "0123456789abcde"], "0123456789abcde0123456789abcde", "delta"),
    (["0123", "4567", "89abcdef", "0123456789abcdef"], "0123456789abcdef", "delta"),
    (["0123", "4567", "89abcdef", "0123456789abcdeF"], "0123456789abcdef0123456789abcdeF", "delta"),
    // Cumulative: every later piece starts with all before it and grows, over at least 3 pieces.
    (["Hel", "Hello", "Hello!"], "Hello!", "cumulative"), (["Hel", "Hello"], "HelHello", "delta"),
    (["a", "ab", "ab"], "aabab", "delta"), (["a", "ab", "ac"], "aabac", "delta"),
    (["", "Hel", "", "Hello", "Hello!", ""], "Hello!", "cumulative"),
    (["Hel", "Hello", "Hello!", "Hello! again"], "Hello! again", "cumulative"),
    (["Hel", "Hello", "Hello!", " again"], "HelHelloHello! again", "delta"),
    // Cumulative, and the final chunk repeats the text (16 bytes and more).
    (
      ["The quick", "The quick brown", "The quick brown fox", "The quick brown fox"], "The quick brown fox",
      "cumulative"
    ),
    (["Hel", "Hello", "Hello!", "Hello!"], "HelHelloHello!Hello!", "delta"),
  ])
  func piecesAreAddedUnlessTheyAreCumulativeOrARepeat(pieces: [String], want: String, mode: String) {
    let generation = generation(sse: stream(pieces: pieces))
    #expect(generation.content == want)
    #expect(generation.contentMode.rawValue == mode)
  }

  @Test func aRepeatThatIsNotInAFinalChunkIsAnAddition() {
    let text = "Hello my dear friend."
    let pieces = ["Hello ", "my dear ", "friend.", text, ""]
    #expect(generation(sse: stream(pieces: pieces)).content == text + text)
  }

  @Test func whatLooksLikeARepeatIsAnAdditionWhenMoreFollows() {
    func chunk(_ text: String, isFinal: Bool) -> String {
      "data: {\"is_final\":\(isFinal),\"choices\":[{\"index\":0,\"message\":{\"content\":\"\(text)\"}}]}\n\n"
    }
    let text = "Hello my dear friend."
    let start = chunk("Hello ", isFinal: false) + chunk("my dear ", isFinal: false) + chunk("friend.", isFinal: false)
    let body = start + chunk(text, isFinal: true)
    #expect(generation(sse: body).content == text)
    #expect(generation(sse: body + chunk("!", isFinal: true)).content == text + text + "!")
    #expect(generation(sse: body + chunk("", isFinal: true)).content == text)
  }

  @Test func choicesAreJudgedEachForItself() {
    let chunks = [("a", "x"), ("ab", "y"), ("abc", "z")].map { first, second in
      "data: {\"choices\":[{\"index\":1,\"message\":{\"content\":\"\(second)\"}},"
        + "{\"index\":0,\"message\":{\"content\":\"\(first)\"}}]}\n\n"
    }
    let generation = generation(sse: chunks.joined() + "data: [DONE]\n\n")
    #expect(generation.choices.map(\.index) == [0, 1])
    #expect(generation.choices.map(\.content) == ["abc", "xyz"])
    #expect(generation.contentMode == .cumulative)
  }

  @Test func nullAddsAndErasesNothing() {
    let generation = generation(
      sse: stream(messages: [
        #""type":"content","role":"assistant","content":"a","reasoning":"r","reasoning_signature":"s","redacted_reasoning":"x""#,
        #""type":null,"role":null,"content":null,"reasoning":null,"reasoning_signature":null,"redacted_reasoning":null,"tool_calls":null,"url":null"#,
      ]))
    let choice = generation.choices[0]
    #expect(choice.type == "content" && choice.role == "assistant" && choice.content == "a")
    #expect(choice.reasoning == "r" && choice.reasoningSignature == "s" && choice.redactedReasoning == "x")
    #expect(choice.toolCalls.isEmpty && choice.imageURLs.isEmpty)
  }

  @Test func emptyContentIsNotNull() {
    #expect(generation(sse: stream(messages: [#""content":"""#])).content == .some(""))
    #expect(generation(sse: stream(messages: [#""content":null"#])).choices.first?.content == nil)
  }

  @Test func signaturesAppendUnlessIdentical() {
    let messages = ["ab", "ab", "cd", "cd", "abcd"].map {
      "\"reasoning_signature\":\"\($0)\",\"redacted_reasoning\":\"\($0)\""
    }
    let choice = generation(sse: stream(messages: messages)).choices[0]
    #expect(choice.reasoningSignature == "abcd")
    #expect(choice.redactedReasoning == "abcd")
  }

  @Test func surrogateHalvesJoinPerChoiceAndField() {
    func chunk(_ index: Int, _ message: String) -> String {
      "data: {\"choices\":[{\"index\":\(index),\"message\":{\(message)}}]}\n\n"
    }
    let high = #"\ud83d"#
    let low = #"\ude00"#
    let body =
      chunk(0, "\"content\":\"\(high)\",\"reasoning\":\"r\(high)\"") + chunk(1, "\"content\":\"\(low)\"")
      + chunk(0, "\"reasoning\":\"\(low)\"") + chunk(0, "\"content\":\"\(low)!\"")
      + chunk(0, "\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\"\(high)\"}}]")
      + chunk(0, "\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\"\(low)\"}}]") + "data: [DONE]\n\n"
    let generation = generation(sse: body)
    #expect(generation.choices[0].content == "😀!")
    #expect(generation.choices[0].reasoning == "r😀")
    #expect(generation.choices[0].toolCalls[0].arguments == "😀")
    #expect(generation.choices[1].content == "\u{FFFD}")
  }

  @Test(arguments: [
    // A repeat of a text in which a character came in halves.
    (
      ["abcdefghijklmnopqrstuvw", "x", #"\ud83d"#, #"\ude00 y"#, "abcdefghijklmnopqrstuvwx😀 y"],
      "abcdefghijklmnopqrstuvwx😀 y", "delta"
    ),
    (
      ["abcdefghijklmnopqrstuvw", "x", #"\ud83d"#, #"\ude00 y"#, #"abcdefghijklmnopqrstuvwx\ud83d\ude00 y"#],
      "abcdefghijklmnopqrstuvwx😀 y", "delta"
    ),
    (
      ["abcdefghijklmnopqrstuvw", "x", #"\ud83d"#, #"\ude00 y"#, "abcdefghijklmnopqrstuvwx😁 y"],
      "abcdefghijklmnopqrstuvwx😀 yabcdefghijklmnopqrstuvwx😁 y", "delta"
    ),
    // Each piece is the whole text, cut between the halves.
    ([#"ab\ud83d"#, #"ab\ud83d\ude00 c"#, #"ab\ud83d\ude00 cd"#], "ab😀 cd", "cumulative"),
    (["a", #"a\ud83d"#, "a😀", #"a😀\ud83d"#, "a😀😁"], "a😀😁", "cumulative"),
    // Another high half (U+1FC00 has \ud83f) is another text.
    ([#"ab\ud83d"#, #"ab\ud83f\udc00 c"#, #"ab\ud83f\udc00 cd"#], "ab\u{FFFD}ab\u{1FC00} cab\u{1FC00} cd", "delta"),
    ([#"ab\ud83d"#, "ab", "abc"], "ab\u{FFFD}ababc", "delta"),
    // Raw and escaped forms are one text.
    (["é", #"\u00e9\u0061"#, #"é\u0061\/"#, "éa/b"], "éa/b", "cumulative"),
    (
      ["Grüße, ", "Straße, ", #"\u00e4 \\ "#, #"Gr\u00fc\u00dfe, Stra\u00dfe, ä \\ "#], #"Grüße, Straße, ä \ "#, "delta"
    ),
  ])
  func piecesAreComparedAsTextHoweverTheyAreCutAndEscaped(escaped: [String], want: String, mode: String) {
    let generation = generation(sse: stream(messages: escaped.map { "\"content\":\"\($0)\"" }))
    #expect(generation.content.map { Array($0.utf8) } == Array(want.utf8))
    #expect(generation.contentMode.rawValue == mode)
  }

  @Test func invalidUTF8IsReplacedAndTheFrameStillMerges() {
    let start = Array("data: {\"choices\":[{\"index\":0,\"message\":{\"content\":\"a".utf8)
    let end = Array("b\"}}]}\n\n".utf8)
    let body = start + [0xE2, 0x82] + end + start + [0xAC] + end + Array("data: [DONE]\n\n".utf8)
    let generation = generation(of: call(body))
    #expect(generation.content == "a\u{FFFD}ba\u{FFFD}b")
    #expect(!generation.has(.badFrame))
  }

  @Test func contentPartsGiveTheirTexts() {
    let generation = generation(
      sse: stream(messages: [
        #""content":[{"type":"text","text":"Hi "},{"type":"text","text":"you"},{"type":"image_url","image_url":{"url":"https://i/1.png"}}]"#
      ]))
    #expect(generation.content == "Hi you")
    #expect(generation.choices[0].imageURLs == ["https://i/1.png"])
  }

  @Test func aRefusalIsPutTogetherLikeContent() {
    let pieces = [
      #""role":"assistant""#, #""refusal":"I can""#, #""refusal":null"#, #""refusal":"'t \ud83d""#,
      #""refusal":"\ude00""#,
    ]
    let generation = generation(sse: stream(messages: pieces))
    #expect(generation.choices[0].refusal == "I can't 😀")
    #expect(generation.choices[0].content == nil)
    #expect(generation.firstContentFrame == 1)
    #expect(generation.extra == .object([]))
    let parts = #""content":[{"type":"refusal","refusal":"No."}]"#
    #expect(TapeDialectsTests.generation(sse: stream(messages: [parts])).choices[0].refusal == "No.")
    #expect(TapeDialectsTests.generation(sse: stream(messages: [#""refusal":5"#])).choices[0].refusal == nil)
  }

  @Test func firstContentIsTheFirstFrameThatSaysSomething() {
    let empty = #""role":"assistant","content":"","reasoning":null"#
    #expect(generation(sse: ": hi\n\n" + stream(messages: [empty, empty, #""reasoning":"r""#])).firstContentFrame == 3)
    #expect(generation(sse: stream(messages: [empty, #""url":"https://i""#])).firstContentFrame == 1)
    #expect(generation(sse: stream(messages: [empty])).firstContentFrame == nil)
  }
}
