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
    guard !body.isEmpty, let parsed = try? JSONValue(parsing: body), !Self.hasBrokenText(body) else {
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

  /// Whether something in the strings of a JSON text stands for no character: invalid UTF-8, or half of a surrogate pair.
  /// Read as text, all such things would be the same.
  private static func hasBrokenText(_ json: [UInt8]) -> Bool {
    var place = 0
    var isPlain = true
    while place < json.count {
      isPlain = isPlain && json[place] < 0x80
      guard json[place] == 0x5C else {
        place += 1
        continue
      }
      let unit = codeUnit(json, at: place)
      place += unit == nil ? 2 : 6
      guard let unit, (0xD800...0xDFFF).contains(unit) else { continue }
      guard unit < 0xDC00, let low = codeUnit(json, at: place), (0xDC00...0xDFFF).contains(low) else { return true }
      place += 6
    }
    return !isPlain && String(validating: json, as: UTF8.self) == nil
  }

  /// Of a `\u` escape; nil for another one, and for none.
  private static func codeUnit(_ json: [UInt8], at place: Int) -> UInt16? {
    guard place + 6 <= json.count, json[place] == 0x5C, json[place + 1] == 0x75 else { return nil }
    return UInt16(String(decoding: json[(place + 2)..<(place + 6)], as: UTF8.self), radix: 16)
  }
}

/// By which rules two requests are the same.
package struct MatchRules: Sendable {
  /// What does not count of a body.
  let ignored: PathTree
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
    ignored = PathTree(try (Self.usuallyIgnored + ignoring).map { try JSONPath(parsing: $0) })
    redactor = redactions.isEmpty ? nil : try Redactor(redactions)
  }
}

/// Paths of JSON by their steps, so that one look-up a member tells whether any of many leads there.
struct PathTree: Sendable {
  /// A path ends here.
  private(set) var isEnd = false
  private var members: [String: PathTree] = [:]
  private var elements: [Int: PathTree] = [:]
  /// Below `*` and `[*]`; at most one each.
  private var anyMember: [PathTree] = []
  private var anyElement: [PathTree] = []

  init(_ paths: [JSONPath]) {
    for path in paths { add(path.steps[...]) }
  }

  private mutating func add(_ steps: ArraySlice<JSONPath.Step>) {
    let rest = steps.dropFirst()
    switch steps.first {
    case nil: isEnd = true
    case .member(let name): members[name, default: PathTree([])].add(rest)
    case .element(let index): elements[index, default: PathTree([])].add(rest)
    case .anyMember: Self.add(rest, to: &anyMember)
    case .anyElement: Self.add(rest, to: &anyElement)
    }
  }

  private static func add(_ steps: ArraySlice<JSONPath.Step>, to trees: inout [PathTree]) {
    if trees.isEmpty { trees.append(PathTree([])) }
    trees[0].add(steps)
  }

  func below(member name: String) -> [PathTree] {
    guard let own = members[name] else { return anyMember }
    return [own] + anyMember
  }

  func below(element index: Int) -> [PathTree] {
    guard let own = elements[index] else { return anyElement }
    return [own] + anyElement
  }
}

/// JSON in one form: members in the order of their names and each once (the last counts), numbers spelled alike.
enum CanonicalJSON {
  /// - Parameter ignored: members and elements that are left out.
  static func form(of value: JSONValue, without ignored: PathTree) -> JSONValue {
    form(of: value, [ignored]) ?? (value.members == nil ? .null : .object([]))
  }

  /// nil if nothing of it counts.
  private static func form(of value: JSONValue, _ ignored: [PathTree]) -> JSONValue? {
    switch value {
    case .object(let members): return object(members, ignored)
    case .array(let elements):
      return .array(
        elements.enumerated().compactMap { index, element in
          below(element, ignored.isEmpty ? [] : ignored.flatMap { $0.below(element: index) })
        })
    case .number(let text): return .number(number(text))
    case .null where !ignored.isEmpty: return nil
    case .null, .bool, .string: return value
    }
  }

  /// What had something that does not count in it and is empty without that is as good as not there.
  private static func object(_ members: [JSONValue.Member], _ ignored: [PathTree]) -> JSONValue? {
    let order = members.indices.sorted { left, right in
      let (a, b) = (members[left].key.utf8, members[right].key.utf8)
      return a.lexicographicallyPrecedes(b) || left < right && a.elementsEqual(b)
    }
    var kept: [JSONValue.Member] = []
    kept.reserveCapacity(order.count)
    for (place, index) in order.enumerated() {
      let key = members[index].key
      if place + 1 < order.count, members[order[place + 1]].key.utf8.elementsEqual(key.utf8) { continue }
      let value = below(members[index].value, ignored.isEmpty ? [] : ignored.flatMap { $0.below(member: key) })
      if let value { kept.append(JSONValue.Member(key, value)) }
    }
    return kept.isEmpty && !ignored.isEmpty ? nil : .object(kept)
  }

  private static func below(_ value: JSONValue, _ ignored: [PathTree]) -> JSONValue? {
    ignored.contains(where: \.isEnd) ? nil : form(of: value, ignored)
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
