import TapeJSON

/// The words of a request, for full text: inputs, prefix messages, messages, and what other
/// endpoints call `prompt`, `input` and `instructions`. Inline media are placeholders.
struct PromptText {
  private var lines: [String] = []

  init(body: JSONValue) {
    if let inputs = body["inputs"] { addStrings(of: inputs) }
    for key in ["instructions", "prompt"] {
      if let value = body[key] { addStrings(of: value) }
    }
    for key in ["prefix_messages", "messages", "input"] {
      switch body[key] {
      case .string(let text): add(text)
      case .array(let messages): for message in messages { add(message: message) }
      default: break
      }
    }
  }

  var text: String { lines.joined(separator: "\n") }

  private mutating func add(_ text: String?) {
    if let text, !text.isEmpty { lines.append(InlineMedia.placeholders(in: text)) }
  }

  private mutating func addStrings(of value: JSONValue) {
    switch InlineMedia.withoutMedia(value) {
    case .string(let text): if !text.isEmpty { lines.append(text) }
    case .array(let elements): for element in elements { addStrings(of: element) }
    case .object(let members): for member in members { addStrings(of: member.value) }
    case .null, .bool, .number: break
    }
  }

  private mutating func add(message: JSONValue) {
    if let text = message.string { return add(text) }
    switch message["content"] {
    case .string(let text): add(text)
    case .array(let parts): for part in parts { add(part: part) }
    case .object: if let content = message["content"] { add(part: content) }
    default: break
    }
    for call in message["tool_calls"]?.array ?? [] {
      add(call["function"]?["name"]?.string)
      add(call["function"]?["arguments"]?.string)
    }
    for key in ["refusal", "reasoning", "output", "arguments"] { add(message[key]?.string) }
  }

  /// One part of a message: text, refusal and reasoning as they are; of media what is not data.
  private mutating func add(part: JSONValue) {
    if let text = part.string { return add(text) }
    for key in ["text", "refusal", "reasoning"] { add(part[key]?.string) }
    for key in ["image_url", "input_audio", "file"] {
      if let media = part[key] { addStrings(of: InlineMedia.withoutMedia(media)) }
    }
    // A tool's result may hold parts of its own.
    switch part["content"] {
    case .string(let text): add(text)
    case .array(let parts): for part in parts { add(part: part) }
    default: break
    }
  }
}
