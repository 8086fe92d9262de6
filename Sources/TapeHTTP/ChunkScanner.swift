/// Follows a chunked request body over bytes that come in pieces, for its end and its form.
///
/// The end, so that nothing behind the body is given to the decoder. The form, RFC 9112 §7.1, to the byte: sizes in plain
/// hexadecimal, CR LF behind each of them and behind the data, extensions and trailers without control characters, no
/// folded lines. Whoever else reads the body must not be able to find other chunks in it.
struct ChunkScanner {
  private enum State {
    case size, extensions, sizeEnd
    case data(left: Int), dataCR, dataLF
    case trailerStart, trailerName, trailerValue, trailerEnd, lastLF
    case end
  }

  /// Zeros in front count: a size with more has no honest sender. So lengths stay within 60 bits.
  private static let mostDigits = 15
  private var state = State.size
  private var size = 0
  private var digits = 0
  /// Bytes of data so far, with those of the chunk at hand that are to come.
  private(set) var dataBytes = 0
  /// Bytes around the data: sizes, extensions, line ends, trailers.
  private var otherBytes = 0
  private let maxOtherBytes: Int

  /// - Parameter maxOtherBytes: so many bytes may be around the chunks, and 16 for each byte that is in them.
  init(maxOtherBytes: Int) { self.maxOtherBytes = maxOtherBytes }

  /// The last line of the body was taken.
  var isAtEnd: Bool { if case .end = state { true } else { false } }

  /// - Returns: how many of these bytes are the body's: all of them unless it ends in them.
  /// - Throws: `RequestRefusal` with 400 that says what is wrong.
  mutating func take(_ bytes: UnsafeRawBufferPointer) throws(RequestRefusal) -> Int {
    var position = 0
    while position < bytes.count, !isAtEnd {
      if case .data(let left) = state {
        let count = min(left, bytes.count - position)
        position += count
        state = count == left ? .dataCR : .data(left: left - count)
        continue
      }
      try take(bytes[position])
      position += 1
      otherBytes += 1
      guard otherBytes <= maxOtherBytes + 16 * dataBytes else {
        throw RequestHeadRules.refusal("the chunks of the body have more around them than in them")
      }
    }
    return position
  }

  private mutating func take(_ byte: UInt8) throws(RequestRefusal) {
    switch (state, byte) {
    case (.size, _): try takeSize(byte)
    case (.extensions, 0x0D): state = .sizeEnd
    case (.extensions, _) where Self.isText(byte): break
    case (.sizeEnd, 0x0A): beginChunk()
    case (.dataCR, 0x0D): state = .dataLF
    case (.dataLF, 0x0A): (state, size, digits) = (.size, 0, 0)
    case (.trailerStart, 0x0D): state = .lastLF
    case (.trailerStart, _) where RequestHead.canBegin(with: byte): state = .trailerName
    case (.trailerName, 0x3A): state = .trailerValue
    case (.trailerName, _) where RequestHead.canBegin(with: byte): break
    case (.trailerValue, 0x0D): state = .trailerEnd
    case (.trailerValue, _) where Self.isText(byte): break
    case (.trailerEnd, 0x0A): state = .trailerStart
    case (.lastLF, 0x0A): state = .end
    default: throw RequestHeadRules.refusal(Self.reason(state))
    }
  }

  private mutating func takeSize(_ byte: UInt8) throws(RequestRefusal) {
    let digit: UInt8? =
      switch byte {
      case 0x30...0x39: byte - 0x30
      case 0x41...0x46: byte - 0x41 + 10
      case 0x61...0x66: byte - 0x61 + 10
      default: nil
      }
    if let digit {
      digits += 1
      guard digits <= Self.mostDigits else {
        throw RequestHeadRules.refusal("the size of a chunk is over \(Self.mostDigits) digits")
      }
      size = size << 4 | Int(digit)
    } else if digits > 0, byte == 0x0D || byte == 0x3B {
      state = byte == 0x0D ? .sizeEnd : .extensions
    } else {
      throw RequestHeadRules.refusal(Self.reason(.size))
    }
  }

  private mutating func beginChunk() {
    // Up to what 16 of them can be multiplied with: nobody sends as much.
    dataBytes = min(dataBytes + size, 1 << 58)
    state = size == 0 ? .trailerStart : .data(left: size)
  }

  /// What may be in extensions and in values of fields: all but control characters, of which a tab is none here.
  private static func isText(_ byte: UInt8) -> Bool { byte == 0x09 || (byte >= 0x20 && byte != 0x7F) }

  private static func reason(_ state: State) -> String {
    switch state {
    case .size: "the size of a chunk is no hexadecimal number with CR LF behind it"
    case .extensions, .sizeEnd: "the extensions of a chunk are no text with CR LF behind it"
    case .dataCR, .dataLF: "there is no CR LF behind the data of a chunk"
    default: "the trailers behind the chunks are no lines of NAME: VALUE with CR LF behind each"
    }
  }
}
