import Logging
import TapeArchive
import TapeProxy
import TapeRecorder
import TapeTypes
import Testing

/// `TapeRecorder` against a real socket. Here because the scripted upstream is.
struct LibraryTests {
  private func recorder(_ directory: String, _ change: (inout RecorderOptions) -> Void = { _ in }) throws
    -> TapeRecorder
  {
    var options = RecorderOptions()
    options.logger = Logger(label: "test") { _ in LogLines() }
    change(&options)
    return try TapeRecorder(store: directory, options: options)
  }

  private func tapes(_ directory: String) throws -> [RecordedCall] {
    try recordedCalls(of: Store(path: directory, access: .reading))
  }

  @Test func aStreamComesInChunksAndIsOnTape() async throws {
    let upstream = try ScriptedUpstream(
      answering: streamHead + chunk("data: 1\n\n") + chunk("data: [DONE]\n\n") + lastChunk)
    let directory = Rig.makeDirectory()
    let recorder = try recorder(directory)
    let stream = recorder.stream(
      TapeRequest(
        url: upstream.url + "/v2/deployments/stream", headers: [HeaderField("Authorization", "Bearer KEYSECRET")],
        body: Array("{}".utf8)))
    #expect(try await stream.head.status == 200)
    var body: [UInt8] = []
    for try await chunk in stream { body += chunk }
    #expect(body == Array("data: 1\n\ndata: [DONE]\n\n".utf8))
    #expect(try await stream.end.cause == .endOfBody)
    recorder.close()
    let call = try #require(try tapes(directory).first)
    #expect(call.open.id == stream.callID)
    #expect(call.open.origin == .library)
    #expect(call.open.headers == [HeaderField("Authorization", "[redacted]")])
    #expect(call.open.body == Array("{}".utf8))
    #expect(call.raw == body)
    #expect(call.end?.cause == .endOfBody)
    #expect((call.head?.offsetNs ?? -1) >= 0)
    #expect(upstream.requests.first?.header("authorization") == "Bearer KEYSECRET")
  }

  @Test func manyCallsRunAtOnce() async throws {
    let upstream = try ScriptedUpstream(answering: streamHead + chunk("data: 1\n\n") + lastChunk)
    let directory = Rig.makeDirectory()
    let recorder = try recorder(directory)
    try await withThrowingTaskGroup(of: Int.self) { group in
      for _ in 0..<50 {
        group.addTask {
          var count = 0
          for try await chunk in recorder.stream(TapeRequest(url: upstream.url + "/x")) { count += chunk.count }
          return count
        }
      }
      for try await count in group { #expect(count == 9) }
    }
    recorder.close()
    #expect(try tapes(directory).count == 50)
  }

  @Test func anErrorStatusIsNoErrorOfTheStream() async throws {
    let upstream = try ScriptedUpstream(answering: "HTTP/1.1 401 No\r\nContent-Length: 2\r\n\r\n{}")
    let recorder = try recorder(Rig.makeDirectory())
    let stream = recorder.stream(TapeRequest(url: upstream.url))
    var body: [UInt8] = []
    for try await chunk in stream { body += chunk }
    #expect(try await stream.head.status == 401)
    #expect(body == Array("{}".utf8))
    recorder.close()
  }

  @Test func aRefusedConnectionThrowsTheReason() async throws {
    let directory = Rig.makeDirectory()
    let recorder = try recorder(directory)
    let stream = recorder.stream(TapeRequest(url: "http://127.0.0.1:1/x"))
    let error = await #expect(throws: TapeError.self) {
      for try await _ in stream {}
    }
    #expect(error?.code == .network)
    #expect(error?.description.contains("refused") == true)
    await #expect(throws: TapeError.self) { try await stream.head }
    #expect(try await stream.end.cause == .upstreamFailed)
    recorder.close()
    let call = try #require(try tapes(directory).first)
    #expect(call.open.id == stream.callID)
    #expect(call.end?.cause == .upstreamFailed)
  }

  @Test func aCutThrowsBehindTheLastBytes() async throws {
    let upstream = try ScriptedUpstream { peer, upstream in
      _ = try upstream.request(from: peer)
      try peer.send(streamHead + chunk("data: 1\n\ndata"))
    }
    let recorder = try recorder(Rig.makeDirectory())
    let stream = recorder.stream(TapeRequest(url: upstream.url))
    var body: [UInt8] = []
    let error = await #expect(throws: TapeError.self) {
      for try await chunk in stream { body += chunk }
    }
    #expect(error?.code == .network)
    #expect(body == Array("data: 1\n\ndata".utf8))
    #expect(try await stream.end.cause == .upstreamClosed)
    recorder.close()
  }

  @Test(arguments: ["break", "cancel", "task"])
  func leavingAbortsTheCall(_ how: String) async throws {
    let noticed = Gate()
    let upstream = try ScriptedUpstream { peer, upstream in
      _ = try upstream.request(from: peer)
      try peer.send(streamHead + chunk("data: 1\n\n"))
      _ = try? peer.receive()
      noticed.open()
    }
    let directory = Rig.makeDirectory()
    let recorder = try recorder(directory)
    let stream = recorder.stream(TapeRequest(url: upstream.url))
    switch how {
    case "break": for try await _ in stream { break }
    case "cancel":
      await #expect(throws: CancellationError.self) {
        for try await _ in stream { stream.cancel() }
      }
    default:
      let task = Task {
        for try await _ in stream { withUnsafeCurrentTask { $0?.cancel() } }
      }
      await #expect(throws: CancellationError.self) { try await task.value }
    }
    #expect(try await stream.end.cause == .clientClosed)
    try noticed.pass()
    recorder.close()
    let call = try #require(try tapes(directory).first)
    #expect(call.end?.cause == .clientClosed)
    #expect(call.raw == Array("data: 1\n\n".utf8))
  }

  @Test func aSlowReaderLosesNothing() async throws {
    let frame = "data: " + String(repeating: "x", count: 65_528) + "\n\n"
    let upstream = try ScriptedUpstream { peer, upstream in
      _ = try upstream.request(from: peer)
      try peer.send(streamHead)
      for _ in 0..<300 { try peer.send(chunk(frame)) }
      try peer.send(lastChunk)
      _ = try? peer.receive()
    }
    let recorder = try recorder(Rig.makeDirectory())
    var count = 0
    for try await chunk in recorder.stream(TapeRequest(url: upstream.url)) {
      count += chunk.count
      await Task.yield()
    }
    #expect(count == 300 * 65_536)
    recorder.close()
  }

  @Test func aWrongURLAndAClosedRecorderAreErrorsOfTheStream() async throws {
    let recorder = try recorder(Rig.makeDirectory())
    let wrong = recorder.stream(TapeRequest(url: "nonsense"))
    let error = await #expect(throws: TapeError.self) { for try await _ in wrong {} }
    #expect(error?.code == .usage)
    recorder.close()
    await #expect(throws: TapeError.self) {
      for try await _ in recorder.stream(TapeRequest(url: "http://127.0.0.1:1")) {}
    }
  }
}
