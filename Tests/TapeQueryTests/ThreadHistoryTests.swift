import TapeDialects
import Testing

@testable import TapeQuery

@Suite struct ThreadHistoryTests {
  /// `u:Hi` is a user's message; s, a and t are system, assistant and tool.
  private static func message(_ text: some StringProtocol) -> ChatMessage {
    let roles = ["s": "system", "u": "user", "a": "assistant", "t": "tool", "d": "developer"]
    let parts = text.split(separator: ":", maxSplits: 1)
    return ChatMessage(role: roles[String(parts[0])], content: String(parts[1]))
  }

  private static func messages(_ text: String) -> [ChatMessage] { text.split(separator: " ").map(message) }

  /// A call as `messages > reply`, in 10 s or else as long as `+N` says.
  private static func steps(_ calls: [String]) -> [String] {
    var history = ThreadHistory()
    return calls.enumerated().map { number, call in
      let sides = call.split(separator: ">", omittingEmptySubsequences: false).map { String($0) }
      let asked = messages(sides[0])
      let replies = messages(sides[1].replacing("!", with: ""))
      let length: Int64 = sides[1].contains("!") ? 15 : 5
      let step = history.step(
        asked, replies: replies, startedNs: Int64(number) * 10, endedNs: Int64(number) * 10 + length)
      return describe(step, asked)
    }
  }

  private static func describe(_ step: ThreadHistory.Step, _ asked: [ChatMessage]) -> String {
    let changes = step.changes.map { change in
      switch change.kind {
      case .edited: "~\(change.before?.content ?? "")→\(change.after?.content ?? "")"
      case .removed: "-\(change.before?.content ?? "")"
      case .inserted: "+\(change.after?.content ?? "")"
      }
    }
    let new = step.new.map { asked[$0].content }
    let base = step.base.map { "\($0)" } ?? ""
    return ([step.kind.rawValue + base] + changes + new).joined(separator: " ")
  }

  @Test(arguments: [
    // The history is sent again, with the answer.
    (["s:S u:1 >a:A", "s:S u:1 a:A u:2 >a:B", "s:S u:1 a:A u:2 a:B u:3 >"], ["first S 1", "resent0 2", "resent1 3"]),
    // Each call asks by itself.
    (["u:1 >a:A", "u:2 >a:B"], ["first 1", "not_resent0 2"]),
    (["s:S u:1 >a:A", "s:S u:2 >a:B", "s:T u:3 >"], ["first S 1", "not_resent0 2", "not_resent1 ~S→T 3"]),
    // Asked again; and going on from the first of two answers.
    (["u:1 >a:A", "u:1 >a:B", "u:1 a:A u:2 >"], ["first 1", "retry0", "branch0 2"]),
    // A question or an answer is not what it was.
    (["u:1 >a:A", "u:1 a:A u:2 >a:B", "u:9 a:A u:2 a:B u:3 >"], ["first 1", "resent0 2", "edited1 ~1→9 3"]),
    (["u:1 >a:A", "u:1 a:Z u:2 >"], ["first 1", "edited0 ~A→Z 2"]),
    (["u:1 >a:A", "u:1 u:2 >"], ["first 1", "edited0 -A 2"]),
    // The last question is asked in other words; its answer went with it.
    (["s:S u:1 >a:A", "s:S u:1 a:A u:2 >a:B", "s:S u:1 a:A u:9 >"], ["first S 1", "resent0 2", "edited1 ~2→9"]),
    // A window that moves on.
    (
      ["s:S u:1 >a:A", "s:S u:1 a:A u:2 >a:B", "s:S u:2 a:B u:3 >"],
      ["first S 1", "resent0 2", "truncated1 -1 -A 3"]
    ),
    // A summary takes the place of what was said.
    (
      ["s:S u:1 >a:A", "s:S u:1 a:A u:2 >a:B", "s:S s:Sum u:2 a:B u:3 >"],
      ["first S 1", "resent0 2", "edited1 -1 -A +Sum 3"]
    ),
    (["u:1 >a:A", "u:1 a:A u:2 >a:B", "u:1 a:A t:X u:2 a:B u:3 >"], ["first 1", "resent0 2", "edited1 +X 3"]),
    // A call that failed had no answer to send.
    (["u:1 >", "u:1 u:2 >a:A", "u:1 u:2 a:A u:3 >"], ["first 1", "resent0 2", "resent1 3"]),
    (["u:1 >", "u:1 >a:A"], ["first 1", "retry0"]),
    // Asked beside a call that still ran: it could not know its question or answer.
    (
      ["s:S u:1 >a:A", "s:S u:1 a:A u:2 >!a:B", "s:S u:1 a:A u:3 >a:C"], ["first S 1", "resent0 2", "branch0 3"]
    ),
    (["u:1 >!a:A", "u:1 u:2 >"], ["first 1", "resent0 2"]),
    // Back to an earlier point.
    (
      ["u:1 >a:A", "u:1 a:A u:2 >a:B", "u:1 a:A u:2 a:B u:3 >a:C", "u:1 a:A u:4 >"],
      ["first 1", "resent0 2", "resent1 3", "edited2 ~2→4 -B -3"]
    ),
    (["u:1 >a:A", "u:5 >a:E", "u:1 a:A u:2 >"], ["first 1", "not_resent0 5", "branch0 2"]),
    // Nothing is sent at all.
    ([">a:A", ">a:B", "u:1 >"], ["first", "not_resent0", "not_resent1 1"]),
    // Any of several choices may be the one that was kept.
    (["u:1 >a:A a:B", "u:1 a:B u:2 >"], ["first 1", "resent0 2"]),
  ])
  func whatIsNewAndWhatWasChanged(calls: [String], expected: [String]) {
    #expect(Self.steps(calls) == expected)
  }

