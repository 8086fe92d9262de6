import TapeSSE
import Testing

@Suite struct EventParserTests {
  @Test func theVectorsAreThere() {
    #expect(SSEVector.all.count == 35)
  }

  @Test(arguments: SSEVector.all)
  func everyVectorGivesItsEventsForEveryChunking(vector: SSEVector) {
    for chunks in chunkings(of: vector.input, splits: vector.splits) {
      var parser = EventParser()
      let events = parse(chunks, with: &parser)
      let sizes = chunks.map(\.count)
      #expect(events.count == vector.events.count, "chunks \(sizes)")
      for (got, want) in zip(events, vector.events) {
        // Swift compares strings by canonical equivalence; the vectors mean bytes.
        #expect(Array(got.data.utf8) == Array(want.data.utf8), "chunks \(sizes)")
        #expect(Array(got.event.utf8) == Array(want.event.utf8), "chunks \(sizes)")
        #expect(Array(got.id.utf8) == Array(want.id.utf8), "chunks \(sizes)")
        if !vector.isAmbiguous { #expect(got.retry == want.retry, "chunks \(sizes)") }
      }
      #expect(parser.lastEventID == vector.finalID)
      if !vector.isAmbiguous { #expect(parser.reconnectionTimeMs == vector.finalRetry) }
    }
  }

  @Test func retryIsTheLastValidOneOfItsBlock() {
    let body = Array(
      "retry: 10\nretry: x\nretry: 20\nretry: 9223372036854775808\ndata: a\n\ndata: b\n\nretry: 7\n\n".utf8)
    for chunks in chunkings(of: body) {
      var parser = EventParser()
      #expect(parse(chunks, with: &parser).map(\.retry) == [20, nil])
      #expect(parser.reconnectionTimeMs == 7)
    }
  }

  @Test func anIDWithNULIsIgnoredAndAnEmptyOneResets() {
    let body = Array("id: 1\ndata: a\n\nid: 2\u{0}\ndata: b\n\nid\ndata: c\n\n".utf8)
    for chunks in chunkings(of: body) {
      var parser = EventParser()
      #expect(parse(chunks, with: &parser).map(\.id) == ["1", "1", ""])
    }
  }

  @Test func anIDOfABlockThatNeverEndedIsNotCommitted() {
    var parser = EventParser()
    let events = parse([Array("id: 1\ndata: a\n\nid: 2\ndata: b\n".utf8)[...]], with: &parser)
    #expect(events.count == 1)
    #expect(parser.lastEventID == "1")
  }

  @Test func aBlockEndedByCRIsDispatchedBeforeTheNextByte() {
    var parser = EventParser()
    var seen = 0
    Array("data: a\r\r".utf8).withUnsafeBytes { parser.feed($0) { _ in seen += 1 } }
    #expect(seen == 1)
    Array("\ndata: b\r\n\r".utf8).withUnsafeBytes { parser.feed($0) { _ in seen += 1 } }
    #expect(seen == 2)
  }

  @Test func aLineOf16MiBIsRead() {
    let payload = [UInt8](repeating: 0x78, count: 16 << 20)
    let body = Array("data: ".utf8) + payload + Array("\n\n".utf8)
    var parser = EventParser()
    let chunks = stride(from: 0, to: body.count, by: 1 << 16).map { body[$0..<min($0 + 1 << 16, body.count)] }
    let events = parse(chunks, with: &parser)
    #expect(events.map { $0.data.utf8.count } == [16 << 20])
    #expect(parser.oversizedEvents == 0)
  }

  @Test func anEventOverTheLimitIsDroppedWholeAndCounted() {
    let long = String(repeating: "x", count: 100)
    let many = String(repeating: "data: \(String(repeating: "y", count: 30))\n", count: 4)
    let body = Array("data: 1\n\ndata: \(long)\ndata: tail\n\ndata: 2\n\n\(many)\ndata: 3\n\n".utf8)
    for chunks in chunkings(of: body) {
      var parser = EventParser(maximumEventBytes: 64)
      #expect(parse(chunks, with: &parser).map(\.data) == ["1", "2", "3"])
      #expect(parser.oversizedEvents == 2)
    }
  }

  @Test func randomBodiesGiveTheSameEventsForEveryChunking() {
    for seed in 0..<400 as Range<UInt64> {
      let body = randomBody(seed: seed)
      let all = chunkings(of: body)
      var parser = EventParser()
      let want = parse(all[0], with: &parser)
      for chunks in all.dropFirst() {
        var parser = EventParser()
        let got = parse(chunks, with: &parser)
        #expect(got == want, "seed \(seed), chunks \(chunks.map(\.count))")
      }
    }
  }
}

func parse(_ chunks: [ArraySlice<UInt8>], with parser: inout EventParser) -> [SSEEvent] {
  var events: [SSEEvent] = []
  for chunk in chunks {
    chunk.withUnsafeBytes { parser.feed($0) { events.append($0) } }
  }
  parser.finish()
  return events
}
