import TapeArchive
import TapeReplay
import TapeTypes
import Testing

@testable import TapeReplayServer

struct RecordingsTests {
  private let rules: MatchRules

  init() throws { rules = try MatchRules() }

  private struct Made {
    var body: String
    var path = "/v2/deployments/stream"
    var method = "POST"
    var startedAtNs: Int64?
    var hasEnded = true
  }

  /// Recordings named 1, 2, … in this order.
  private func recordings(_ match: RequestMatch, loops: Bool = false, _ made: [Made]) -> Recordings {
    let recordings = Recordings(match: match, loops: loops)
    for (index, made) in made.enumerated() {
      recordings.add(
        RecordedRequest(
          id: CallID(high: 0, low: UInt64(index + 1)), startedAtNs: made.startedAtNs ?? Int64(index),
          location: CallLocation(file: "S", offset: index), method: made.method, path: made.path,
          body: Array(made.body.utf8), hasEnded: made.hasEnded), rules)
    }
    recordings.arrange()
    return recordings
  }

  /// The number of the recording; nil for none, 0 where all had their turn.
  private func ask(
    _ recordings: Recordings, _ body: String, path: String = "/v2/deployments/stream", method: String = "POST"
  ) -> Int? {
    switch recordings.next(CanonicalRequest(Array(body.utf8), rules), method: method, target: path) {
    case .recording(let choice): Int(choice.id.low)
    case .usedUp: 0
    case .none: nil
    }
  }

