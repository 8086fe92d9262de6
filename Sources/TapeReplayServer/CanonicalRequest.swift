internal import Crypto
package import TapeJSON
package import TapeRedaction

/// The two halves of a SHA-256 that tell requests apart.
package struct RequestDigest: Hashable, Sendable {
  package let high: UInt64
  package let low: UInt64

  /// - Parameter kind: what the bytes are, so that a text never equals a JSON string of it.
  init(kind: UInt8, _ bytes: [UInt8]) {
    var hash = SHA256()
    hash.update(data: [kind])
    hash.update(data: bytes)
    (high, low) = hash.finalize().withUnsafeBytes {
      ($0.loadUnaligned(as: UInt64.self), $0.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
    }
  }
}

/// What of a request's body counts when recordings are looked for (`schema/replay.md`).
package struct CanonicalRequest: Sendable {
  /// Equal for bodies that ask for the same.
  package let digest: RequestDigest
  /// `key`, else `model`.
  package let deployment: String?
  package let wantsStream: Bool
  /// The body without what does not count; nil if it is no JSON.
  package let json: JSONValue?
  let sketch: RequestSketch

  package init(_ body: [UInt8], _ rules: MatchRules) {
    let body = rules.redactor?.clean(body: body) ?? body
    guard !body.isEmpty, let parsed = try? JSONValue(parsing: body) else {
      digest = RequestDigest(kind: body.isEmpty ? 0 : 1, body)
      (deployment, wantsStream, json) = (nil, false, nil)
      sketch = RequestSketch(text: body)
      return
    }
    let counted = CanonicalJSON.form(of: parsed, without: rules.ignored)
    digest = RequestDigest(kind: 2, counted.compact)
    deployment = parsed["key"]?.string ?? parsed["model"]?.string
    wantsStream = parsed["stream"]?.bool ?? false
    json = counted
    sketch = RequestSketch(counted)
  }
}

/// By which rules two requests are the same.
package struct MatchRules: Sendable {
  /// What does not count of a body.
  package let ignored: [JSONPath]
  /// What is taken out of bodies before they are on tape.
  let redactor: Redactor?

  /// How an answer is sent and what names one run, not what is asked.
  package static let usuallyIgnored =
    ["stream", "stream_options", "invoke_options.include_usage"]
    + runNames + runNames.map { "metadata.\($0)" }

  private static let runNames = [
    "request_id", "trace_id", "span_id", "run_id", "session_id", "idempotency_key", "nonce", "timestamp",
  ]

  /// - Parameters:
  ///   - ignoring: further paths.
  ///   - redactions: the rules of the configuration.
  /// - Throws: `TapeError` `.usage` for what is no path, or no rule.
  package init(ignoring: [String] = [], redactions: [RedactionRule] = []) throws {
    ignored = try (Self.usuallyIgnored + ignoring).map { try JSONPath(parsing: $0) }
    redactor = redactions.isEmpty ? nil : try Redactor(redactions)
  }
}

extension JSONPath.Step {
  fileprivate func isMember(_ name: String) -> Bool {
    if case .member(let own) = self { own.utf8.elementsEqual(name.utf8) } else { false }
  }
}

/// JSON in one form: members in the order of their names and each once (the last counts), numbers spelled alike.
enum CanonicalJSON {
  /// - Parameter paths: members and elements that are left out.
  static func form(of value: JSONValue, without paths: [JSONPath]) -> JSONValue {
    form(of: value, paths.map { $0.steps[...] }) ?? .null
  }

  /// nil if nothing of it counts.
  private static func form(of value: JSONValue, _ paths: [ArraySlice<JSONPath.Step>]) -> JSONValue? {
    switch value {
    case .object(let members): return object(members, paths)
    case .array(let elements):
      return .array(
        elements.enumerated().compactMap { index, element in
          form(of: element, below: paths) { $0 == .anyElement || $0 == .element(index) }
        })
    case .number(let text): return .number(number(text))
    case .null where !paths.isEmpty && paths.allSatisfy({ $0.first != nil }): return nil
    case .null, .bool, .string: return value
    }
  }

  /// What had something that does not count in it and is empty without that is as good as not there.
  private static func object(_ members: [JSONValue.Member], _ paths: [ArraySlice<JSONPath.Step>]) -> JSONValue? {
    // Sorting is stable, so that of equal names the last is the one that counts.
    let sorted = members.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
    var kept: [JSONValue.Member] = []
    kept.reserveCapacity(sorted.count)
    for (index, member) in sorted.enumerated() {
      if index + 1 < sorted.count, sorted[index + 1].key.utf8.elementsEqual(member.key.utf8) { continue }
      let value = form(of: member.value, below: paths) { $0 == .anyMember || $0.isMember(member.key) }
      if let value { kept.append(JSONValue.Member(member.key, value)) }
    }
    if kept.isEmpty, !paths.isEmpty { return nil }
    return .object(kept)
  }

  private static func form(
    of value: JSONValue, below paths: [ArraySlice<JSONPath.Step>], _ isHere: (JSONPath.Step) -> Bool
  ) -> JSONValue? {
    if paths.isEmpty { return form(of: value, []) }
    let rest = paths.compactMap { $0.first.map(isHere) == true ? $0.dropFirst() : nil }
    return rest.contains { $0.isEmpty } ? nil : form(of: value, rest)
  }

  /// `10`, `10.0` and `1e1` are one number: its digits without zeros at the ends, and their power of ten.
  static func number(_ text: String) -> String {
    var digits: [UInt8] = []
    var exponent = 0
    var isBehindPoint = false
    var rest = text.utf8[...]
    let isNegative = rest.first == 0x2D
    if isNegative { rest.removeFirst() }
    while let byte = rest.popFirst() {
      switch byte {
      case 0x30...0x39:
        digits.append(byte)
        if isBehindPoint { exponent -= 1 }
      case 0x2E: isBehindPoint = true
      default:
        // Behind `e`. One that does not fit is spelled as it is.
        guard let power = Int(Substring(rest).drop { $0 == "+" }), abs(power) < 1 << 40 else { return text }
        exponent += power
        rest = rest[rest.endIndex...]
      }
    }
    while digits.last == 0x30 {
      digits.removeLast()
      exponent += 1
    }
    let significant = digits.drop { $0 == 0x30 }
    guard !significant.isEmpty else { return "0" }
    let whole = String(decoding: significant, as: UTF8.self)
    return (isNegative ? "-" : "") + (exponent == 0 ? whole : "\(whole)e\(exponent)")
  }
}
