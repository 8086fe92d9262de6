import TapeArchive
import Glibc
import TapeProxy
import TapeRecorder
import TapeTypes
import Testing

/// A disk that fills up in mid-stream.
struct ArchiveFailureTests {
  /// Sends a frame each time the gate opens.
  private func upstream(_ gate: Gate) throws -> ScriptedUpstream {
    try ScriptedUpstream { peer, upstream in
      while let _ = try upstream.request(from: peer) {
        try peer.send(streamHead + chunk("data: 1\n\n"))
        try gate.pass()
        try peer.send(chunk("data: 2\n\n"))
        try gate.pass()
        try peer.send(chunk("data: 3\n\n") + lastChunk)
      }
    }
  }

  @Test func byDefaultTheStreamGoesOnAndTheGapIsCounted() throws {
    let gate = Gate()
    let upstream = try upstream(gate)
    let files = FaultyFiles()
    let rig = try Rig(to: upstream.url, files: files)
    let socket = try rig.connect()
    try socket.send(post())
    _ = try socket.receive(until: "data: 1\n\n")
    files.isFull = true
    gate.open()
    _ = try socket.receive(until: "data: 2\n\n")
    files.isFull = false
    gate.open()
    _ = try socket.receive(until: "0\r\n\r\n")
    rig.stop()
    let call = try #require(try rig.tapes().first)
    let end = try #require(call.end)
    #expect(end.cause == .endOfBody)
    #expect(end.frames == 3)
    #expect(end.gapFrames >= 1)
    #expect(end.gapBytes == end.gapFrames * 9)
    #expect(end.sha256 == nil)
    #expect(call.frameCount == 3 - end.gapFrames)
    #expect(rig.proxy.counters.gapFrames == end.gapFrames)
    #expect(rig.logged.all.filter { $0.contains("recording fails") }.count == 1)
  }

  @Test func withStopNobodyGetsAByteThatIsNotOnTape() throws {
    let gate = Gate()
    let upstream = try upstream(gate)
    let files = FaultyFiles()
    let rig = try Rig(to: upstream.url, files: files) { $0.recorder.onArchiveFailure = .stop }
    let socket = try rig.connect()
    try socket.send(post())
    _ = try socket.receive(until: "data: 1\n\n\r\n")
    files.isFull = true
    gate.open()
    // A cut: no frame, no last chunk.
    #expect(try socket.receiveAll().isEmpty)
    // New calls are refused as long as it lasts, without asking upstream.
    let refused = try rig.exchange()
    #expect(refused.status == 503)
    #expect(refused.text.contains("archive_failure"))
    #expect(upstream.requests.count == 1)
    files.isFull = false
    // One for the first call's script, which still waits, and two for the next.
    for _ in 0..<3 { gate.open() }
    // The journal tries the disk again now and then, not for every call.
    var statuses: [Int] = []
    while statuses.last != 200, statuses.count < 2000 {
      statuses.append(try rig.exchange().status)
      usleep(5000)
    }
    #expect(statuses.last == 200)
    rig.stop()
    let calls = try rig.tapes()
    #expect(calls.first?.end?.cause == .archiveStopped)
    // The end says what the client got: what is on tape, and nothing that it did not get.
    #expect(calls.first?.end?.bytes == 9 && calls.first?.end?.gapBytes == 0 && calls.first?.end?.gapFrames == 0)
    #expect(calls.first?.raw == Array("data: 1\n\n".utf8))
    #expect(rig.proxy.counters.gapBytes == 0)
    #expect(calls.last?.end?.cause == .endOfBody)
    #expect(calls.last?.frameCount == 3)
  }
}
