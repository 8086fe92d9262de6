import TapeJSON

/// One message of a conversation as a request carries it, whatever the API that it is for.
package struct ChatMessage: Sendable, Equatable {
  /// As sent: `user`, `assistant`, `system`, `tool`, …; nil where the request gives none.
  package var role: String?
  /// Texts of all parts, a line each; media are named.
  package var content = ""
  package var toolCalls: [ToolCall] = []
  /// Which tool call a result is for.
  package var toolCallID: String?
  package var name: String?

  package init(role: String?, content: String = "", toolCalls: [ToolCall] = []) {
    self.role = role
    self.content = content
    self.toolCalls = toolCalls
  }

  /// What a choice would be as a message of the next request; nil if it has neither text nor tool calls.
  package init?(reply choice: Choice) {
    self.init(
      role: choice.role ?? "assistant", content: choice.content ?? choice.refusal ?? "", toolCalls: choice.toolCalls)
    if isBlank { return nil }
  }

  /// Says what to do, and is no turn of the conversation.
  package var isInstruction: Bool { role == "system" || role == "developer" }

  /// Said by a model: Gemini calls it so.
  var isReply: Bool { role == "assistant" || role == "model" }

  private var isBlank: Bool { toolCalls.isEmpty && content.utf8.allSatisfy { $0 <= 0x20 } }

  /// Text and tool calls in one.
  package var plainText: String {
    let calls = toolCalls.map { "→ \($0.name ?? "")(\($0.arguments))" }
    return ((content.isEmpty ? [] : [content]) + calls).joined(separator: "\n")
  }

  /// Equal for messages that say the same: white space at the ends, the layout of arguments and the ids of tool calls,
  /// which clients write anew, do not count.
  package var key: [UInt8] {
    var key: [UInt8] = []
    func add(_ bytes: some Collection<UInt8>) {
      key.append(contentsOf: bytes)
      key.append(0)
    }
    // Gemini calls the model so, and not in every chunk.
    for text in [role == "model" ? "assistant" : role, toolCallID, name] { add((text ?? "").utf8) }
    add(Array(content.utf8).trimmed)
    for call in toolCalls {
      add((call.name ?? "").utf8)
      let arguments = try? JSONValue(parsing: call.arguments)
      if let arguments { add(arguments.sorted.compact) } else { add(Array(call.arguments.utf8).trimmed) }
    }
    return key
  }
}

extension [UInt8] {
  fileprivate var trimmed: ArraySlice<UInt8> {
    var rest = self[...]
    while let byte = rest.first, byte <= 0x20 { rest.removeFirst() }
    while let byte = rest.last, byte <= 0x20 { rest.removeLast() }
    return rest
  }
}

extension JSONValue {
  /// Members in the order of their keys, all the way down.
  fileprivate var sorted: JSONValue {
    switch self {
    case .object(let members):
      .object(
        members.map { Member($0.key, $0.value.sorted) }
          .sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) })
    case .array(let elements): .array(elements.map(\.sorted))
    default: self
    }
  }
}

extension RequestFacts {
  /// The conversation as the request has it, in the order in which a model reads it: orq's and OpenAI's `messages`, the
  /// Responses API's `input`, Anthropic's `system`, Gemini's `systemInstruction` and `contents`, the `prompt` of old.
  /// Empty where none of them is there.
  ///
  /// What a model said in one answer is one message, as it is in the answer: also where the API has its texts and tool
  /// calls as items of their own.
  ///
  /// - Parameter full: media whole, not as type, size and hash.
  package func messages(full: Bool = false) -> [ChatMessage] {
    MessageList(full: full).read(body ?? .null)
  }
}

/// Reads the messages of a request.
private struct MessageList {
  let full: Bool

