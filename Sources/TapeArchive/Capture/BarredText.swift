/// Any bytes as lines of text that are safe to look at, and back: how requests and frames stand in a tape.
///
/// Every line begins with `| `. Text stands as it is; `\` is written `\\`, a line feed `\n`, a carriage return `\r`, a
/// tab `\t`, every other byte that is no printable UTF-8 `\xHH`. The line breaks themselves do not count: there is
/// one behind each `\n`, and in very long lines.
enum BarredText {
  private static let longestLine = 16 << 10
  private static let prefix: [UInt8] = [0x7C, 0x20]

  static func append(_ bytes: ArraySlice<UInt8>, to out: inout [UInt8]) {
    guard !bytes.isEmpty else { return }
    out += prefix
    var lineStart = out.count
    var index = bytes.startIndex
    while index < bytes.endIndex {
      if out.count - lineStart > longestLine {
        out.append(0x0A)
        out += prefix
        lineStart = out.count
      }
      let byte = bytes[index]
      switch byte {
      case 0x5C: out += [0x5C, 0x5C]
      case 0x09: out += [0x5C, 0x74]
      case 0x0D: out += [0x5C, 0x72]
      case 0x0A:
        out += [0x5C, 0x6E]
        if index + 1 < bytes.endIndex {
          out.append(0x0A)
          out += prefix
          lineStart = out.count
        }
      case 0x20..<0x7F: out.append(byte)
      default:
        let length = byte < 0x80 ? 0 : printable(bytes[index...])
        if length > 0 {
          out += bytes[index..<(index + length)]
          index += length
          continue
        }
        out += [0x5C, 0x78, Hex.digits[Int(byte >> 4)], Hex.digits[Int(byte & 15)]]
      }
      index += 1
    }
    out.append(0x0A)
  }

  /// Bytes of the valid UTF-8 sequence at the start, if its character may be shown; else 0.
  private static func printable(_ bytes: ArraySlice<UInt8>) -> Int {
    var iterator = bytes.prefix(4).makeIterator()
    var decoder = UTF8()
    guard case .scalarValue(let scalar) = decoder.decode(&iterator), !isUnsafe(scalar) else { return 0 }
    return UTF8.width(scalar)
  }

  /// Characters that a terminal or an editor obeys instead of showing: C0, DEL, C1, separators of lines, byte order
  /// marks, and what reorders text.
  static func isUnsafe(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0..<0x20, 0x7F..<0xA0, 0x2028, 0x2029, 0x200E, 0x200F, 0x202A...0x202E, 0x2066...0x2069, 0x061C, 0xFEFF: true
    default: false
    }
  }

  /// JSON with escapes for such characters.
  static func safe(json: [UInt8]) -> [UInt8] {
    let text = String(decoding: json, as: UTF8.self)
    guard text.unicodeScalars.contains(where: isUnsafe) else { return json }
    var out: [UInt8] = []
    for scalar in text.unicodeScalars {
      if isUnsafe(scalar) {
        let digits = String(scalar.value, radix: 16)
        out += Array("\\u\(String(repeating: "0", count: 4 - digits.utf8.count))\(digits)".utf8)
      } else {
        out += Array(String(scalar).utf8)
      }
    }
    return out
  }

  /// True for a line of such text.
  static func isText(_ line: UnsafeRawBufferPointer) -> Bool { line.starts(with: prefix) }

  /// Appends the bytes of a line; false for what no line can be.
  static func unescape(_ line: UnsafeRawBufferPointer, to out: inout [UInt8]) -> Bool {
    var index = prefix.count
    while index < line.count {
      guard line[index] == 0x5C else {
        out.append(line[index])
        index += 1
        continue
      }
      guard index + 1 < line.count else { return false }
      switch line[index + 1] {
      case 0x5C: out.append(0x5C)
      case 0x6E: out.append(0x0A)
      case 0x72: out.append(0x0D)
      case 0x74: out.append(0x09)
      case 0x78:
        guard index + 3 < line.count, let high = Hex.value(line[index + 2]), let low = Hex.value(line[index + 3]) else {
          return false
        }
        out.append(high << 4 | low)
        index += 2
      default: return false
      }
      index += 2
    }
    return true
  }
}