  /// `id<previous messages > reply`: what the API knows is not sent again, and everything that is sent is new.
  @Test(arguments: [
    (
      ["a s:S u:1 >a:A", "b<a s:S u:2 >a:B", "c<b s:T u:2 >a:C"], ["first S 1", "not_resent0 2", "not_resent1 ~S→T 2"]
    ),
    // The same question in another place of the conversation is new; in the same place it is asked again.
    (["a u:go >a:A", "b<a u:go >a:B", "c<b u:go >a:C"], ["first go", "not_resent0 go", "not_resent1 go"]),
    (["a u:1 >a:A", "b<a u:2 >", "c<a u:2 >a:C", "d<a u:3 >"], ["first 1", "not_resent0 2", "retry1", "branch0 3"]),
    // It is not known what it goes on from.
    (["b<a u:2 >a:B", "d<c u:3 >a:D"], ["first 2", "not_resent 3"]),
  ])
  func whatTheApiKnowsIsNotSentAgain(calls: [String], expected: [String]) {
    var history = ThreadHistory()
    var makers: [String: Int] = [:]
    let steps = calls.enumerated().map { number, call in
      let parts = call.split(separator: " ", maxSplits: 1).map(String.init)
      let names = parts[0].split(separator: "<").map(String.init)
      let sides = parts[1].split(separator: ">", omittingEmptySubsequences: false).map(String.init)
      let asked = Self.messages(sides[0])
      let previous = names.count < 2 ? nil : ThreadHistory.Previous(response: names[1], call: makers[names[1]])
      let step = history.step(
        asked, replies: Self.messages(sides[1]), startedNs: Int64(number) * 10, endedNs: Int64(number) * 10 + 5,
        previous: previous)
      makers[names[0]] = number
      return Self.describe(step, asked)
    }
    #expect(steps == expected)
  }

  @Test func whiteSpaceAtTheEndsAndTheLayoutOfArgumentsDoNotCount() {
    var call = ToolCall(index: 0)
    call.name = "f"
    call.arguments = #"{"a":1,"b":[2]}"#
    var again = call
    again.id = "x"
    again.arguments = #"{ "b": [2], "a": 1 }"#
    let reply = ChatMessage(role: "assistant", content: "Hi ", toolCalls: [call])
    #expect(reply.key == ChatMessage(role: "assistant", content: "Hi", toolCalls: [again]).key)
    again.arguments = #"{"a":2,"b":[2]}"#
    #expect(reply.key != ChatMessage(role: "assistant", content: "Hi", toolCalls: [again]).key)
    // Other bytes are another text.
    #expect(Self.message("u:\u{E9}").key != Self.message("u:e\u{301}").key)
  }
}
