import TapeLoop
import Testing

struct OutBufferTests {
  /// Takes all that may be sent, at most `limit` bytes a time.
  private func drained(_ buffer: OutBuffer, limit: Int = .max) -> [UInt8] {
    var all: [UInt8] = []
    buffer.drain { bytes in
      all += bytes.prefix(limit)
      return min(limit, bytes.count)
    }
    return all
  }

  @Test func oneBatchIsOneChunk() {
    let buffer = OutBuffer(pool: BufferPool())
    buffer.append("head\r\n\r\n")
    buffer.beginChunked()
    buffer.append(Array("data: a\n\n".utf8))
    buffer.append(Array("data: bc\n\n".utf8))
    buffer.commit()
    #expect(drained(buffer) == Array("head\r\n\r\n000013\r\ndata: a\n\ndata: bc\n\n\r\n".utf8))
    buffer.append(Array("x".utf8))
    buffer.endBody(isClean: true)
    buffer.commit()
    #expect(drained(buffer) == Array("000001\r\nx\r\n0\r\n\r\n".utf8))
    #expect(buffer.isEmpty)
  }

  @Test func aCutBodyHasNoLastChunk() {
    let buffer = OutBuffer(pool: BufferPool())
    buffer.beginChunked()
    buffer.append(Array("x".utf8))
    buffer.endBody(isClean: false)
    buffer.commit()
    #expect(drained(buffer) == Array("000001\r\nx\r\n".utf8))
  }

  @Test func whatIsNotCommittedIsNotSentAndCanBeDropped() {
    let buffer = OutBuffer(pool: BufferPool())
    buffer.append("on tape")
    buffer.commit()
    buffer.beginChunked()
    buffer.append(Array("not on tape".utf8))
    #expect(drained(buffer, limit: 3) == Array("on ".utf8))
    buffer.dropUncommitted()
    buffer.endBody(isClean: false)
    buffer.commit()
    #expect(drained(buffer) == Array("tape".utf8))
    #expect(buffer.isEmpty)
  }

  @Test(arguments: [1, 7, 1000, 40_000, 300_000])
  func anyMixOfAppendsAndShortSendsKeepsEveryByte(_ size: Int) {
    let buffer = OutBuffer(pool: BufferPool())
    var expected: [UInt8] = []
    var got: [UInt8] = []
    for round in 0..<40 {
      let bytes = (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ round) }
      buffer.append(bytes)
      expected += bytes
      if round % 3 != 0 {
        buffer.commit()
        got += drained(buffer, limit: round % 2 == 0 ? size / 2 + 1 : size * 2)
      }
    }
    buffer.commit()
    got += drained(buffer)
    #expect(got == expected)
  }

  @Test func chunkedBodiesSurviveGrowthInMidChunk() {
    let buffer = OutBuffer(pool: BufferPool())
    buffer.beginChunked()
    let piece = [UInt8](repeating: 0x61, count: 10_000)
    for _ in 0..<10 { buffer.append(piece) }
    buffer.commit()
    let sent = drained(buffer)
    #expect(sent.prefix(8).elementsEqual("0186a0\r\n".utf8))
    #expect(sent.count == 8 + 100_000 + 2)
  }
}
