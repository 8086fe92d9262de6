import Foundation
import Logging
import NIOCore
import Synchronization
import TapeArchive
import TapeProxy
import TapeRecorder
import TapeTypes
import Testing

/// `TapeRecorder.tape`: bodies that somebody else receives.
struct TapedBodyTests {
  private let directory = Rig.makeDirectory()
  private let logged = LogLines()
  private let asked = TapeRequest(
    url: "https://ada:pass@api.example.com/v1/chat/completions?key=KEYSECRET",
    headers: [.init("Authorization", "Bearer KEYSECRET")],
    body: Array(#"{"stream":true}"#.utf8))
  private let eventStream = [
    HeaderField("Content-Type", "text/event-stream"), HeaderField("Set-Cookie", "COOKIESECRET"),
  ]

  private func recorder(files: (any TapeFiles)? = nil, _ change: (inout RecorderOptions) -> Void = { _ in }) throws
    -> TapeRecorder
  {
    var options = RecorderOptions()
    let lines = logged
    options.logger = Logger(label: "test") { _ in lines }
    change(&options)
    let store =
      try files.map { try Store(path: directory, access: .writing, files: $0, clock: SystemClock()) }
      ?? Store(path: directory, access: .writing)
    return try TapeRecorder(store: store, options: options)
  }

  private func tapes() throws -> [RecordedCall] { try recordedCalls(of: Store(path: directory, access: .reading)) }

  @Test func chunksComeUnchangedAndTheTapeHasFramesWithTimes() async throws {
    let recorder = try recorder()
    let chunks = ["data: 1\n", "\ndata: 2\n\nda", "", "ta: [DONE]\n\n"].map { Array($0.utf8) }
    let before = ContinuousClock.now - .milliseconds(50)
    let taped = recorder.tape(Body(chunks), of: asked, status: 201, headers: eventStream, sent: before)
    var seen: [[UInt8]] = []
    for try await chunk in taped { seen.append(chunk) }
    #expect(seen == chunks)
    recorder.close()
    let call = try #require(try tapes().first)
    #expect(call.open.id == taped.callID && call.open.origin == .library)
    #expect(call.open.upstream == "https://api.example.com")
    #expect(call.open.path == "/v1/chat/completions?key=[redacted]")
    #expect(call.open.headers == [HeaderField("Authorization", "[redacted]")])
    #expect(call.open.body == asked.body)
    #expect(call.head?.status == 201)
    #expect(call.head?.headers == [eventStream[0], HeaderField("Set-Cookie", "[redacted]")])
    #expect(call.raw == chunks.flatMap { $0 })
    #expect(call.frameEnds == [9, 18, 32])
    #expect(call.frameOffsetsNs.allSatisfy { $0 >= 50_000_000 } && call.frameOffsetsNs == call.frameOffsetsNs.sorted())
    #expect(call.end?.cause == .endOfBody)
    #expect((call.end?.offsetNs ?? 0) >= (call.frameOffsetsNs.last ?? .max))
  }

  @Test func eachChunkIsOnTapeBeforeItIsHandedOut() async throws {
    let recorder = try recorder()
    let archive = ArchiveReader(store: try Store(path: directory, access: .reading))
    let taped = recorder.tape(Body((0..<20).map { Array("data: \($0)".utf8) }), of: asked, status: 200)
    var seen: [UInt8] = []
    for try await chunk in taped {
      seen += chunk
      #expect(try archive.find(taped.callID)?.call.raw == seen)
    }
    #expect(try archive.find(taped.callID)?.call.end?.cause == .endOfBody)
    recorder.close()
  }

  @Test func ofABodyThatComesByteByByteEachLineIsOnTape() async throws {
    let recorder = try recorder()
    let archive = ArchiveReader(store: try Store(path: directory, access: .reading))
    let text = Array("data: 1\n\ndata: 2\r\n\r\ndata: [DONE]".utf8)
    let taped = recorder.tape(Body(text), of: asked, status: 200, headers: eventStream)
    var seen: [UInt8] = []
    for try await byte in taped {
      seen.append(byte)
      if byte == 0x0A { #expect(try archive.find(taped.callID)?.call.raw == seen) }
    }
    #expect(seen == text)
    recorder.close()
    let call = try #require(try tapes().first)
    #expect(call.raw == text)
    #expect(call.frameEnds == [9, 20, 32])
  }

  @Test func aLongBodyWithoutLinesComesByteByByte() async throws {
    let recorder = try recorder()
    let text = (0..<100_000).map { UInt8($0 % 251) | 0x40 }
    var seen: [UInt8] = []
    for try await byte in recorder.tape(Body(text), of: asked, status: 200) { seen.append(byte) }
    recorder.close()
    #expect(seen == text)
    #expect(try tapes().first?.raw == text)
  }

  @Test func chunksMayBeOfAnyTypeThatHasBytes() async throws {
    let recorder = try recorder()
    let frame = "data: 1\n\n"
    for try await chunk in recorder.tape(Body([Data(frame.utf8)]), of: asked, status: 200) {
      #expect(chunk == Data(frame.utf8))
    }
    for try await chunk in recorder.tape(Body([Array("!\(frame)".utf8)[1...]]), of: asked, status: 200) {
      #expect(chunk.startIndex == 1)
    }
    for try await view in recorder.tape(Body([ByteBuffer(string: frame).readableBytesView]), of: asked, status: 200) {
      #expect(view.count == 9)
    }
    let buffers = Body([ByteBuffer(string: frame)])
    for try await buffer in recorder.tape(buffers, of: asked, status: 200, bytes: { $0.readableBytesView }) {
      #expect(buffer.readableBytes == 9)
    }
    recorder.close()
    #expect(try tapes().map(\.raw) == Array(repeating: Array(frame.utf8), count: 4))
  }

  @Test func anErrorOfTheBodyIsACut() async throws {
    let recorder = try recorder()
    let taped = recorder.tape(
      Body([Array("data: 1\n\nda".utf8)], failing: Broken(text: "reset by https://h/x?key=KEYSECRET")), of: asked,
      status: 200)
    var seen: [UInt8] = []
    let error = await #expect(throws: Broken.self) { for try await chunk in taped { seen += chunk } }
    #expect(error?.text == "reset by https://h/x?key=KEYSECRET")
    recorder.close()
    let call = try #require(try tapes().first)
    #expect(call.end?.cause == .upstreamClosed)
    #expect(call.end?.detail == "reset by https://h/x?key=[redacted]")
    #expect(call.raw == seen)
    #expect(call.frameCount == 2)
  }

  @Test(arguments: ["break", "task", "error of ours", "dropped", "never read", "closed before"])
  func whoLeavesIsTheClient(_ how: String) async throws {
    let recorder = try recorder()
    switch how {
    case "break":
      for try await _ in recorder.tape(Body([[1], [2]]), of: asked, status: 200) { break }
    case "task":
      // An `AsyncStream` ends as if all were well when its reader is cancelled.
      let (stream, source) = AsyncStream.makeStream(of: [UInt8].self)
      source.yield([1])
      let taped = recorder.tape(stream, of: asked, status: 200)
      await Task {
        do { for try await _ in taped { withUnsafeCurrentTask { $0?.cancel() } } } catch {}
      }.value
    case "error of ours":
      let taped = recorder.tape(Body([[1]], failing: CancellationError()), of: asked, status: 200)
      await #expect(throws: CancellationError.self) { for try await _ in taped {} }
    case "dropped":
      let asked = asked
      _ = try await Task {
        var iterator = recorder.tape(Body([[1], [2]]), of: asked, status: 200).makeAsyncIterator()
        return try await iterator.next()
      }.value
    case "never read": _ = recorder.tape(Body([[1]]), of: asked, status: 200)
    default:
      let taped = recorder.tape(Body([[1]]), of: asked, status: 200)
      recorder.close()
      for try await chunk in taped { #expect(chunk == [1]) }
    }
    recorder.close()
    let call = try #require(try tapes().first)
    #expect(call.end?.cause == .clientClosed)
    #expect(call.end?.clientClosedNs != nil)
    #expect(call.raw == (["never read", "closed before"].contains(how) ? [] : [1]))
  }

  @Test func nothingIsReadAhead() async throws {
    let recorder = try recorder()
    let pulled = Counter()
    var seen = 0
    for try await _ in recorder.tape(Body(Array(repeating: [1], count: 50), pulled: pulled), of: asked, status: 200) {
      seen += 1
      #expect(pulled.value == seen)
    }
    recorder.close()
  }

  @Test func aBodyIsTapedOnce() async throws {
    let recorder = try recorder()
    let taped = recorder.tape(Body([[1], [2]]), of: asked, status: 200)
    for _ in 0..<2 {
      var seen: [UInt8] = []
      for try await chunk in taped { seen += chunk }
      #expect(seen == [1, 2])
    }
    recorder.close()
    #expect(try tapes().map(\.raw) == [[1, 2]])
  }

  @Test func manyBodiesAtOnceKeepApart() async throws {
    let recorder = try recorder()
    let asked = asked
    try await withThrowingTaskGroup(of: Void.self) { group in
      for number in 0..<100 {
        group.addTask {
          let text = (0..<20).map { Array("data: \(number)-\($0)\n\n".utf8) }
          var seen: [[UInt8]] = []
          for try await chunk in recorder.tape(Body(text), of: asked, status: number) { seen.append(chunk) }
          #expect(seen == text)
        }
      }
      try await group.waitForAll()
    }
    recorder.close()
    let calls = try tapes()
    #expect(calls.count == 100)
    for call in calls {
      #expect(call.raw == (0..<20).flatMap { Array("data: \(call.head?.status ?? -1)-\($0)\n\n".utf8) })
      #expect(call.frameCount == 20)
    }
  }

  @MainActor @Test func anActorReadsASequenceOfItsOwn() async throws {
    let recorder = try recorder()
    let mine = Mine()
    for try await chunk in recorder.tape(mine, of: asked, status: 200) { #expect(chunk == [7]) }
    recorder.close()
    #expect(try tapes().first?.raw == [7])
  }

  // MARK: The archive fails

  @Test func aFullDiskLetsTheBodyPassAndTheGapIsCounted() async throws {
    let files = FaultyFiles()
    let recorder = try recorder(files: files)
    var seen: [UInt8] = []
    let body = Body((1...4).map { Array("data: \($0)\n\n".utf8) })
    for try await chunk in recorder.tape(body, of: asked, status: 200) {
      seen += chunk
      files.isFull = seen.count == 9
    }
    #expect(seen.count == 36)
    recorder.close()
    let end = try #require(try tapes().first?.end)
    #expect(end.cause == .endOfBody && end.frames == 4)
    #expect(end.gapFrames >= 1 && end.gapBytes == 9 * end.gapFrames && end.sha256 == nil)
  }

  @Test func withStopNobodyGetsAChunkThatIsNotOnTape() async throws {
    let files = FaultyFiles()
    let recorder = try recorder(files: files) { $0.onArchiveFailure = .stop }
    let taped = recorder.tape(Body((1...4).map { Array("data: \($0)\n\n".utf8) }), of: asked, status: 200)
    var seen: [UInt8] = []
    let error = await #expect(throws: TapeError.self) {
      for try await chunk in taped {
        seen += chunk
        files.isFull = true
      }
    }
    #expect(error?.code == .io)
    files.isFull = false
    recorder.close()
    let call = try #require(try tapes().first)
    #expect(seen == Array("data: 1\n\n".utf8) && call.raw == seen)
    #expect(call.end?.cause == .archiveStopped && call.end?.gapBytes == 0)
  }

  @Test func aClosedRecorderLetsTheBodyPass() async throws {
    let recorder = try recorder()
    recorder.close()
    var seen: [[UInt8]] = []
    for try await chunk in recorder.tape(Body([[1], [2]]), of: asked, status: 200) { seen.append(chunk) }
    #expect(seen == [[1], [2]])
    #expect(logged.all.contains { $0.contains("the recorder is closed") })
    let stopping = try self.recorder { $0.onArchiveFailure = .stop }
    stopping.close()
    await #expect(throws: TapeError.self) {
      for try await _ in stopping.tape(Body([[1]]), of: asked, status: 200) {}
    }
  }

  // MARK: Heads

  @Test func withoutAContentTypeItIsAnEventStreamAndTheTapeSaysSo() async throws {
    let recorder = try recorder()
    for try await _ in recorder.tape(Body([Array("a\n\nb\n\n".utf8)]), of: asked, status: 200) {}
    let json = [HeaderField("content-type", "application/json")]
    for try await _ in recorder.tape(Body([Array("{}\n\n{}".utf8)]), of: asked, status: 200, headers: json) {}
    recorder.close()
    let calls = try tapes()
    #expect(calls.map(\.frameCount) == [2, 1])
    #expect(calls.map { $0.open.redactions.contains("assumed:response_head") } == [true, false])
  }

  /// HTTP clients undo codings and leave the header.
  @Test(
    arguments: [
      (Array("data: é\n\n".utf8), "gzip", "gzip"), (Array("{".utf8), "br", "br"), ([0x1F, 0x8B, 8, 0], "gzip", nil),
      ([0x28, 0xB5, 0x2F, 0xFD, 0x24], "zstd", nil), (Array("data".utf8), "identity", nil), ([], "gzip", nil),
      (Array(repeating: 0x61, count: 63) + Array("数".utf8), "gzip", "gzip"), ([0x78, 0x9C, 0x4B], "deflate", nil),
    ] as [([UInt8], String, String?)])
  func aCodingThatWasUndoneIsNotOnTape(_ bytes: [UInt8], _ coding: String, _ decoded: String?) async throws {
    let recorder = try recorder()
    let headers = eventStream + [HeaderField("Content-Encoding", coding), HeaderField("Content-Length", "7")]
    for try await _ in recorder.tape(Body([bytes]), of: asked, status: 200, headers: headers) {}
    recorder.close()
    let call = try #require(try tapes().first)
    #expect(call.head?.decoded == decoded)
    #expect((call.head?.headers.first("content-encoding") == nil) == (decoded != nil))
    #expect((call.head?.headers.first("content-length") == nil) == (decoded != nil))
  }

  @Test func aURLThatIsNoneHurtsNobody() async throws {
    let recorder = try recorder()
    let request = TapeRequest(url: "no url?key=KEYSECRET")
    for try await _ in recorder.tape(Body([[1]]), of: request, status: 200) {}
    recorder.close()
    let call = try #require(try tapes().first)
    #expect(call.open.upstream.isEmpty && call.open.path == "no url?key=[redacted]")
  }
}

private struct Broken: Error, CustomStringConvertible {
  let text: String
  var description: String { text }
}

/// Elements, and perhaps an error behind them.
private struct Body<Element: Sendable>: AsyncSequence, Sendable {
  let elements: [Element]
  let failure: (any Error)?
  let pulled: Counter?

  init(_ elements: [Element], failing failure: (any Error)? = nil, pulled: Counter? = nil) {
    self.elements = elements
    self.failure = failure
    self.pulled = pulled
  }

  func makeAsyncIterator() -> Iterator { Iterator(body: self) }

  struct Iterator: AsyncIteratorProtocol {
    let body: Body
    var position = 0

    init(body: Body) { self.body = body }

    mutating func next() async throws -> Element? {
      await Task.yield()
      body.pulled?.bump()
      guard position < body.elements.count else {
        if let failure = body.failure { throw failure }
        return nil
      }
      position += 1
      return body.elements[position - 1]
    }
  }
}

/// Not to be sent anywhere.
private final class Mine: AsyncSequence, AsyncIteratorProtocol {
  var left = 3
  func makeAsyncIterator() -> Mine { self }
  func next(isolation: isolated (any Actor)?) async -> [UInt8]? {
    left -= 1
    return left == 2 ? [7] : nil
  }
}
