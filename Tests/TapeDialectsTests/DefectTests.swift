import TapeDialects
import TapeJSON
import TapeTypes
import Testing

@Suite struct DefectTests {
  private let chunk = #"{"id":"r","choices":[{"index":0,"message":{"content":"a"}}]}"#

  @Test func anUnterminatedTailIsFlaggedAndNotMerged() {
    let generation = generation(sse: "data: \(chunk)\n\ndata: \(chunk)\n")
    #expect(generation.content == "a")
    #expect(generation.defects.contains { $0.kind == .truncated && $0.frame == 1 })
    #expect(!generation.complete)
  }

  @Test(arguments: ["data: [DONE]", "data: [DONE]\n", "data: [DONE]\r\n", "data:[DONE]"])
  func anUnterminatedDoneCountsAndIsFlagged(tail: String) {
    let generation = generation(sse: "data: \(chunk)\n\n\(tail)")
    #expect(generation.complete)
    #expect(generation.has(.truncated))
  }

  @Test(arguments: ["data: [DON", "data: [DONE", "data: {\"is_final\":true}\n", "data"])
  func otherTailsDoNotComplete(tail: String) {
    let generation = generation(sse: "data: \(chunk)\n\n\(tail)")
    #expect(!generation.complete)
    #expect(generation.has(.truncated))
  }

  @Test func nothingBehindDoneIsMerged() {
    let generation = generation(
      sse: "data: \(chunk)\n\ndata: [DONE]\n\ndata: \(chunk)\n\n: bye\n\ndata: {\"error\":\"x\"}\n\n")
    #expect(generation.content == "a")
    #expect(generation.complete && generation.error == nil)
    #expect(generation.defects.filter { $0.kind == .afterDone }.map(\.frame) == [2, 4])
  }

  @Test func aStreamThatJustEndsHasNoFinal() {
    let generation = generation(sse: "data: \(chunk)\n\n")
    #expect(generation.defects.map(\.kind) == [.noFinal])
    #expect(!generation.complete)
  }

  @Test(arguments: ["oops", "{", "[]", "1", "\"a\"", "{\"a\":1}{", "{\"a\":\u{1}}"])
  func aBadFrameIsADefectAndTheRestMerges(data: String) {
    let generation = generation(sse: "data: \(chunk)\n\ndata: \(data)\n\ndata: \(chunk)\n\ndata: [DONE]\n\n")
    #expect(generation.content == "aa")
    #expect(generation.complete)
    #expect(generation.defects.contains { $0.kind == .badFrame && $0.frame == 1 })
  }

  @Test func aBadFrameMergesNothingOfItself() {
    let generation = generation(sse: "data: \(chunk.dropLast()),\"model\":\"m\"\n\ndata: [DONE]\n\n")
    #expect(generation.choices.isEmpty)
    #expect(generation.model == nil)
  }

  @Test(arguments: [(510, false), (600, true), (200_000, true)])
  func aFrameNestedTooDeepIsBad(depth: Int, isBad: Bool) {
    let deep = String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
    let generation = generation(sse: "data: {\"x\":\(deep)}\n\ndata: [DONE]\n\n")
    #expect(generation.has(.badFrame) == isBad)
  }

  @Test func hugeNumbersAndLoneSurrogatesInUnreadFieldsHarmNothing() {
    let data = #"{"x":1e400,"y":"\ud83d","choices":[{"index":0,"message":{"content":"a"}}]}"#
    let generation = generation(sse: "data: \(data)\n\ndata: [DONE]\n\n")
    #expect(generation.content == "a")
    #expect(!generation.has(.badFrame))
    #expect(generation.extra["x"] == .number("1e400"))
    #expect(generation.extra["y"] == .string("\u{FFFD}"))
  }

  @Test func manyDefectsOfAKindAreCounted() {
    let generation = generation(sse: String(repeating: "data: x\n\n", count: 1_000) + "data: [DONE]\n\n")
    #expect(generation.defects.filter { $0.kind == .badFrame }.count == 51)
    #expect(generation.defects.contains { $0.message.hasPrefix("950 more") })
  }

  @Test func modelAndProviderChangesAreExposedAndTheFirstStays() {
    func chunk(_ model: String, _ provider: String) -> String {
      "data: {\"model\":\"\(model)\",\"provider\":\"\(provider)\",\"is_final\":true}\n\n"
    }
    let generation = generation(sse: chunk("", "p1") + chunk("m1", "p1") + chunk("m2", "p2") + "data: [DONE]\n\n")
    #expect(generation.model == "m1" && generation.provider == "p1")
    #expect(generation.lastModel == "m2" && generation.lastProvider == "p2")
    #expect(generation.defects.filter { $0.kind == .modelChanged }.map(\.frame) == [2, 2])
    #expect(generation.complete)
  }

  @Test(arguments: [
    (": ping\n\n: ping\n\n", Defect.Kind.empty), ("", .empty), ("\n\n", .empty), ("event: x\n\n", .empty),
  ])
  func aStreamWithoutEventsIsEmpty(body: String, kind: Defect.Kind) {
    let generation = generation(sse: body)
    #expect(generation.has(kind))
    #expect(!generation.complete)
  }

  @Test func everyCutOfEveryVectorIsCompleteOrHasADefect() {
    for vector in OrqVector.all {
      for end in stride(from: 0, through: vector.sse.count, by: 7) {
        let generation = generation(of: call(Array(vector.sse[..<end])))
        #expect(generation.complete || !generation.defects.isEmpty, "\(vector.name) cut at \(end)")
      }
    }
  }

  @Test func anOpenCallHasNoDefectForWhatIsStillToCome() {
    let body = Array("data: \(chunk)\n\ndata: \(chunk)\n\n".utf8)
    var live = call(body)
    live.end = nil
    live.isLive = true
    let generation = generation(of: live)
    #expect(generation.content == "aa")
    #expect(generation.defects.isEmpty)
    #expect(!generation.complete)
  }
}
