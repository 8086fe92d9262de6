/// A block of an event stream, for redaction: its lines, and the data in them.
enum EventFrame {
  /// The frame without what the rule is about; nil if nothing is. Line ends, other fields and comments stay; only a
  /// pattern without path looks into comments too.
  static func apply(_ rule: CompiledRule, to frame: [UInt8]) -> [UInt8]? {
    guard frame.count <= Redactor.mostBytes else { return Redactor.placeholder(bytes: frame.count, isEvent: true) }
    var lines = split(frame)
    var changed = false
    let data = lines.indices.filter { lines[$0].field == .data }
    if !data.isEmpty {
      // Lines of data are one text, with a line feed between them.
      let text = data.map { Array(lines[$0].value) }.joined(separator: [0x0A])
      if let next = Redactor.apply(rule, to: Array(text)) {
        let pieces = next.split(separator: 0x0A, omittingEmptySubsequences: false)
        let (first, last) = (lines[data[0]], lines[data[data.count - 1]])
        for index in data.dropFirst().reversed() { lines.remove(at: index) }
        let plain = last.prefix.starts(with: byteOrderMark) ? last.prefix.dropFirst(3) : last.prefix
        // The last line of a frame that was cut off has no end.
        let between = first.end.isEmpty ? [0x0A] : first.end
        let made = pieces.enumerated().map { index, piece in
          Line(
            field: .data, prefix: index == 0 ? first.prefix : plain, value: piece.filter { $0 != 0x0D }[...],
            end: index == pieces.count - 1 ? last.end : between)
        }
        lines.replaceSubrange(data[0]...data[0], with: made)
        changed = true
      }
    }
    if rule.path == nil, let pattern = rule.pattern {
      for index in lines.indices where lines[index].field != .data {
        let text = String(decoding: lines[index].value, as: UTF8.self)
        guard let next = pattern.replacing(text, with: rule.replacement) else { continue }
        lines[index].value = Array(next.utf8.filter { $0 != 0x0A && $0 != 0x0D })[...]
        // What nobody knows must not become something that somebody does, nor an empty line: that ends a frame.
        if lines[index].field == .unknown { lines[index].prefix.append(0x3A) }
        changed = true
      }
    }
    return changed ? lines.flatMap { $0.prefix + $0.value + $0.end } : nil
  }

  private struct Line {
    enum Field { case data, known, unknown }

    var field: Field
    /// The field's name, its colon, and a space behind that, if there is one; of a comment the colon. Before the first
    /// field there may be a byte order mark. All of an unknown field is value: its name may be what a rule is about.
    var prefix: ArraySlice<UInt8>
    var value: ArraySlice<UInt8>
    var end: ArraySlice<UInt8>
  }

  /// The fields of the WHATWG's event streams (§9.2.6), and a comment, whose name is empty.
  private static let known = ["data", "event", "id", "retry", ""].map { Array($0.utf8) }

  private static let byteOrderMark: [UInt8] = [0xEF, 0xBB, 0xBF]

  private static func split(_ frame: [UInt8]) -> [Line] {
    var lines: [Line] = []
    var start = 0
    while start < frame.count {
      let stop = frame[start...].firstIndex { $0 == 0x0A || $0 == 0x0D } ?? frame.count
      var next = min(stop + 1, frame.count)
      if stop < frame.count, frame[stop] == 0x0D, next < frame.count, frame[next] == 0x0A { next += 1 }
      let mark = start == 0 && frame.starts(with: byteOrderMark) ? 3 : 0
      var (field, prefix) = (Line.Field.unknown, start + mark)
      let colon = frame[prefix..<stop].firstIndex(of: 0x3A) ?? stop
      // An empty line ends the frame, and has nothing to be taken out.
      if let name = known.first(where: { frame[prefix..<colon].elementsEqual($0) }) {
        field = name == known[0] && colon < stop ? .data : .known
        prefix = min(colon + 1, stop)
        if prefix < stop, frame[prefix] == 0x20 { prefix += 1 }
      }
      lines.append(
        Line(field: field, prefix: frame[start..<prefix], value: frame[prefix..<stop], end: frame[stop..<next]))
      start = next
    }
    return lines
  }
}
