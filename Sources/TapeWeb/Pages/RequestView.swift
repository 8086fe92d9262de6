internal import TapeDialects
internal import TapeJSON
internal import TapeQuery
internal import TapeTypes

/// What was asked, as people read it: the messages, and the rest as JSON.
struct RequestView {
  let call: RecordedCall
  let shown: JSONValue
  let text: (String) -> HTML

  private static let messageKeys = [
    "messages", "prefix_messages", "input", "instructions", "system", "contents", "prompt",
  ]

  var messages: [PageData] {
    conversation.map { message in
      var data = PageData()
      data["role"] = message.role ?? "request"
      data[html: "content"] = message.content.isEmpty ? nil : text(message.content)
      data["toolCallID"] = message.toolCallID
      data[list: "tools"] = message.toolCalls.map { tool in
        var data = PageData()
        data["name"] = tool.name
        data[lines: "arguments"] = Show.cut(tool.arguments, to: CallPage.mostText)
        return data
      }
      return data
    }
  }

  private var conversation: [ChatMessage] {
    let facts = RequestFacts(call.open)
    if facts.body?.members != nil || call.open.body.isEmpty { return facts.messages(full: false) }
    let text = String(validating: call.open.body, as: UTF8.self) ?? "[\(call.open.body.count) bytes]"
    return [ChatMessage(role: nil, content: withoutInlineMedia(text))]
  }

  /// What else was sent, laid out; nil for nothing.
  var rest: String? {
    guard let request = shown.at("request") else { return nil }
    guard let members = request.members else { return nil }
    let others = members.filter { member in
      !Self.messageKeys.contains(member.key) || member.value.array == nil && member.value.string == nil
    }
    return others.isEmpty ? nil : String(decoding: JSONValue.object(others).pretty, as: UTF8.self)
  }
}

/// The request again, for a shell.
struct CurlCommand {
  /// A longer body is fetched from here instead of standing in the command.
  private static let mostBody = 8_192
  /// What curl writes by itself.
  private static let left = [
    "host", "content-length", "connection", "accept-encoding", "transfer-encoding", "user-agent",
  ]

  let call: RecordedCall

  var text: String {
    let open = call.open
    let upstream = open.upstream.isEmpty ? "https://UPSTREAM" : open.upstream
    var lines = ["curl -sS -N -X \(Self.quoted(open.method)) \(Self.quoted(upstream + open.path))"]
    for header in open.headers where !Self.left.contains(header.name.lowercased()) {
      // What was removed before taping has to be given again.
      let isSecret = header.value.contains("[redacted")
      lines.append(
        isSecret
          ? "-H \"\(Self.doubleQuoted(header.name)): \(header.name.lowercased() == "authorization" ? "Bearer " : "")$API_KEY\""
          : "-H \(Self.quoted("\(header.name): \(header.value)"))")
    }
    if open.body.count > Self.mostBody {
      lines.append("--data-binary @\(open.id).request")
    } else if !open.body.isEmpty {
      lines.append("--data-binary \(Self.quoted(open.body))")
    }
    return lines.joined(separator: " \\\n  ")
  }

  private static func quoted(_ text: String) -> String { quoted(Array(text.utf8)) }

  /// For a POSIX shell; what is no plain text in the way of bash.
  private static func quoted(_ bytes: [UInt8]) -> String {
    let text = String(validating: bytes, as: UTF8.self)
    if let text, !text.unicodeScalars.contains(where: { VisibleText.isUnsafe($0) && $0 != "\n" && $0 != "\t" }) {
      return "'" + text.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''") + "'"
    }
    var out = "$'"
    for byte in bytes {
      switch byte {
      case 0x27: out += "\\'"
      case 0x5C: out += "\\\\"
      case 0x20..<0x7F: out.unicodeScalars.append(Unicode.Scalar(byte))
      default: out += "\\x" + (byte < 16 ? "0" : "") + String(byte, radix: 16)
      }
    }
    return out + "'"
  }

  private static func doubleQuoted(_ text: String) -> String {
    text.reduce(into: "") { out, character in
      if "\\\"$`".contains(character) { out += "\\" }
      out.append(character)
    }
  }
}
