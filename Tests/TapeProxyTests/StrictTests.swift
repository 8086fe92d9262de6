import Glibc
import TapeProxy
import TapeRecorder
import TapeTypes
import Testing

/// `--durability strict`: what a client has is on the disk.
struct StrictTests {
  @Test func noByteReachesTheClientBeforeItsSyncReturned() throws {
    let gate = Gate()
    let upstream = try ScriptedUpstream { peer, upstream in
      while let _ = try upstream.request(from: peer) {
        try peer.send(streamHead + chunk("data: 1\n\n"))
        try gate.pass()
        try peer.send(chunk("data: 2\n\n") + lastChunk)
      }
    }
    let files = FaultyFiles()
    let rig = try Rig(to: upstream.url, files: files) { $0.recorder.isStrict = true }
    let socket = try rig.connect()
    try socket.send(post())
    _ = try socket.receive(until: "data: 1\n\n\r\n")
    files.holdSyncs()
    gate.open()
    try files.syncBegan.pass()
    // It is written, and nobody has it.
    #expect(try rig.everyByte().contains("data: 2\n\n"))
    #expect(!socket.hasBytes)
    files.letSyncsGo()
    #expect(try socket.receive(until: "0\r\n\r\n").contains("data: 2\n\n"))
    rig.stop()
    #expect(try rig.tapes().first?.frameCount == 2)
  }
}
