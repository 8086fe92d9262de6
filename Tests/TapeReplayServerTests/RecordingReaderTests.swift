import TapeArchive
import TapeReplay
import TapeTestSupport
import TapeTypes
import Testing

@testable import TapeReplayServer

struct RecordingReaderTests {
  private let directory = try? TestStore()
  private let count = 700

  /// Two blocks and a part of one, in the order of their start.
  private func recorded(sealed: Bool) throws -> (reader: ArchiveReader, calls: [RecordedCall]) {
    let directory = try #require(directory)
    var random = RandomCalls(seed: 3)
    let writer = try directory.writer()
    for index in 0..<count {
      var call = random.next()
      call.open.startedAtNs = 1_767_225_600_000_000_000 + Int64(index)
      call.open.method = "POST"
      call.open.path = "/v2/deployments/stream"
      let handle = writer.open(call.open)
      for part in 0..<3 {
        Array("data: \(index) \(part)\n\n".utf8).withUnsafeBytes { writer.frame(handle, offsetNs: Int64(part), $0) }
      }
      writer.end(handle, offsetNs: 9, cause: .endOfBody)
    }
    try writer.close()
    if sealed { _ = try Sealer(store: directory.store, log: directory.log).seal() }
    let reader = ArchiveReader(store: directory.store)
    var calls: [RecordedCall] = []
    try reader.allCalls { call, _ in calls.append(call) }
    return (reader, calls.sorted { $0.open.startedAtNs < $1.open.startedAtNs })
  }

  private func recordings(_ reader: ArchiveReader) throws -> Recordings {
    try Recordings(of: reader, only: nil, match: .sequence, loops: true, rules: MatchRules(), onDamage: { _ in })
  }

  private func next(_ recordings: Recordings) throws -> Recordings.Choice {
    let request = CanonicalRequest([], try MatchRules())
    guard case .recording(let choice) = recordings.next(request, method: "POST", target: "/v2/deployments/stream")
    else { throw TapeError(.notFound, "no recording") }
    return choice
  }

  @Test(arguments: [true, false]) func oneAfterTheOtherAndManyAtOnceAreWhatWasRecorded(sealed: Bool) throws {
    let (archive, calls) = try recorded(sealed: sealed)
    #expect(calls.count == count)
    let recordings = try recordings(archive)
    let reader = RecordingReader(archive, BlockShelf(archive))
    for call in calls {
      let choice = try next(recordings)
      #expect((choice.places == nil) == sealed)
      reader.read([choice]) { _, result in #expect((try? result.get())?.call == call) }
    }
    var found: [RecordedCall] = []
    reader.read(try calls.map { _ in try next(recordings) }) { _, result in
      if let played = try? result.get() { found.append(played.call) }
    }
    #expect(found == calls)
  }

  @Test func theNextBlockIsNamedAhead() throws {
    let (archive, calls) = try recorded(sealed: true)
    let recordings = try recordings(archive)
    let choices = try calls.map { _ in try next(recordings) }
    let blocks = Set(choices.map(\.location.offset))
    #expect(blocks.count == 3)
    for (index, choice) in choices.enumerated() {
      let later = index + 24 < count ? choices[index + 24].location : choice.location
      #expect(choice.ahead == (later == choice.location ? nil : later))
    }
  }

  /// Each call of a block is given once; what is not asked for is let go.
  @Test func aBlockOnTheShelfGivesEachOfItsCallsOnce() throws {
    let (archive, calls) = try recorded(sealed: true)
    let recordings = try recordings(archive)
    let first = try next(recordings)
    let shelf = BlockShelf(archive)
    #expect(shelf.take(first.id, at: first.location) == nil)
    shelf.fetch(first.location)
    #expect(shelf.take(first.id, at: first.location) == calls[0])
    #expect(shelf.take(first.id, at: first.location) == nil)
    let second = try next(recordings)
    shelf.rest()
    #expect(shelf.take(second.id, at: second.location) == calls[1])
    #expect(shelf.take(calls[count - 1].open.id, at: first.location) == nil)
  }
}
