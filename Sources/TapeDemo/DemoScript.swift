internal import TapeJSON

/// What the demo upstream sends for one request: an HTTP head, frames with pauses before
/// them, and how the body ends.
struct DemoScript {
  enum Ending {
    /// The body ends as HTTP says.
    case clean
    /// The connection closes inside the body.
    case cut
  }

  struct Step {
    var pauseMilliseconds: Int
    var bytes: [UInt8]
  }

  var status = 200
  var contentType = "text/event-stream"
  var steps: [Step] = []
  var ending = Ending.clean

  mutating func send(_ chunk: JSONValue, after milliseconds: Int = 15) {
    steps.append(Step(pauseMilliseconds: milliseconds, bytes: Array("data: ".utf8) + chunk.compact + [0x0A, 0x0A]))
  }

  mutating func sendDone() {
    steps.append(Step(pauseMilliseconds: 0, bytes: Array("data: [DONE]\n\n".utf8)))
  }

  /// A JSON answer that is no stream.
  static func json(_ body: JSONValue, status: Int = 200) -> DemoScript {
    var script = DemoScript()
    script.status = status
    script.contentType = "application/json"
    script.steps = [Step(pauseMilliseconds: 5, bytes: body.compact)]
    return script
  }

  /// Words of a text, each with the space before it: the pieces that a model would stream.
  static func pieces(_ text: String) -> [String] {
    var pieces: [String] = []
    var piece = ""
    for scalar in text.unicodeScalars {
      if scalar == " ", !piece.isEmpty {
        pieces.append(piece)
        piece = ""
      }
      piece.unicodeScalars.append(scalar)
    }
    return piece.isEmpty ? pieces : pieces + [piece]
  }
}
