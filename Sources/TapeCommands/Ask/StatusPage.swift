internal import TapeJSON

/// What `status` shows to people.
struct StatusPage {
  private let value: JSONValue
  private let style: TerminalStyle

  init(_ value: JSONValue, style: TerminalStyle = .standard) {
    self.value = value
    self.style = style
  }

  var lines: [String] {
    var lines = [line("store", text(value["store"])), line("versions", versions), line("calls", calls)]
    lines.append(line("archive", archive))
    lines += (value["archive"]?["writers"]?.array ?? []).map(writer)
    lines.append(line("catalogue", catalogue))
    if let problem = value["index"]?["problem"]?.string { lines.append(line("", problem)) }
    lines.append(line("defects", counts(value["defects"])))
    if (number(value["gaps"]?["calls"]) ?? 0) > 0 { lines.append(line("gaps", counts(value["gaps"]))) }
    let damage = value["damage"]?.array
    lines.append(line("damage", damage.map { $0.isEmpty ? "none" : "\($0.count), see tapedeck verify" } ?? "unknown"))
    for item in damage ?? [] { lines.append(line("", "\(text(item["file"])): \(text(item["message"]))")) }
    return lines
  }

  private func line(_ title: String, _ text: String) -> String {
    style.block(title, titleWidth: 11, TerminalText.escaped(text), indent: 0).joined(separator: "\n")
  }

  private var versions: String {
    let versions = value["versions"]
    return "tapedeck \(Entry.version), store \(text(versions?["store"])), catalogue \(text(versions?["catalogue"])), "
      + "prices \(text(versions?["prices"]))"
  }

  private var calls: String {
    guard let calls = value["calls"]?.members else { return "unknown" }
    let total = text(value["calls"]?["total"])
    let others = calls.filter { $0.key != "total" && $0.value != 0 }.map { "\(text($0.value)) \($0.key)" }
    return others.isEmpty ? total : "\(total): \(others.joined(separator: ", "))"
  }

  private var archive: String {
    let archive = value["archive"]
    var parts = [
      bytes(archive?["bytes"]), "\(count(archive?["segments"], "segment")) of \(bytes(archive?["segment_bytes"]))",
      "\(count(archive?["journals"], "journal")) of \(bytes(archive?["journal_bytes"]))",
      "\(bytes(archive?["raw_bytes"])) of responses",
    ]
    if let ratio = archive?["ratio"], ratio != .null { parts.append("ratio \(text(ratio)) : 1") }
    if (number(archive?["torn"]) ?? 0) > 0 { parts.append("\(text(archive?["torn"])) torn ends") }
    return parts.joined(separator: ", ")
  }

  private func writer(_ writer: JSONValue) -> String {
    let isLive = writer["live"] == .bool(true)
    return line(
      "",
      "writer \(text(writer["writer"])): \(isLive ? "recording" : "ended, not sealed yet"), \(bytes(writer["bytes"]))")
  }

  private var catalogue: String {
    let index = value["index"]
    let lag = number(index?["lag_bytes"]) ?? 0
    var parts = [bytes(index?["bytes"])]
    parts.append(
      lag > 0 ? "\(bytes(index?["lag_bytes"])) of \(count(index?["lag_files"], "file")) behind" : "up to date")
    if let process = number(index?["indexer_process"]) {
      parts.append("process \(process) \(index?["following"] == .bool(true) ? "follows" : "is indexing")")
    }
    return parts.joined(separator: ", ")
  }

  private func counts(_ value: JSONValue?) -> String {
    guard let members = value?.members else { return "unknown" }
    return members.isEmpty ? "none" : members.map { "\(text($0.value)) \($0.key)" }.joined(separator: ", ")
  }

  private func count(_ value: JSONValue?, _ what: String) -> String {
    "\(text(value)) \(what)\(number(value) == 1 ? "" : "s")"
  }

  private func number(_ value: JSONValue?) -> Int? { value?.integer }

  private func text(_ value: JSONValue?) -> String { Column.plain(value) }

  private func bytes(_ value: JSONValue?) -> String {
    guard let count = number(value) else { return "unknown size" }
    let units = ["B", "kB", "MB", "GB", "TB"]
    var (size, unit) = (Double(count), 0)
    while size >= 999.5, unit < units.count - 1 {
      size /= 1000
      unit += 1
    }
    return "\(Column.fixed(size, unit == 0 || size >= 100 ? 0 : 1)) \(units[unit])"
  }
}
