internal import TapeJSON

/// What was said, in the shapes of the GenAI conventions: messages of parts. Inline media are what `show` makes of them.
struct SpanContent {
  private let shown: JSONValue
  private let request: JSONValue

  /// - Parameter shown: the object of `show`.
  init(_ shown: JSONValue) {
    self.shown = shown
    request = shown["request"] ?? .null
  }

  func add(to attributes: inout SpanAttributes) {
    attributes.add("gen_ai.system_instructions", json: .array(instructions))
    attributes.add("gen_ai.input.messages", json: .array(input))
    attributes.add("gen_ai.output.messages", json: .array((shown["choices"]?.array ?? []).map(output)))
    attributes.add("gen_ai.tool.definitions", json: .array(tools))
    if let inputs = request["inputs"], !inputs.isNull { attributes.add("tapedeck.inputs", json: inputs) }
  }

  /// Instructions beside the messages: Anthropic's `system`, the Responses API's `instructions`, Gemini's
  /// `systemInstruction`.
  private var instructions: [JSONValue] {
    let gemini = (request["systemInstruction"] ?? request["system_instruction"]).map { $0["parts"] ?? $0 }
    switch request["system"] ?? request["instructions"] ?? gemini {
    case .string(let text)?: return [Self.text(text)]
    case .array(let parts)?: return parts.map { $0["type"] == nil ? Self.geminiPart($0) : Self.part($0) }
    default: return []
    }
  }

  private var input: [JSONValue] {
    var messages: [JSONValue] = []
    for key in ["prefix_messages", "messages", "input", "prompt"] {
      switch request[key] {
      case .string(let text)?: messages.append(["role": "user", "parts": [Self.text(text)]])
      case .array(let list)? where key != "prompt": messages += list.map(Self.message)
      default: break
      }
    }
    switch request["contents"] {
    case .string(let text)?: messages.append(["role": "user", "parts": [Self.text(text)]])
    case .array(let list)?: messages += list.map(Self.content)
    case .object?: if let content = request["contents"] { messages.append(Self.content(content)) }
    default: break
    }
    return messages
  }

  /// One of Gemini's contents: its parts have no type.
  private static func content(_ content: JSONValue) -> JSONValue {
    if let text = content.string { return ["role": "user", "parts": [Self.text(text)]] }
    let parts = (content["parts"]?.array ?? []).map(geminiPart)
    return ["role": .string(content["role"]?.string ?? "user"), "parts": .array(parts)]
  }

  private static func geminiPart(_ part: JSONValue) -> JSONValue {
    if let text = part["text"]?.string {
      return ["type": part["thought"]?.bool == true ? "reasoning" : "text", "content": .string(text)]
    }
    if let call = part["functionCall"] {
      return [
        "type": "tool_call", "id": call["id"] ?? .null, "name": .string(call["name"]?.string ?? ""),
        "arguments": call["args"] ?? .null,
      ]
    }
    if let answer = part["functionResponse"] {
      return ["type": "tool_call_response", "id": answer["id"] ?? .null, "response": answer["response"] ?? .null]
    }
    return Self.part(part)
  }

  private static func message(_ message: JSONValue) -> JSONValue {
    if let text = message.string { return ["role": "user", "parts": [Self.text(text)]] }
    // Items of the Responses API have a type and perhaps no role.
    guard let role = message["role"]?.string else { return ["role": "user", "parts": [part(message)]] }
    if role == "tool" {
      let result: JSONValue = [
        "type": "tool_call_response", "id": message["tool_call_id"] ?? .null, "response": message["content"] ?? .null,
      ]
      return ["role": .string(role), "parts": [result]]
    }
    return ["role": .string(role), "parts": .array(parts(of: message))]
  }

  private static func parts(of message: JSONValue) -> [JSONValue] {
    var parts: [JSONValue] = []
    if let text = message["reasoning"]?.string, !text.isEmpty {
      parts.append(["type": "reasoning", "content": .string(text)])
    }
    switch message["content"] {
    case .string(let text)?: if !text.isEmpty { parts.append(Self.text(text)) }
    case .array(let list)?: parts += list.map(part)
    case .object?: if let content = message["content"] { parts.append(part(content)) }
    default: break
    }
    if let text = message["refusal"]?.string, !text.isEmpty {
      parts.append(["type": "refusal", "content": .string(text)])
    }
    for call in message["tool_calls"]?.array ?? [] {
      let function = call["function"] ?? call
      parts.append(toolCall(id: call["id"], name: function["name"]?.string, arguments: function["arguments"]?.string))
    }
    return parts
  }

  private static func part(_ part: JSONValue) -> JSONValue {
    if let text = part.string { return Self.text(text) }
    switch part["type"]?.string {
    case "text"?, "input_text"?, "output_text"?: return Self.text(part["text"]?.string ?? "")
    case "reasoning"?, "thinking"?:
      guard let text = part["reasoning"]?.string ?? part["thinking"]?.string ?? part["text"]?.string else {
        return part
      }
      return ["type": "reasoning", "content": .string(text)]
    case "tool_use"?:
      return [
        "type": "tool_call", "id": part["id"] ?? .null, "name": .string(part["name"]?.string ?? ""),
        "arguments": part["input"] ?? .null,
      ]
    case "tool_result"?:
      return ["type": "tool_call_response", "id": part["tool_use_id"] ?? .null, "response": part["content"] ?? .null]
    case "image_url"?:
      guard let url = (part["image_url"]?["url"] ?? part["image_url"])?.string, url.contains("://") else { return part }
      return ["type": "uri", "modality": "image", "uri": .string(url)]
    // The schema leaves room for parts of any other type.
    case .some: return part
    case nil: return .object([.init("type", "unknown")] + (part.members ?? [.init("value", part)]))
    }
  }

  private func output(_ choice: JSONValue) -> JSONValue {
    let parts =
      Self.parts(of: choice)
      + (choice["image_urls"]?.array ?? []).compactMap { url in
        url.string.map { ["type": "uri", "modality": "image", "uri": .string($0)] as JSONValue }
      }
    return [
      "role": .string(choice["role"]?.string ?? "assistant"), "parts": .array(parts),
      // A generation that did not end has none, and the schema wants one.
      "finish_reason": .string(choice["finish_reason"]?.string ?? shown["state"]?.string ?? "error"),
    ]
  }

  private var tools: [JSONValue] {
    (request["tools"]?.array ?? []).map { tool in
      guard let function = tool["function"], function.members != nil else { return tool }
      return .object([.init("type", tool["type"] ?? "function")] + (function.members ?? []))
    }
  }

  private static func text(_ text: String) -> JSONValue { ["type": "text", "content": .string(text)] }

  private static func toolCall(id: JSONValue?, name: String?, arguments: String?) -> JSONValue {
    let parsed = arguments.flatMap { try? JSONValue(parsing: $0) } ?? .string(arguments)
    return ["type": "tool_call", "id": id ?? .null, "name": .string(name ?? ""), "arguments": parsed]
  }
}