  func read(_ body: JSONValue) -> [ChatMessage] {
    guard body.members != nil else { return [] }
    var messages: [ChatMessage] = []
    for key in ["system", "instructions", "systemInstruction", "system_instruction"] {
      if let value = body[key] {
        add(ChatMessage(role: "system", content: text(value["parts"] ?? value)), to: &messages)
      }
    }
    if let prompt = body["prompt"] { add(ChatMessage(role: "user", content: text(prompt)), to: &messages) }
    for key in ["prefix_messages", "messages", "input"] {
      switch body[key] {
      case .string(let text): add(ChatMessage(role: "user", content: named(text)), to: &messages)
      case .array(let items):
        for item in items { for message in read(item: item) { add(message, to: &messages, joins: key == "input") } }
      default: break
      }
    }
    switch body["contents"] {
    case .string(let text): add(ChatMessage(role: "user", content: named(text)), to: &messages)
    case .array(let contents): for content in contents { add(read(content: content), to: &messages, joins: true) }
    case .object: if let content = body["contents"] { add(read(content: content), to: &messages) }
    default: break
    }
    return messages
  }

  /// - Parameter joins: what a model says may come in several items, one behind the other.
  private func add(_ message: ChatMessage, to messages: inout [ChatMessage], joins: Bool) {
    guard joins, message.isReply, let last = messages.last, last.isReply, last.role == message.role else {
      return messages.append(message)
    }
    messages[messages.count - 1].content += message.content
    for call in message.toolCalls {
      var call = call
      call.index = messages[messages.count - 1].toolCalls.count
      messages[messages.count - 1].toolCalls.append(call)
    }
  }

  private func add(_ message: ChatMessage, to messages: inout [ChatMessage]) {
    if !message.content.isEmpty { messages.append(message) }
  }

  private func read(item: JSONValue) -> [ChatMessage] {
    if let text = item.string { return [ChatMessage(role: "user", content: named(text))] }
    switch item["type"]?.string {
    case "function_call", "custom_tool_call":
      var call = ToolCall(index: 0)
      call.id = item["call_id"]?.string
      call.name = item["name"]?.string
      call.arguments = plain(item["arguments"] ?? item["input"])
      return [ChatMessage(role: "assistant", toolCalls: [call])]
    case "function_call_output", "custom_tool_call_output":
      var message = ChatMessage(role: "tool", content: text(item["output"] ?? .null))
      message.toolCallID = item["call_id"]?.string
      return [message]
    // What a model thought is no part of what was said.
    case "reasoning", "item_reference", "compaction": return []
    // Nor is what a server's own tools were asked and said.
    case let type? where item["role"] == nil && (type.hasSuffix("_call") || type.hasPrefix("mcp_")): return []
    default: return [read(message: item)]
    }
  }

  private func read(message item: JSONValue) -> ChatMessage {
    var message = ChatMessage(role: item["role"]?.string)
    guard item.members != nil, item["role"] != nil || item["content"] != nil else {
      message.content = shown(item).compactString
      return message
    }
    message.name = item["name"]?.string
    message.toolCallID = item["tool_call_id"]?.string
    var texts: [String] = []
    if case .array(let parts) = item["content"] {
      for part in parts where !(message.isReply && isServerTool(part)) { read(part: part, into: &message, &texts) }
    } else {
      texts.append(text(item["content"] ?? .null))
    }
    if let refusal = item["refusal"]?.string { texts.append(refusal) }
    // A model's text may be cut into parts anywhere.
    message.content = texts.filter { !$0.isEmpty }.joined(separator: message.isReply ? "" : "\n")
    for (index, call) in (item["tool_calls"]?.array ?? []).enumerated() {
      message.toolCalls.append(read(call: call, index))
    }
    if let call = item["function_call"], call.members != nil { message.toolCalls.append(read(call: call, 0)) }
    return message
  }

  /// What Anthropic's own tools were asked and said is no part of the text.
  private func isServerTool(_ part: JSONValue) -> Bool {
    guard let type = part["type"]?.string, type != "tool_use", type != "tool_result" else { return false }
    return type.hasSuffix("_tool_use") || type.hasSuffix("_tool_result")
  }

