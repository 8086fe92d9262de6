/// Something in a frame that may be another in the next one: the inside of a JSON string, a JSON number, the rest of a
/// line that is no JSON.
struct FrameToken {
  enum Kind: UInt8 {
    case string, number
    /// Up to a line end.
    case line
    /// All of a frame.
    case frame
  }

  /// Where in the frame.
  var range: Range<Int>
  var kind: Kind
  /// See ``CallOutline/Column/path``.
  var path: [UInt8]
}

/// Finds the tokens of one frame. Looks at shape only: what it makes of a frame that is neither SSE nor JSON is no
/// worse than having found nothing.
struct FrameLexer {
  private let bytes: UnsafeBufferPointer<UInt8>
  /// Whether `type` and small `index` members are part of the frame's shape: so each choice, tool call or kind of event
  /// has templates and columns of its own.
  private let splitsByMembers: Bool
  private var tokens: [FrameToken] = []

  /// An object or a list of the JSON in a line.
  private struct Node {
    var parent: Int
    var isList: Bool
    /// The key it has in its parent, if that is an object.
    var key: Range<Int>?
    /// The place it has in its parent, if that is a list.
    var place = 0
    /// Its `type`, if it is the root.
    var type: Range<Int>?
    /// Its members that are an index.
    var indexes: [UInt8] = []
    /// The place of the element that is read, in a list.
    var count = 0
  }

  private struct Found {
    var range: Range<Int>
    var kind: FrameToken.Kind
    var node: Int
    var key: Range<Int>?
    var place: Int
  }

  private static let deepest = 64
  /// A frame with more tokens, or bytes, is taken as it is.
  static let mostTokens = 256
  private static let largest = 1 << 20

  static func tokens(_ frame: UnsafeBufferPointer<UInt8>, splitsByMembers: Bool) -> [FrameToken] {
    guard frame.count <= largest else { return [] }
    var lexer = FrameLexer(bytes: frame, splitsByMembers: splitsByMembers)
    lexer.lines()
    return lexer.tokens.count <= mostTokens ? lexer.tokens : []
  }

  private init(bytes: UnsafeBufferPointer<UInt8>, splitsByMembers: Bool) {
    self.bytes = bytes
    self.splitsByMembers = splitsByMembers
  }

  // MARK: Lines

  private mutating func lines() {
    var start = 0
    while start < bytes.count {
      var end = start
      while end < bytes.count, bytes[end] != 0x0A, bytes[end] != 0x0D { end += 1 }
      if start < end { line(start..<end) }
      start = end + 1
    }
    // Two values of one path in a frame are two columns.
    var seen: [[UInt8]: Int] = [:]
    for index in tokens.indices {
      let count = seen[tokens[index].path, default: 0] + 1
      seen[tokens[index].path] = count
      if count > 1 { tokens[index].path += Array("~\(count)".utf8) }
    }
  }

  private mutating func line(_ line: Range<Int>) {
    if bytes[line.lowerBound] == 0x7B { return json(line) }
    guard let colon = line.first(where: { bytes[$0] == 0x3A }) else { return }
    var start = colon + 1
    if start < line.upperBound, bytes[start] == 0x20 { start += 1 }
    let value = start..<line.upperBound
    guard !value.isEmpty else { return }
    switch (line.lowerBound..<colon).map({ bytes[$0] }) {
    case Array("data".utf8):
      if bytes[start] == 0x7B || bytes[start] == 0x5B { return json(value) }
      tokens.append(FrameToken(range: value, kind: .line, path: Array("/data".utf8)))
    case Array("id".utf8):
      let isNumber = value.allSatisfy { isDigit(bytes[$0]) }
      tokens.append(FrameToken(range: value, kind: isNumber ? .number : .line, path: Array("/id".utf8)))
    case Array("event".utf8) where !splitsByMembers:
      tokens.append(FrameToken(range: value, kind: .line, path: Array("/event".utf8)))
    case []:
      tokens.append(FrameToken(range: value, kind: .line, path: Array("/comment".utf8)))
    default: break
    }
  }

  private func isDigit(_ byte: UInt8) -> Bool { byte >= 0x30 && byte <= 0x39 }

  // MARK: JSON

  private mutating func json(_ line: Range<Int>) {
    var nodes: [Node] = []
    var found: [Found] = []
    var node = -1
    var key: Range<Int>?
    var position = line.lowerBound
    while position < line.upperBound, found.count <= Self.mostTokens {
      let byte = bytes[position]
      switch byte {
      case 0x7B, 0x5B:
        let place = node >= 0 && nodes[node].isList ? nodes[node].count : 0
        // What is deeper than anything real is left as it is.
        guard depth(node, nodes) < Self.deepest else { position = line.upperBound; break }
        nodes.append(Node(parent: node, isList: byte == 0x5B, key: key, place: place))
        node = nodes.count - 1
        key = nil
      case 0x7D, 0x5D:
        node = node >= 0 ? nodes[node].parent : -1
        key = nil
      case 0x2C:
        if node >= 0, nodes[node].isList { nodes[node].count += 1 }
        key = nil
      case 0x22:
        guard let end = stringEnd(position + 1, line.upperBound) else { position = line.upperBound; break }
        let range = (position + 1)..<end
        position = end
        if node >= 0, !nodes[node].isList, key == nil, isFollowedByColon(end + 1, line.upperBound) {
          key = range
        } else if !takesType(range, key, node, &nodes) {
          let place = node >= 0 ? nodes[node].count : 0
          found.append(Found(range: range, kind: .string, node: node, key: key, place: place))
        }
      case 0x30...0x39, 0x2D:
        var end = position + 1
        while end < line.upperBound, Self.isOfNumber(bytes[end]) { end += 1 }
        let range = position..<end
        position = end - 1
        if !takesIndex(range, key, node, &nodes) {
          let place = node >= 0 ? nodes[node].count : 0
          found.append(Found(range: range, kind: .number, node: node, key: key, place: place))
        }
      default: break
      }
      position += 1
    }
    for item in found {
      tokens.append(FrameToken(range: item.range, kind: item.kind, path: path(item, nodes)))
    }
  }

