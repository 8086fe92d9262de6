import TapeTestSupport

/// Frames as they come, and as nobody wants them.
enum Traffic {
  static func bytes(_ count: Int, _ generator: inout SplitMix64) -> [UInt8] {
    (0..<count).map { _ in UInt8.random(in: 0...255, using: &generator) }
  }

  /// - Parameter unique: it must not be like any other frame of its call.
  static func frame(_ number: Int, unique: Bool, _ generator: inout SplitMix64) -> [UInt8] {
    let tag = unique ? "#\(number) " : ""
    switch Int.random(in: 0..<100, using: &generator) {
    case 0..<60:
      let word = ["Hel", "lo", " wor", "ld", "数据", "\\ud83d\\ude00", "\\\"", ""].randomElement(using: &generator) ?? ""
      let usage = number % 9 == 8 ? #","usage":{"total_tokens":\#(number)}"# : ""
      return Array(
        #"data: {"id":"01J","n":\#(number),"choices":[{"index":0,"message":{"content":"\#(tag)\#(word)"}}]\#(usage)}"#
          .utf8)
        + [0x0A, 0x0A]
    case 60..<70: return Array("id: \(number)\r\nevent: delta\r\ndata: \(tag)\(number * 7)\r\n\r\n".utf8)
    case 70..<75: return Array(": keep-alive \(tag)\r\r".utf8)
    case 75..<80: return Array("data: \(tag)[DONE]\n\n".utf8)
    case 80..<84: return Array("\(tag)".utf8) + [0xFF, 0xFE, 0x00, 0x0A, 0x1B, 0x5B, 0x0A, 0x0A]
    case 84..<88: return unique ? Array(tag.utf8) : []
    case 88..<92: return Array(tag.utf8) + [0x0A]
    case 92..<97: return Array(tag.utf8) + bytes(Int.random(in: 1..<900, using: &generator), &generator)
    // What a journal looks like, inside of a frame.
    case 97..<99:
      return Array("\(tag)\n00000000 12 frame 1 \(number) 5 0\nabcdefghijkl\n8fbd334f 0 batch 3 00\n\n".utf8)
    default: return Array(tag.utf8) + bytes(70_000, &generator) + [0x0A, 0x0A]
    }
  }
}
