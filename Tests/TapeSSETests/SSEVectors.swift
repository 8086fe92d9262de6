import Foundation
import TapeJSON
import Testing

/// One case of `Tests/Vectors/sse.json`.
struct SSEVector: Sendable, CustomTestStringConvertible {
  struct Event: Sendable, Equatable {
    var event: String
    var data: String
    var id: String
    var retry: Int?
  }

  var name: String
  var input: [UInt8]
  var events: [Event]
  var finalID: String
  var finalRetry: Int?
  var splits: [Int]
  /// The vector says that its retry may be clamped or ignored.
  var isAmbiguous: Bool

  var testDescription: String { name }

  static let all: [SSEVector] = load()

  private static func load() -> [SSEVector] {
    let url = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../Vectors/sse.json")
    guard let data = try? Data(contentsOf: url), let file = try? JSONValue(parsing: [UInt8](data)) else { return [] }
    return (file["vectors"]?.array ?? []).map(SSEVector.init)
  }

  private init(_ json: JSONValue) {
    name = json["name"]?.string ?? "?"
    input = [UInt8](Data(base64Encoded: json["input_base64"]?.string ?? "") ?? Data())
    events = (json["expected_events"]?.array ?? []).map {
      Event(
        event: $0["event"]?.string ?? "?", data: $0["data"]?.string ?? "?", id: $0["id"]?.string ?? "?",
        retry: $0["retry"]?.integer)
    }
    finalID = json["expected_final"]?["last_event_id"]?.string ?? "?"
    finalRetry = json["expected_final"]?["reconnection_time_ms"]?.integer
    splits = (json["chunk_splits"]?.array ?? []).compactMap(\.integer)
    isAmbiguous = json["ambiguous"]?.bool ?? false
  }
}

/// Every way of cutting `input` that a test should try: whole, byte by byte, in two at every place, and as given.
func chunkings(of input: [UInt8], splits: [Int] = []) -> [[ArraySlice<UInt8>]] {
  var result = [[input[...]], input.indices.map { input[$0...$0] }]
  result += input.indices.map { [input[..<$0], input[$0...]] }
  if !splits.isEmpty {
    let edges = [0] + splits.filter { $0 <= input.count } + [input.count]
    result.append(zip(edges, edges.dropFirst()).map { input[$0..<$1] })
  }
  return result
}

/// A small generator with a seed, so that a failure can be seen again.
struct SeededGenerator: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var value = state
    value = (value ^ value >> 30) &* 0xBF58_476D_1CE4_E5B9
    value = (value ^ value >> 27) &* 0x94D0_49BB_1331_11EB
    return value ^ value >> 31
  }
}

/// Bodies made of what matters to the grammar: line ends, field names, colons, byte order marks.
func randomBody(seed: UInt64) -> [UInt8] {
  var generator = SeededGenerator(state: seed)
  let pieces = [
    "\n", "\r", "\r\n", "\n\n", "\r\r", "\r\n\r\n", "data", ":", " ", "data: x", "id: 1", "event:e", "retry:5",
    "\u{FEFF}",
    ": c", "é", "data:\n",
  ]
  var body: [UInt8] = []
  for _ in 0..<Int.random(in: 0...14, using: &generator) {
    let piece = Array((pieces.randomElement(using: &generator) ?? "").utf8)
    // Now and then only a part of a piece: halves of line ends and of characters.
    body += Int.random(in: 0..<8, using: &generator) == 0 ? Array(piece.dropLast()) : piece
  }
  return body
}