  static func isOfNumber(_ byte: UInt8) -> Bool {
    byte >= 0x30 && byte <= 0x39 || byte == 0x2E || byte == 0x2D || byte == 0x2B || byte | 0x20 == 0x65
  }

  private func depth(_ node: Int, _ nodes: [Node]) -> Int {
    var depth = 0
    var node = node
    while node >= 0, depth < Self.deepest {
      node = nodes[node].parent
      depth += 1
    }
    return depth
  }

  /// Where the closing quote is; nil if there is none, or a control character before it.
  private func stringEnd(_ start: Int, _ limit: Int) -> Int? {
    var position = start
    while position < limit {
      let byte = bytes[position]
      if byte == 0x22 { return position }
      if byte < 0x20 { return nil }
      position += byte == 0x5C ? 2 : 1
    }
    return nil
  }

  private func isFollowedByColon(_ start: Int, _ limit: Int) -> Bool {
    var position = start
    while position < limit, bytes[position] == 0x20 { position += 1 }
    return position < limit && bytes[position] == 0x3A
  }

  /// True for a `type` (or `object`) whose value is a name.
  private func takesType(_ range: Range<Int>, _ key: Range<Int>?, _ node: Int, _ nodes: inout [Node]) -> Bool {
    guard splitsByMembers, let key, node >= 0, range.count <= 64, !range.isEmpty,
      isKey(key, "type") || isKey(key, "object"),
      range.allSatisfy({
        bytes[$0] | 0x20 >= 0x61 && bytes[$0] | 0x20 <= 0x7A || bytes[$0] == 0x5F || bytes[$0] == 0x2E
      })
    else { return false }
    if nodes[node].parent < 0, isKey(key, "type") { nodes[node].type = range }
    return true
  }

  /// True for an `index` of one digit: longer ones may well be counters.
  private func takesIndex(_ range: Range<Int>, _ key: Range<Int>?, _ node: Int, _ nodes: inout [Node]) -> Bool {
    guard splitsByMembers, let key, node >= 0, range.count == 1, isDigit(bytes[range.lowerBound]),
      isKey(key, "index") || key.count > 6 && isKey((key.upperBound - 6)..<key.upperBound, "_index")
    else { return false }
    nodes[node].indexes += [0x5B, bytes[range.lowerBound], 0x5D]
    return true
  }

  private func isKey(_ key: Range<Int>, _ name: StaticString) -> Bool {
    key.count == name.utf8CodeUnitCount && key.enumerated().allSatisfy { bytes[$1] == name.utf8Start[$0] }
  }

  // MARK: Paths

  private func path(_ item: Found, _ nodes: [Node]) -> [UInt8] {
    var steps: [[UInt8]] = [step(key: item.key, place: item.place, in: item.node, nodes)]
    var prefix: [UInt8] = []
    var node = item.node
    while node >= 0 {
      let parent = nodes[node].parent
      if parent < 0 {
        if let type = nodes[node].type { prefix = type.map { bytes[$0] } }
        prefix += nodes[node].indexes
        if !prefix.isEmpty { prefix.append(0x3A) }
      } else {
        // An element is named by its index, if it has one.
        let isElement = nodes[parent].isList && !nodes[node].indexes.isEmpty
        steps.append(
          isElement
            ? nodes[node].indexes
            : step(key: nodes[node].key, place: nodes[node].place, in: parent, nodes) + nodes[node].indexes)
      }
      node = parent
    }
    var path = prefix
    for step in steps.reversed() {
      if path.count > prefix.count, step.first != 0x5B { path.append(0x2E) }
      path += step
    }
    return path
  }

  private func step(key: Range<Int>?, place: Int, in node: Int, _ nodes: [Node]) -> [UInt8] {
    guard node >= 0, !nodes[node].isList else { return Array("[\(place)]".utf8) }
    guard let key else { return [0x3F] }
    var step: [UInt8] = []
    for position in key {
      let byte = bytes[position]
      let isPlain = isDigit(byte) || byte | 0x20 >= 0x61 && byte | 0x20 <= 0x7A || byte == 0x5F || byte == 0x2D
      step += isPlain ? [byte] : Array("%".utf8) + Array(Hex.string([byte]).uppercased().utf8)
    }
    return step
  }
}
