/// A block of an event stream, for redaction: its lines, and the data in them.
enum EventFrame {
  /// The frame without what the rule is about; nil if nothing is. Line ends, other fields and comments stay; only a
  /// pattern without path looks into comments too.
  static func apply(_ rule: CompiledRule, to frame: [UInt8]) -> [UInt8]? {
    guard frame.count <= Redactor.mostBytes else { return Redactor.placeholder(bytes: frame.count, isEvent: true) }
    var lines = split(frame)
    var changed = false
    let data = lines.indices.filter { lines[$0].isData }
    if !data.isEmpty {
      // Lines of data are one text, with a line feed between them.
      let text = data.map { Array(lines[$0].value) }.joined(separator: [0x0A])
      if let next = Redactor.apply(rule, to: Array(text)) {
        let pieces = next.split(separator: 0x0A, omittingEmptySubsequences: false)
        let first = lines[data[0]]
        for index in data.dropFirst().reversed() { lines.remove(at: index) }
        let made = pieces.map { Line(prefix: first.prefix, value: $0.filter { $0 != 0x0D }[...], end: first.end) }
        lines.replaceSubrange(data[0]...data[0], with: made)
        changed = true
      }
    }
    if rule.path == nil, let pattern = rule.pattern {
      for index in lines.indices where !lines[index].isData {
        let text = String(decoding: lines[index].value, as: UTF8.self)
        guard let next = pattern.replacing(text, with: rule.replacement) else { continue }
        lines[index].value = Array(next.utf8.filter { $0 != 0x0A && $0 != 0x0D })[...]
        changed = true
      }
    }
    return changed ? lines.flatMap { $0.prefix + $0.value + $0.end } : nil
  }

  private struct Line {
    /// `data:` and a space, if there is one; empty for other lines.
    var prefix: ArraySlice<UInt8>
    var value: ArraySlice<UInt8>
    var end: ArraySlice<UInt8>
    var isData: Bool { !prefix.isEmpty }
  }

  private static func split(_ frame: [UInt8]) -> [Line] {
    var lines: [Line] = []
    var start = 0
    while start < frame.count {
      let stop = frame[start...].firstIndex { $0 == 0x0A || $0 == 0x0D } ?? frame.count
      var next = min(stop + 1, frame.count)
      if stop < frame.count, frame[stop] == 0x0D, next < frame.count, frame[next] == 0x0A { next += 1 }
      // A byte order mark may stand before the first field.
      let mark = start == 0 && frame.starts(with: [0xEF, 0xBB, 0xBF]) ? 3 : 0
      var prefix = start
      if frame[(start + mark)..<stop].starts(with: "data:".utf8) {
        prefix = start + mark + 5
        if prefix < stop, frame[prefix] == 0x20 { prefix += 1 }
      }
      lines.append(Line(prefix: frame[start..<prefix], value: frame[prefix..<stop], end: frame[stop..<next]))
      start = next
    }
    return lines
  }
}