  /// One of Gemini's `contents`.
  private func read(content: JSONValue) -> ChatMessage {
    if let text = content.string { return ChatMessage(role: "user", content: named(text)) }
    var message = ChatMessage(role: content["role"]?.string ?? "user")
    var texts: [String] = []
    let parts = content["parts"]
    for part in parts?.array ?? (parts == nil ? [] : [parts ?? .null]) {
      if part["thought"]?.bool == true { continue }
      if let call = part["functionCall"] ?? part["function_call"] {
        var made = ToolCall(index: message.toolCalls.count)
        made.id = call["id"]?.string
        made.name = call["name"]?.string
        made.arguments = plain(call["args"])
        message.toolCalls.append(made)
      } else if let answer = part["functionResponse"] ?? part["function_response"] {
        message.toolCallID = message.toolCallID ?? answer["id"]?.string
        message.name = message.name ?? answer["name"]?.string
        texts.append(plain(answer["response"].map(shown)))
      } else if let text = part["text"]?.string ?? part.string {
        texts.append(named(text))
      } else if let media = part["inlineData"] ?? part["inline_data"] {
        let type = media["mimeType"]?.string ?? media["mime_type"]?.string ?? "application/octet-stream"
        texts.append(named("data:\(type);base64,\(media["data"]?.string ?? "")"))
      } else if !message.isReply {
        texts.append(shown(part).compactString)
      }
    }
    message.content = texts.filter { !$0.isEmpty }.joined(separator: message.isReply ? "" : "\n")
    return message
  }

  private func read(call: JSONValue, _ index: Int) -> ToolCall {
    var read = ToolCall(index: index)
    read.id = call["id"]?.string
    read.type = call["type"]?.string
    let tool = call["function"] ?? call["custom"] ?? call
    read.name = tool["name"]?.string
    read.arguments = plain(tool["arguments"] ?? tool["input"])
    return read
  }

  /// Anthropic's tool calls and results are parts.
  private func read(part: JSONValue, into message: inout ChatMessage, _ texts: inout [String]) {
    switch part["type"]?.string {
    case "tool_use":
      var call = ToolCall(index: message.toolCalls.count)
      call.id = part["id"]?.string
      call.name = part["name"]?.string
      call.arguments = plain(part["input"])
      message.toolCalls.append(call)
    case "tool_result":
      message.toolCallID = message.toolCallID ?? part["tool_use_id"]?.string
      texts.append(text(part["content"] ?? .null))
    default: texts.append(text(part))
    }
  }

  /// The words of a text, a part, or a list of them.
  private func text(_ value: JSONValue) -> String {
    switch value {
    case .null: return ""
    case .string(let text): return named(text)
    case .array(let parts): return parts.map { text($0) }.filter { !$0.isEmpty }.joined(separator: "\n")
    case .object: return text(ofPart: value)
    case .bool, .number: return value.compactString
    }
  }

  private func text(ofPart part: JSONValue) -> String {
    if ["reasoning", "redacted_reasoning", "thinking", "redacted_thinking"].contains(part["type"]?.string) {
      return ""
    }
    if let text = part["text"]?.string ?? part["refusal"]?.string { return named(text) }
    if let url = part["image_url"]?["url"]?.string ?? part["image_url"]?.string {
      let name = named(url)
      return name.hasPrefix("[") ? name : "[image \(name)]"
    }
    return shown(part).compactString
  }

  private func plain(_ value: JSONValue?) -> String {
    guard let value, !value.isNull else { return "" }
    return value.string ?? value.compactString
  }

  private func named(_ text: String) -> String { full ? text : withoutInlineMedia(text) }

  private func shown(_ value: JSONValue) -> JSONValue { full ? value : withoutInlineMedia(value) }
}
