import TapeTestSupport
import TapeTypes
import Testing

@testable import TapeArchive

/// decode(encode(x)) == x, over random and mutated calls: frames need not be JSON, nor UTF-8, nor SSE.
struct RoundTripTests {
  private static func calls(_ count: Int, seed: UInt64) -> [RecordedCall] {
    var random = RandomCalls(seed: seed)
    return (0..<count).map { _ in random.next() }
  }

  @Test(arguments: 1...40) func aBlockComesBackAsItWas(seed: UInt64) throws {
    let calls = Self.calls(Int(seed % 7) + 1, seed: seed)
    let block = try encode(calls.map { .call($0) })
    let items = try TemplateCoding().decode(block, only: nil)
    #expect(items.map(\.call) == calls, "seed \(seed)")
    for call in calls {
      let one = try TemplateCoding().decode(block, only: call.open.id)
      #expect(one.map(\.call) == [call], "seed \(seed), one call")
    }
  }

  @Test func tombstonesStayBetweenCalls() throws {
    var random = RandomCalls(seed: 99)
    for kept in [nil, Array(#"{"total_tokens":3}"#.utf8)] {
      let gone = random.next()
      let tombstone = Tombstone(
        id: gone.open.id, startedAtNs: gone.open.startedAtNs, leafHash: leafHash(of: gone), erasedAtNs: 5, kept: kept)
      let items: [SegmentItem] = [
        .tombstone(tombstone), .call(random.next()), .tombstone(tombstone), .call(random.next()),
        .tombstone(tombstone),
      ]
      let back = try TemplateCoding().decode(try encode(items), only: nil)
      #expect(back.map(\.leafHash) == items.map(\.leafHash))
      #expect(back.map(\.id) == items.map(\.id))
      guard case .tombstone(let read) = back[2] else { throw BlockError("no tombstone") }
      #expect(read == tombstone)
    }
  }

  /// Through a journal, with frames that come in parts, batches and rolls anywhere; then through a segment.
  @Test(arguments: 1...30) func aJournalAndASegmentGiveWhatWasRecorded(seed: UInt64) throws {
    let expected = Self.calls(6, seed: seed * 1000)
    var random = RandomCalls(seed: seed)
    let store = try memoryStore()
    var options = JournalOptions()
    options.rollBytes = seed % 3 == 0 ? 4096 : options.rollBytes
    let writer = try JournalWriter(store: store, options: options, log: quiet)
    var turns: [(handle: JournalWriter.Handle, next: Int)] = expected.map { call in
      let handle = writer.open(call.open)
      if let head = call.head { writer.head(handle, head) }
      return (handle, 0)
    }
    var open = Array(expected.indices)
    while !open.isEmpty {
      let place = random.below(open.count)
      let index = open[place]
      let call = expected[index]
      if turns[index].next == call.frameCount {
        if let end = call.end {
          writer.end(turns[index].handle, asGiven: end)
        } else {
          writer.abandon(turns[index].handle)
        }
        open.remove(at: place)
      } else {
        let offset = call.frameOffsetNs(turns[index].next)
        var rest = call.raw[call.frameRange(turns[index].next)]
        while random.chance(1, of: 4), !rest.isEmpty {
          let piece = rest.prefix(random.below(rest.count + 1))
          writer.part(turns[index].handle, offset, Array(piece))
          rest = rest.dropFirst(piece.count)
        }
        writer.frame(turns[index].handle, offset, Array(rest))
        turns[index].next += 1
      }
      if random.chance(1, of: 6) { _ = writer.flush() }
    }
    try writer.close()
    let wanted = Dictionary(uniqueKeysWithValues: expected.map { ($0.open.id, $0) })
    #expect(try store.everything(whole: false).calls == wanted, "journal, seed \(seed)")
    let places = try Self.places(store)
    try checkCallsReadTogether(store, wanted, places, &random)
    _ = try Sealer(store: store, level: 1, log: quiet).seal()
    #expect(try store.archiveFiles().allSatisfy { !$0.hasPrefix("J-") })
    #expect(try store.everything(whole: false).calls == wanted, "segment, seed \(seed)")
    #expect(try ArchiveReader(store: store).calls(at: places).isEmpty)
    #expect(try Self.places(store).isEmpty)
  }

  /// Those of a journal from where they lie; nothing of them once they are sealed.
  private static func places(_ store: Store) throws -> [JournalPlaces] {
    var places: [JournalPlaces] = []
    try ArchiveReader(store: store).forEachRequest { request in
      #expect(request.hasEnded)
      if let place = request.places { places.append(place) }
    }
    return places
  }

  private func checkCallsReadTogether(
    _ store: Store, _ wanted: [CallID: RecordedCall], _ places: [JournalPlaces], _ random: inout RandomCalls
  ) throws {
    let reader = ArchiveReader(store: store)
    #expect(places.count == wanted.count)
    #expect(try reader.calls(at: places) == wanted)
    let some = places.filter { _ in random.chance(1, of: 2) }
    #expect(try reader.calls(at: some) == wanted.filter { wanted in some.contains { $0.id == wanted.key } })
    for place in places { #expect(try reader.calls(at: [place]) == wanted.filter { $0.key == place.id }) }
    #expect(try reader.calls(at: []).isEmpty)
  }
}
