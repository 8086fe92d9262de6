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
    // Anthropic's and Gemini's.
    switch body["system"] {
    case .string(let text): add(text)
    case .array(let parts): for part in parts { add(part: part) }
    default: break
    }
    for key in ["systemInstruction", "system_instruction"] { if let value = body[key] { add(content: value) } }
    switch body["contents"] {
    case .string(let text): add(text)
    case .array(let contents): for content in contents { add(content: content) }
    case .object: if let content = body["contents"] { add(content: content) }
    default: break
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
    let calls = (message["tool_calls"]?.array ?? []).map { $0["function"] ?? $0["custom"] } + [message["function_call"]]
    for call in calls {
      add(call?["name"]?.string)
      add(call?["arguments"]?.string ?? call?["input"]?.string)
    }
    for key in ["refusal", "reasoning", "output", "arguments"] { add(message[key]?.string) }
    // Items of the Responses API: tool calls, and results in parts.
    switch message["type"]?.string {
    case "function_call", "custom_tool_call":
      add(message["name"]?.string)
      add(message["input"]?.string)
    case "function_call_output", "custom_tool_call_output":
      for part in message["output"]?.array ?? [] { add(part: part) }
    default: break
    }
  }

  /// One of Gemini's contents.
  private mutating func add(content: JSONValue) {
    if let text = content.string { return add(text) }
    let parts = content["parts"]
    for part in parts?.array ?? [parts ?? .null] {
      add(part.string ?? part["text"]?.string)
      for (key, field) in [("functionCall", "args"), ("functionResponse", "response")] {
        guard let tool = part[key] else { continue }
        add(tool["name"]?.string)
        if let value = tool[field] { addStrings(of: value) }
      }
    }
  }

  /// One part of a message: text, refusal and reasoning as they are; of media what is not data.
  private mutating func add(part: JSONValue) {
    if let text = part.string { return add(text) }
    for key in ["text", "refusal", "reasoning"] { add(part[key]?.string) }
    for key in ["image_url", "input_audio", "file"] {
      if let media = part[key] { addStrings(of: InlineMedia.withoutMedia(media)) }
    }
    if part["type"]?.string == "tool_use" {
      add(part["name"]?.string)
      if let input = part["input"] { addStrings(of: input) }
    }
    // A tool's result may hold parts of its own.
    switch part["content"] {
    case .string(let text): add(text)
    case .array(let parts): for part in parts { add(part: part) }
    default: break
    }
  }
}
