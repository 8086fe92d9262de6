internal import TapeConfiguration
internal import TapeJSON
internal import TapeRedaction
internal import TapeSSE
internal import TapeTypes

extension FuzzTarget {
  /// Any text is a configuration, or an error says where it is none; the rules of one that is can be applied.
  static let configuration = FuzzTarget("configuration") { input in
    do throws(TapeError) {
      let configuration = try Configuration(input, path: "c")
      let redactor = try Redactor(configuration.redactions)
      _ = redactor.frame(Array("data: {\"a\":[{\"b\":\"x\"}]}\n\n".utf8), isEvent: true)
      try? expect(Configuration(input, path: "c") == configuration, "a configuration changes when it is read again")
    } catch {
      let text = error.description
      try expect(
        text.hasPrefix("the configuration c cannot be used: line "), "an error that does not say where: \(text)")
    }
  }

  /// Any rule takes out of any frame what it is about, and the frame stays one: JSON stays JSON.
  ///
  /// The first byte: bit 1 a path, bit 2 a pattern, bit 4 a whole body instead of a block of a stream. Parts between
  /// `FF 1E`: path, pattern, replacement, and what it is applied to.
  static let redaction = FuzzTarget("redaction") { input in
    guard let (choice, rest) = input.variant else { return }
    let parts = SegmentScript.parts(rest) + Array(repeating: [], count: 4)
    func text(_ part: Int) -> String { String(decoding: parts[part], as: UTF8.self) }
    let rule = RedactionRule(
      name: "n", path: choice & 1 == 1 ? text(0) : nil, pattern: choice & 2 == 2 ? text(1) : nil, replacement: text(2))
    guard let redactor = try? Redactor([rule]) else { return }
    var open = CallOpen(
      id: CallID(high: 1, low: 1), startedAtNs: 0, origin: .import, body: parts[3], salt: [])
    redactor.clean(&open)
    try expect(open.redactions.contains("request:n") || open.body == parts[3], "a request was changed silently")
    try expect(isJSON(open.body) || !isJSON(parts[3]), "a request is no JSON any more")
    let isEvent = choice & 4 == 0
    guard let clean = redactor.frame(parts[3], isEvent: isEvent) else { return }
    if isEvent, FrameSplitter.split(parts[3]).frameEnds.count == 1 {
      try expect(FrameSplitter.split(clean).frameEnds.count == 1, "a frame is not one any more")
      try expect(dispatched(clean) == dispatched(parts[3]), "a frame does not give as many events any more")
    }
    guard rule.pattern == nil else { return }
    try expect(redactor.frame(clean, isEvent: isEvent) ?? clean == clean, "a path is not followed the same way again")
  }

  private static func isJSON(_ bytes: [UInt8]) -> Bool { (try? JSONValue(parsing: bytes)) != nil }

  private static func dispatched(_ frame: [UInt8]) -> Int {
    var parser = EventParser()
    var events = 0
    frame.withUnsafeBytes { bytes in parser.feed(bytes) { _ in events += 1 } }
    parser.finish()
    return events
  }
}
