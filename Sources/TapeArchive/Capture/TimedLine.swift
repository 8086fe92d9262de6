internal import TapeTypes

/// The envelope of one line of a timed capture, found without building a JSON tree: most lines are frames, and of a
/// frame only `raw` counts.
package struct TimedLine {
  package enum Event { case open, frame, end }

  package var tNs: Int64
  package var call: Int
  package var event: Event
  /// Where the characters of `raw` are, without its quotes.
  package var raw: Range<Int>?
  package var rawHasEscapes = false
  package var rawBase64: Range<Int>?

  /// nil for anything but an object with the three keys that every line has.
  package init?(_ line: UnsafeRawBufferPointer) {
    var scanner = Scanner(bytes: line)
    var time: Int64?
    var number: Int?
    var kind: Event?
    guard scanner.take(0x7B) else { return nil }
    var isFirst = true
    while !scanner.take(0x7D) {
      if !isFirst, !scanner.take(0x2C) { return nil }
      isFirst = false
      guard let key = scanner.string(), scanner.take(0x3A) else { return nil }
      switch Scanner.Key(line, key.range) {
      case .tNs:
        guard let value = scanner.integer() else { return nil }
        time = value
      case .call:
        guard let value = scanner.integer() else { return nil }
        number = Int(value)
      case .ev:
        guard let value = scanner.string(), let event = Scanner.event(line, value.range) else { return nil }
        kind = event
      case .raw:
        guard let value = scanner.string() else { return nil }
        raw = value.range
        rawHasEscapes = value.hasEscapes
      case .rawBase64:
        guard let value = scanner.string() else { return nil }
        rawBase64 = value.range
      case .other: guard scanner.skipValue() else { return nil }
      }
    }
    guard scanner.isAtEnd, let time, let number, let kind else { return nil }
    tNs = time
    call = number
    event = kind
  }

  /// The frame's bytes, put behind what is in `out`; false if they are not what JSON or base64 can say in bytes.
  package func appendFrame(of line: UnsafeRawBufferPointer, to out: inout [UInt8]) -> Bool {
    if let raw {
      let text = UnsafeRawBufferPointer(rebasing: line[raw])
      guard rawHasEscapes else {
        out.append(contentsOf: text)
        return true
      }
      return JSONText.unescape(text, to: &out)
    }
    guard let rawBase64, let bytes = Base64.bytes(Array(line[rawBase64])[...]) else { return false }
    out += bytes
    return true
  }

  private struct Scanner {
    let bytes: UnsafeRawBufferPointer
    var position = 0

    enum Key {
      case tNs, call, ev, raw, rawBase64, other

      init(_ line: UnsafeRawBufferPointer, _ range: Range<Int>) {
        switch range.count {
        case 2 where line[range].elementsEqual("ev".utf8): self = .ev
        case 3 where line[range].elementsEqual("raw".utf8): self = .raw
        case 4 where line[range].elementsEqual("t_ns".utf8): self = .tNs
        case 4 where line[range].elementsEqual("call".utf8): self = .call
        case 10 where line[range].elementsEqual("raw_base64".utf8): self = .rawBase64
        default: self = .other
        }
      }
    }

    static func event(_ line: UnsafeRawBufferPointer, _ range: Range<Int>) -> Event? {
      if line[range].elementsEqual("frame".utf8) { return .frame }
      if line[range].elementsEqual("open".utf8) { return .open }
      if line[range].elementsEqual("end".utf8) { return .end }
      return nil
    }

    var isAtEnd: Bool {
      mutating get {
        skipSpace()
        return position == bytes.count
      }
    }

    private mutating func skipSpace() {
      while position < bytes.count {
        switch bytes[position] {
        case 0x20, 0x09, 0x0A, 0x0D: position += 1
        default: return
        }
      }
    }

    mutating func take(_ byte: UInt8) -> Bool {
      skipSpace()
      guard position < bytes.count, bytes[position] == byte else { return false }
      position += 1
      return true
    }

    mutating func string() -> (range: Range<Int>, hasEscapes: Bool)? {
      guard take(0x22) else { return nil }
      let start = position
      var hasEscapes = false
      while position < bytes.count {
        let byte = bytes[position]
        if byte == 0x22 {
          defer { position += 1 }
          return (start..<position, hasEscapes)
        }
        if byte == 0x5C {
          hasEscapes = true
          position += 1
        } else if byte < 0x20 {
          return nil
        }
        position += 1
      }
      return nil
    }

    mutating func integer() -> Int64? {
      skipSpace()
      let start = position
      if position < bytes.count, bytes[position] == 0x2D { position += 1 }
      while position < bytes.count, bytes[position] >= 0x30, bytes[position] <= 0x39 { position += 1 }
      guard position - start <= 20 else { return nil }
      return Int64(String(decoding: bytes[start..<position], as: UTF8.self))
    }

    /// Any JSON value; only as exact as finding its end needs.
    mutating func skipValue() -> Bool {
      var depth = 0
      repeat {
        skipSpace()
        guard position < bytes.count else { return false }
        switch bytes[position] {
        case 0x22: guard string() != nil else { return false }
        case 0x7B, 0x5B:
          depth += 1
          position += 1
        case 0x7D, 0x5D:
          depth -= 1
          position += 1
        case 0x2C, 0x3A:
          guard depth > 0 else { return false }
          position += 1
        default:
          let start = position
          while position < bytes.count, !Self.isDelimiter(bytes[position]) { position += 1 }
          guard position > start else { return false }
        }
      } while depth > 0
      return depth == 0
    }

    private static func isDelimiter(_ byte: UInt8) -> Bool {
      switch byte {
      case 0x2C, 0x3A, 0x7D, 0x5D, 0x7B, 0x5B, 0x22, 0x20, 0x09, 0x0A, 0x0D: true
      default: false
      }
    }
  }
}
