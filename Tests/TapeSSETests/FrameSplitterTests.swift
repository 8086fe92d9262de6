import TapeSSE
import Testing

/// One frame as a recorder would tape it.
private struct TapedFrame: Equatable {
  var bytes: [UInt8]
  var offsetNs: Int64

  var text: String { String(decoding: bytes, as: UTF8.self) }
}

@Suite struct FrameSplitterTests {
  @Test(arguments: [
    ("data: a\n\ndata: b\n\n", ["data: a\n\n", "data: b\n\n"], true),
    ("data: a\r\n\r\ndata: b\r\r: c\n\n", ["data: a\r\n\r\n", "data: b\r\r", ": c\n\n"], true),
    ("data: a\r\r\ndata: b\r\n\n", ["data: a\r\r\n", "data: b\r\n\n"], true),
    // A blank line where a block could start is a frame of its own.
    ("data: a\n\n\n\r\r\n\ndata: b\n\n", ["data: a\n\n", "\n", "\r", "\r\n", "\n", "data: b\n\n"], true),
    ("\n", ["\n"], true), ("\r", ["\r"], true), ("", [], true),
    // The byte order mark is part of the first frame and does not fill a blank line.
    ("\u{FEFF}\ndata: a\n\n", ["\u{FEFF}\n", "data: a\n\n"], true),
    ("\u{FEFF}data: a\n\n", ["\u{FEFF}data: a\n\n"], true),
    ("data: a\n\n\u{FEFF}\n\n", ["data: a\n\n", "\u{FEFF}\n\n"], true),
    // Tails.
    ("data: a\n\ndata: b", ["data: a\n\n", "data: b"], false),
    ("data: a\n", ["data: a\n"], false), ("data: a\r\n", ["data: a\r\n"], false), ("\u{FEFF}", ["\u{FEFF}"], false),
    ("data: a\r\n\r", ["data: a\r\n\r"], true), ("data: a\r\r", ["data: a\r\r"], true),
  ])
  func aBodyIsCutIntoItsBlocksForEveryChunking(body: String, frames: [String], isTerminated: Bool) {
    for chunks in chunkings(of: Array(body.utf8)) {
      let (got, terminated) = split(chunks)
      #expect(got.map { Array($0.bytes) } == frames.map { Array($0.utf8) }, "chunks \(chunks.map(\.count))")
      #expect(terminated == isTerminated, "chunks \(chunks.map(\.count))")
    }
    let (ends, terminated) = FrameSplitter.split(Array(body.utf8))
    #expect(ends == frames.reduce(into: [Int]()) { $0.append(($0.last ?? 0) + $1.utf8.count) })
    #expect(terminated == isTerminated)
  }

  @Test(arguments: SSEVector.all)
  func everyVectorGivesTheSameFramesForEveryChunking(vector: SSEVector) {
    expectSameFrames(vector.input, splits: vector.splits, "\(vector.name)")
  }

  @Test func randomBodiesGiveTheSameFramesForEveryChunking() {
    for seed in 0..<600 as Range<UInt64> { expectSameFrames(randomBody(seed: seed), splits: [], "seed \(seed)") }
  }

  @Test func aFrameHasTheTimeOfTheReadThatEndedItsBlock() {
    // The CR ends the block; the LF of the next read belongs to it and does not change its time.
    let chunks = ["data: a\r\n\r", "\ndata: b\n", "\n", "data: c"].map { Array($0.utf8)[...] }
    let frames = split(chunks).frames
    #expect(frames.map(\.text) == ["data: a\r\n\r\n", "data: b\n\n", "data: c"])
    #expect(frames.map(\.offsetNs) == [0, 2, 3])
  }

  @Test func aCRThatNoLFFollowsKeepsItsTimeToo() {
    let frames = split(["data: a\r\r", "data: b\r\r"].map { Array($0.utf8)[...] }).frames
    #expect(frames.map(\.text) == ["data: a\r\r", "data: b\r\r"])
    #expect(frames.map(\.offsetNs) == [0, 1])
  }

  @Test func everyByteIsDeliveredInTheReadThatBroughtIt() {
    let body = Array("data: a\r\n\r\ndata: b\n\n: c\r\rdata".utf8)
    for chunks in chunkings(of: body) {
      var splitter = FrameSplitter()
      for (index, chunk) in chunks.enumerated() {
        var delivered: [UInt8] = []
        chunk.withUnsafeBytes { splitter.feed($0, offsetNs: Int64(index)) { delivered += $2 } }
        #expect(delivered == Array(chunk))
      }
      splitter.finish { #expect($2.isEmpty) }
    }
  }

  @Test func anOpaqueBodyIsOneFrameAtTheTimeOfItsLastByte() {
    let body = Array("{\n\n\"a\": 1}\r\r\n".utf8)
    for chunks in chunkings(of: body) {
      let (frames, terminated) = split(chunks, mode: .opaque)
      #expect(frames.map(\.bytes) == [body])
      #expect(frames.first?.offsetNs == Int64((chunks.lastIndex { !$0.isEmpty }) ?? 0))
      #expect(terminated)
    }
    #expect(split([], mode: .opaque).frames.isEmpty)
  }

  private func expectSameFrames(_ body: [UInt8], splits: [Int], _ what: Comment) {
    let want = naiveFrames(body)
    for chunks in chunkings(of: body, splits: splits) {
      let frames = split(chunks).frames
      #expect(frames.map(\.bytes) == want, what)
      #expect(frames.flatMap(\.bytes) == body, what)
    }
  }
}

private func split(_ chunks: [ArraySlice<UInt8>], mode: FrameSplitter.Mode = .events) -> (
  frames: [TapedFrame], isTerminated: Bool
) {
  var splitter = FrameSplitter(mode: mode)
  var frames: [TapedFrame] = []
  var pending: [UInt8] = []
  let take: FrameSplitter.Delivery = { piece, offsetNs, bytes in
    pending += bytes
    if piece == .frame {
      frames.append(TapedFrame(bytes: pending, offsetNs: offsetNs))
      pending = []
    }
  }
  for (index, chunk) in chunks.enumerated() {
    chunk.withUnsafeBytes { splitter.feed($0, offsetNs: Int64(index), take) }
  }
  let isTerminated = splitter.finish(take)
  #expect(pending.isEmpty)
  return (frames, isTerminated)
}

/// The same rules, written the slow and plain way: lines first, then blocks.
private func naiveFrames(_ body: [UInt8]) -> [[UInt8]] {
  var lines: [(bytes: [UInt8], isBlank: Bool)] = []
  var rest = body[...]
  var isFirst = true
  while !rest.isEmpty {
    var content = Array(rest.prefix { $0 != 0x0A && $0 != 0x0D })
    rest = rest.dropFirst(content.count)
    let end = rest.starts(with: [0x0D, 0x0A]) ? 2 : min(1, rest.count)
    let visible = isFirst && content.starts(with: [0xEF, 0xBB, 0xBF]) ? content.count - 3 : content.count
    content += rest.prefix(end)
    rest = rest.dropFirst(end)
    lines.append((content, visible == 0 && end > 0))
    isFirst = false
  }
  var frames: [[UInt8]] = []
  var current: [UInt8] = []
  for line in lines {
    current += line.bytes
    if line.isBlank {
      frames.append(current)
      current = []
    }
  }
  if !current.isEmpty { frames.append(current) }
  return frames
}
