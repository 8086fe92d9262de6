/// Walks records that this process has made itself, to write them again for another journal.
enum RecordLines {
  /// Gives every record the checksum it has in a journal with this seed.
  static func rechecksum(_ bytes: UnsafeMutableRawBufferPointer, seed: UInt32) {
    forEach(UnsafeRawBufferPointer(bytes)) { range, _ in
      JournalStage.checksum(UnsafeMutableRawBufferPointer(rebasing: bytes[range]), seed: seed)
    }
  }

  /// Copies records of calls; batch records belong to the journal they were in.
  static func copy(_ bytes: [UInt8], into stage: inout JournalStage, seed: UInt32) {
    bytes.withUnsafeBytes { buffer in
      forEach(buffer) { range, isBatch in
        if !isBatch { stage.append(UnsafeRawBufferPointer(rebasing: buffer[range])) }
      }
    }
    // Everything before these records has its checksum already, and gets the same one again.
    rechecksum(stage.mutableBytes, seed: seed)
  }

  private static func forEach(_ bytes: UnsafeRawBufferPointer, _ body: (Range<Int>, _ isBatch: Bool) -> Void) {
    var start = 0
    while start < bytes.count {
      var position = start + JournalFormat.checksumWidth
      var payload = 0
      while position < bytes.count, bytes[position] != 0x20 {
        payload = payload * 10 + Int(bytes[position]) - 0x30
        position += 1
      }
      let isBatch = bytes[(position + 1)...].prefix(5).elementsEqual("batch".utf8)
      while position < bytes.count, bytes[position] != 0x0A { position += 1 }
      let end = position + 1 + payload + 1
      guard end <= bytes.count else { return }
      body(start..<end, isBatch)
      start = end
    }
  }
}
