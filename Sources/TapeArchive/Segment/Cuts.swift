/// Where a response was split into frames, as text.
///
/// A frame mostly ends behind the first blank line in it (or at the end of the response): so many in a row are one
/// number. Between two such numbers stands the length of a frame that does not. `414` are 414 frames as predicted,
/// `3 120 0 7` three as predicted, one of 120 bytes, none, one of 7.
enum Cuts {
  /// nil if the text does not give `count` frames that make up all of `raw`.
  static func decode(_ text: ArraySlice<UInt8>, count: Int, in raw: [UInt8]) -> [Int]? {
    var ends: [Int] = []
    var start = 0
    var isRun = true
    for field in text.split(separator: 0x20) {
      guard let number = Int(String(decoding: field, as: UTF8.self)), number >= 0 else { return nil }
      if isRun {
        guard number <= count - ends.count else { return nil }
        for _ in 0..<number {
          start = predictedEnd(raw, from: start)
          ends.append(start)
        }
      } else {
        guard ends.count < count, number <= raw.count - start else { return nil }
        start += number
        ends.append(start)
      }
      isRun.toggle()
    }
    guard ends.count == count, start == raw.count else { return nil }
    return ends
  }

  /// Behind the first blank line at or after `start`: two line ends in a row, each LF, CR LF or CR.
  private static func predictedEnd(_ raw: [UInt8], from start: Int) -> Int {
    raw.withUnsafeBufferPointer { bytes in
      var position = start
      var atLineStart = false
      while position < bytes.count {
        let byte = bytes[position]
        position += 1
        guard byte == 0x0A || byte == 0x0D else {
          atLineStart = false
          continue
        }
        if byte == 0x0D, position < bytes.count, bytes[position] == 0x0A { position += 1 }
        if atLineStart { return position }
        atLineStart = true
      }
      return bytes.count
    }
  }
}