  @Test func equalBodiesHaveTheirTurnInTheOrderOfTheirStart() {
    let made = [
      Made(body: #"{"a":1}"#, startedAtNs: 30), Made(body: #"{"a":2}"#, startedAtNs: 5),
      Made(body: #"{"a":1.0}"#, startedAtNs: 10), Made(body: #"{ "a":1 }"#, startedAtNs: 20),
    ]
    let last = recordings(.body, made)
    #expect((0..<5).map { _ in ask(last, #"{"a":1}"#) } == [3, 4, 1, 1, 1])
    #expect(ask(last, #"{"a":2}"#) == 2 && ask(last, #"{"a":3}"#) == nil)
    let loops = recordings(.body, loops: true, made)
    #expect((0..<5).map { _ in ask(loops, #"{"a":1}"#) } == [3, 4, 1, 3, 4])
  }

  @Test func equalStartsAreInTheOfOrderOfTheirIDs() {
    let equal = recordings(.body, (0..<3).map { _ in Made(body: "{}", startedAtNs: 7) })
    #expect((0..<3).map { _ in ask(equal, "{}") } == [1, 2, 3])
  }

  @Test func byKeyTheDeploymentDecides() {
    let keys = recordings(
      .key, [Made(body: #"{"key":"a","x":1}"#), Made(body: #"{"key":"b"}"#), Made(body: #"{"key":"a"}"#)])
    #expect(ask(keys, #"{"key":"a","y":9}"#) == 1 && ask(keys, #"{"key":"a"}"#) == 3 && ask(keys, #"{"key":"a"}"#) == 3)
    #expect(ask(keys, #"{"key":"b","model":"a"}"#) == 2 && ask(keys, #"{"key":"c"}"#) == nil && ask(keys, "{}") == nil)
  }

  @Test func aSequenceIsGoneThroughOnceOrForEver() {
    let made = [Made(body: "1"), Made(body: "2"), Made(body: "3")]
    let once = recordings(.sequence, made)
    #expect((0..<5).map { _ in ask(once, "whatever") } == [1, 2, 3, 0, 0])
    let forEver = recordings(.sequence, loops: true, made)
    #expect((0..<5).map { _ in ask(forEver, "whatever") } == [1, 2, 3, 1, 2])
    #expect(ask(once, "whatever", path: "/v1/models", method: "GET") == nil)
  }

  @Test func ofASequenceEachPathHasItsOwn() {
    let made = [Made(body: "1", path: "/a"), Made(body: "2", path: "/b"), Made(body: "3", path: "/a")]
    let mixed = recordings(.sequence, made)
    #expect(ask(mixed, "", path: "/b") == 2 && ask(mixed, "", path: "/a") == 1 && ask(mixed, "", path: "/a") == 3)
  }

  @Test(arguments: [
    ("/v2/x", "/v2/x", true), ("/v2/x/", "/v2/x", true), ("/gateway/v2/x", "/v2/x", true),
    ("/v2/x", "/gateway/v2/x", true),
    ("/v2/x", "/v2/y", false), ("/v2/x", "/v2x", false), ("/x", "/v2/x", true), ("/", "/v2/x", false),
    ("/v2/x?b=2&a=1", "/v2/x?a=1&b=2", true), ("/v2/x?a=1", "/v2/x", false), ("/v2/x", "", true),
    ("/v2/x?key=sk-123456789012", "/v2/x?key=[redacted]", true), ("/v2/x", "/v2/x?key=[redacted]", true),
    ("/v2/x?sk-123456789012", "/v2/x?[redacted]", true), ("/v2/x?a=1", "/v2/x?a=1&[redacted]", true),
    ("/v2/sk-1234567890123456/x/y", "/v2/[redacted]/x/y", true),
    ("/v2/sk-1234567890123456/x/y", "/v2/sk-6543210987654321/x/y", true),
  ])
  func pathsFitWithoutTheirPrefixes(_ asked: String, _ recorded: String, _ fits: Bool) {
    let one = recordings(.body, [Made(body: "{}", path: recorded)])
    #expect((ask(one, "{}", path: asked) != nil) == fits)
    #expect(ask(one, "{}", path: asked, method: "PUT") == nil)
  }

  @Test func anEqualPathComesBeforeOneThatFits() {
    let made = [Made(body: "{}", path: ""), Made(body: "{}", path: "/g/v2/x"), Made(body: "{}", path: "/v2/x")]
    let some = recordings(.body, made)
    #expect(
      ask(some, "{}", path: "/v2/x") == 3 && ask(some, "{}", path: "/h/g/v2/x") == 2 && ask(some, "{}", path: "/q") == 1
    )
  }

  @Test func whereBothAreRecordedAStreamIsAnsweredByAStream() {
    let both = recordings(.body, [Made(body: #"{"a":1}"#), Made(body: #"{"a":1,"stream":true}"#)])
    #expect(ask(both, #"{"a":1,"stream":true}"#) == 2 && ask(both, #"{"a":1,"stream":false}"#) == 1)
    let one = recordings(.body, [Made(body: #"{"a":1,"stream":true}"#)])
    #expect(ask(one, #"{"a":1}"#) == 1)
  }

  @Test func whatIsStillOpenIsLeftOut() {
    let some = recordings(.body, [Made(body: "{}", hasEnded: false), Made(body: "{}")])
    #expect(some.count == 1 && some.leftOut == 1 && ask(some, "{}") == 2)
  }

  @Test func theNearestHasMostInCommon() throws {
    let words = ["the quick brown fox", "a quick brown dog jumps", "nothing of the kind", "the quick brown dog sleeps"]
    let some = recordings(.body, words.map { Made(body: #"{"key":"k","messages":[{"content":"\#($0)"}]}"#) })
    let asked = CanonicalRequest(Array(#"{"key":"k","messages":[{"content":"a quick brown dog leaps"}]}"#.utf8), rules)
    let route = RequestRoute(method: "POST", target: "/v2/deployments/stream")
    #expect(some.nearest(asked, route, most: 2).map(\.id.low) == [2, 4])
  }

  @Test(arguments: [
    ("/v1/chat/completions", "/v1"), ("/chat/completions", ""), ("/v2/router/chat/completions", "/v2/router"),
    ("/v1/responses", "/v1"), ("/v2/agents/a/responses", nil), ("/v2/deployments/stream", nil),
  ])
  func openAIsPathIsThatOfTheRecordings(_ path: String, _ expected: String?) {
    #expect(recordings(.body, [Made(body: "{}", path: path)]).openAIPath == expected)
  }
}
