/// Header bytes as text, and back: nothing is lost of what is not UTF-8.
///
/// A text of bytes that are not UTF-8 has U+10FF00 + b for each byte b from 0x80. So has one with such characters in it, so
/// that both ways are exact.
package enum HeaderText {
  private static let base: UInt32 = 0x10FF00

  package static func text(_ bytes: some Collection<UInt8>) -> String {
    if !bytes.contains(0xF4), let text = String(validating: bytes, as: UTF8.self) { return text }
    if let text = String(validating: bytes, as: UTF8.self), !text.unicodeScalars.contains(where: isEscape) {
      return text
    }
    var text = String.UnicodeScalarView()
    for byte in bytes {
      if byte < 0x80 {
        text.append(Unicode.Scalar(byte))
      } else if let scalar = Unicode.Scalar(base + UInt32(byte)) {
        text.append(scalar)
      }
    }
    return String(text)
  }

  /// The bytes that `text` was made of; nil if they are its UTF-8.
  package static func bytes(_ text: String) -> [UInt8]? {
    guard text.utf8.contains(0xF4), text.unicodeScalars.contains(where: isEscape) else { return nil }
    var bytes: [UInt8] = []
    for scalar in text.unicodeScalars {
      if isEscape(scalar) {
        bytes.append(UInt8(scalar.value - base))
      } else {
        bytes += Array(String(scalar).utf8)
      }
    }
    return bytes
  }

  private static func isEscape(_ scalar: Unicode.Scalar) -> Bool { (base + 0x80...base + 0xFF).contains(scalar.value) }
}
