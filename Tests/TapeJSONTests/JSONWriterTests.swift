import TapeJSON
import Testing

struct JSONWriterTests {
  /// RFC 8259 §7 written down once more, a byte at a time.
  private func slowly(_ text: String) -> [UInt8] {
    let names: [UInt8: String] = [0x22: "\\\"", 0x5C: "\\\\", 0x0A: "\\n", 0x0D: "\\r", 0x09: "\\t"]
    let hex = Array("0123456789abcdef")
    var out: [UInt8] = [0x22]
    for byte in text.utf8 {
      if let name = names[byte] {
        out += name.utf8
      } else if byte < 0x20 {
        out += "\\u00\(hex[Int(byte) / 16])\(hex[Int(byte) % 16])".utf8
      } else {
        out.append(byte)
      }
    }
    return out + [0x22]
  }

  @Test func whatMustBeEscapedIsFoundWhereverItStands() {
    // All of ASCII and two of more bytes, at every place of texts of several words of eight bytes.
    let scalars = (0..<0x80).map { Unicode.Scalar(UInt8($0)) } + ["é", "数"]
    for length in 0..<20 {
      for place in 0...length {
        for scalar in scalars {
          let text =
            String(repeating: "!", count: place) + String(scalar) + String(repeating: "[", count: length - place)
          var out: [UInt8] = []
          JSONValue.write(string: text, into: &out)
          if out != slowly(text) { Issue.record("\(scalar.value) at \(place) of \(length)") }
        }
      }
    }
  }

  @Test(arguments: [nil, 0]) func membersAreTheSameAsTextAndAsATree(indent: Int?) {
    func write(_ members: inout some JSONMembers) {
      for number in [-12, 0, 9, 10, 99, 100, .max, .min] { members.number(.named("\(number)"), number) }
      members.string("long", String(repeating: "x", count: 5_000))
      members.number("none", nil)
      for digits in [0, 1, 1_250_000, 10_000_000, -2_500_001, .max, .min] {
        members.number(.named("decimal \(digits)"), digits, places: 6)
        members.string(.named("text \(digits)"), Int128(digits) * 20, places: 18)
      }
      members.number("no decimal", nil, places: 6)
      members.string("no text", nil, places: 18)
      members.object("o") { members in
        members.string(.named("a \"quoted\" key"), "line\nend")
        members.string("s", nil)
        members.object("empty") { _ in }
      }
      members.strings("l", ["x", "\u{1}"])
      members.strings("empty", [])
    }
    var tree = JSONTree()
    write(&tree)
    var expected: [UInt8] = []
    JSONValue.object(tree.members).write(into: &expected, indent: indent)
    var bytes: [UInt8] = []
    var text = JSONText(indent: indent)
    write(&text)
    text.finish(into: &bytes)
    #expect(bytes == expected)
  }
}
