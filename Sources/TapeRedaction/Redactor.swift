internal import TapeJSON
package import TapeTypes

/// Applies redaction rules to requests and to frames of responses. What no rule meets stays as it is, to the byte.
package struct Redactor: Sendable {
  /// A frame or body that is larger than this is not looked into: none of it gets on tape.
  package static let mostBytes = 16 << 20

  private let requestRules: [CompiledRule]
  private let responseRules: [CompiledRule]

  /// - Throws: `TapeError(.usage)` that says what is wrong with a rule.
  package init(_ rules: [RedactionRule]) throws(TapeError) {
    var compiled: [CompiledRule] = []
    for (index, rule) in rules.enumerated() { compiled.append(try CompiledRule(rule, number: index + 1)) }
    requestRules = compiled.filter { $0.places.contains(.request) }
    responseRules = compiled.filter { $0.places.contains(.response) }
  }

  /// False: nothing has to be asked for frames.
  package var hasResponseRules: Bool { !responseRules.isEmpty }

  /// Takes out of a request's body what the rules say, and notes on the call which rules were applied to it, and which
  /// are in force for its response.
  package func clean(_ open: inout CallOpen) {
    for rule in requestRules {
      guard let body = Self.apply(rule, to: open.body) else { continue }
      open.body = body
      Self.note("request:\(rule.label)", in: &open.redactions)
    }
    for rule in responseRules { Self.note("response:\(rule.label)", in: &open.redactions) }
  }

  /// A request's body as it is on tape.
  package func clean(body: [UInt8]) -> [UInt8] {
    requestRules.reduce(body) { Self.apply($1, to: $0) ?? $0 }
  }

  private static func note(_ name: String, in redactions: inout [String]) {
    if !redactions.contains(name) { redactions.append(name) }
  }

  /// A frame as it may be on tape; nil if it may as it is.
  ///
  /// - Parameter isEvent: it is a block of an event stream; otherwise the whole body.
  package func frame(_ frame: [UInt8], isEvent: Bool) -> [UInt8]? {
    guard hasResponseRules else { return nil }
    var changed: [UInt8]?
    for rule in responseRules {
      let bytes = changed ?? frame
      if let next = isEvent ? EventFrame.apply(rule, to: bytes) : Self.apply(rule, to: bytes) { changed = next }
    }
    return changed
  }

  /// What is on tape instead of a frame that is too large to be looked into.
  package static func placeholder(bytes: Int, isEvent: Bool) -> [UInt8] {
    let text = "[redacted: \(bytes) bytes are too many to look into]"
    return Array((isEvent ? ": \(text)\n\n" : text).utf8)
  }

  // MARK: One rule

  /// The body without what the rule is about; nil if nothing is. A body that is no JSON is one text.
  static func apply(_ rule: CompiledRule, to body: [UInt8]) -> [UInt8]? {
    guard !body.isEmpty else { return nil }
    guard body.count <= mostBytes else { return placeholder(bytes: body.count, isEvent: false) }
    let edits = body.withUnsafeBytes { bytes -> [Edit]? in
      var cursor = JSONCursor(bytes)
      guard let root = try? cursor.document() else { return nil }
      var finder = ValueFinder(bytes: bytes, rule: rule)
      finder.walk(root)
      return finder.edits
    }
    guard let edits else {
      // No JSON: it has no paths.
      guard rule.path == nil, let pattern = rule.pattern else { return nil }
      let text = String(decoding: body, as: UTF8.self)
      return pattern.replacing(text, with: rule.replacement).map { Array($0.utf8) }
    }
    return edits.isEmpty ? nil : body.applying(edits)
  }
}

/// Finds the values of a JSON text that a rule is about, in the order of the text.
private struct ValueFinder {
  let bytes: UnsafeRawBufferPointer
  let rule: CompiledRule
  private(set) var edits: [Edit] = []

  init(bytes: UnsafeRawBufferPointer, rule: CompiledRule) {
    self.bytes = bytes
    self.rule = rule
  }

  mutating func walk(_ root: JSONSlice) {
    if let path = rule.path { follow(root, path.steps[...]) } else { everything(root) }
  }

  private mutating func follow(_ value: JSONSlice, _ steps: ArraySlice<JSONPath.Step>) {
    guard let step = steps.first else { return meet(value) }
    let rest = steps.dropFirst()
    var cursor = JSONCursor(bytes, at: value)
    var next: [JSONSlice] = []
    switch (step, value.kind) {
    case (.member(let name), .object):
      let wanted = Array(name.utf8)
      try? cursor.members { key, value in
        if cursorKey(key).elementsEqual(wanted) { next.append(value) }
      }
    case (.anyMember, .object): try? cursor.members { _, value in next.append(value) }
    case (.element(let wanted), .array):
      try? cursor.elements { index, value in if index == wanted { next.append(value) } }
    case (.anyElement, .array): try? cursor.elements { _, value in next.append(value) }
    default: return
    }
    for value in next { follow(value, rest) }
  }

  private func cursorKey(_ key: JSONSlice) -> String.UTF8View { JSONCursor(bytes).string(key).utf8 }

  /// A value that the path leads to.
  private mutating func meet(_ value: JSONSlice) {
    if rule.pattern != nil { return everything(value) }
    guard value.kind != .null else { return }
    replace(value, with: rule.replacement)
  }

  /// All texts and numbers in a value.
  private mutating func everything(_ value: JSONSlice) {
    var cursor = JSONCursor(bytes, at: value)
    var next: [JSONSlice] = []
    switch value.kind {
    case .object: try? cursor.members { _, value in next.append(value) }
    case .array: try? cursor.elements { _, value in next.append(value) }
    case .string, .number:
      let cursor = JSONCursor(bytes)
      let text =
        value.kind == .string ? cursor.string(value) : String(decoding: cursor.raw(value), as: UTF8.self)
      if let changed = rule.pattern?.replacing(text, with: rule.replacement) { replace(value, with: changed) }
    case .true, .false, .null: break
    }
    for value in next { everything(value) }
  }

  private mutating func replace(_ value: JSONSlice, with text: String) { edits.append(Edit(value, text: text)) }
}
