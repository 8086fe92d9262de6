internal import TapeTypes

/// Turns the text of a regular expression into a program.
struct PatternParser {
  private indirect enum Node {
    case empty
    case set(ScalarSet)
    case sequence([Node])
    case choice([Node])
    case `repeat`(Node, Int, Int?, isLazy: Bool)
    case start, end
    case boundary(Bool)
  }

  private static let mostInstructions = 10_000
  private static let mostRepeats = 1000
  private static let deepest = 100

  private let text: String
  private let scalars: [Unicode.Scalar]
  private var position = 0
  private var depth = 0
  private var ignoresCase = false

  init(_ text: String) {
    self.text = text
    scalars = Array(text.unicodeScalars)
  }

  mutating func program() throws(TapeError) -> [LinearPattern.Instruction] {
    if scalars.starts(with: "(?i)".unicodeScalars) {
      ignoresCase = true
      position = 4
    }
    let node = try choice()
    guard position == scalars.count else { throw wrong("a ) without (") }
    guard position > 0 else { throw wrong("there is nothing") }
    var program: [LinearPattern.Instruction] = []
    try emit(node, &program)
    program.append(.match)
    return program
  }

  private func wrong(_ what: String) -> TapeError {
    TapeError(.usage, "'\(text)' is no pattern: \(what) at character \(position + 1)")
  }

  private var peek: Unicode.Scalar? { position < scalars.count ? scalars[position] : nil }

  private mutating func take(_ scalar: Unicode.Scalar) -> Bool {
    guard peek == scalar else { return false }
    position += 1
    return true
  }

  // MARK: Parsing

  private mutating func choice() throws(TapeError) -> Node {
    depth += 1
    defer { depth -= 1 }
    guard depth < Self.deepest else { throw wrong("groups too deep") }
    var branches = [try sequence()]
    while take("|") { branches.append(try sequence()) }
    return branches.count == 1 ? branches[0] : .choice(branches)
  }

  private mutating func sequence() throws(TapeError) -> Node {
    var items: [Node] = []
    while let next = peek, next != "|", next != ")" {
      let item = try atom()
      items.append(try repeated(item))
    }
    return items.isEmpty ? .empty : .sequence(items)
  }

  private mutating func atom() throws(TapeError) -> Node {
    guard let scalar = peek else { throw wrong("something is missing") }
    position += 1
    switch scalar {
    case "(":
      if take("?") {
        guard take(":") else { throw wrong("(? without a : behind it; looking around is not known") }
      }
      let inside = try choice()
      guard take(")") else { throw wrong("( without )") }
      return inside
    case "[": return .set(try characterClass())
    case ".": return .set(ScalarSet.newline.negated)
    case "^": return .start
    case "$": return .end
    case "\\": return try escape()
    case "*", "+", "?", "{": throw wrong("\(scalar) with nothing before it")
    default: return .set(single(scalar.value))
    }
  }

  private func single(_ value: UInt32) -> ScalarSet {
    let set = ScalarSet(ranges: [value...value])
    return ignoresCase ? set.ignoringCase : set
  }

  private mutating func escape() throws(TapeError) -> Node {
    if take("b") { return .boundary(true) }
    if take("B") { return .boundary(false) }
    return .set(try escapedSet())
  }

  /// What stands behind a backslash.
  private mutating func escapedSet() throws(TapeError) -> ScalarSet {
    guard let scalar = peek else { throw wrong("\\ with nothing behind it") }
    position += 1
    switch scalar {
    case "d": return .digits
    case "D": return ScalarSet.digits.negated
    case "w": return .word
    case "W": return ScalarSet.word.negated
    case "s": return .space
    case "S": return ScalarSet.space.negated
    case "n": return single(0x0A)
    case "r": return single(0x0D)
    case "t": return single(0x09)
    case "0"..."9": throw wrong("\\\(scalar): back references are not known")
    case "a"..."z", "A"..."Z": throw wrong("\\\(scalar) is not known")
    default: return single(scalar.value)
    }
  }

  private mutating func characterClass() throws(TapeError) -> ScalarSet {
    var set = ScalarSet()
    let isNegated = take("^")
    var isFirst = true
    while let scalar = peek, scalar != "]" || isFirst {
      isFirst = false
      position += 1
      var low = scalar.value
      if scalar == "\\" {
        let escaped = try escapedSet()
        guard !escaped.isNegated else { throw wrong("a class that is the opposite of one, inside of a class,") }
        guard escaped.ranges.count == 1, let only = escaped.ranges.first, only.count == 1 else {
          set.ranges += escaped.ranges
          continue
        }
        low = only.lowerBound
      }
      if peek == "-", position + 1 < scalars.count, scalars[position + 1] != "]" {
        position += 1
        guard let high = peek, high.value >= low else { throw wrong("a range that ends before it begins") }
        position += 1
        set.ranges.append(low...high.value)
      } else {
        set.ranges.append(low...low)
      }
    }
    guard take("]") else { throw wrong("[ without ]") }
    if ignoresCase { set = set.ignoringCase }
    return isNegated ? set.negated : set
  }

  private mutating func repeated(_ item: Node) throws(TapeError) -> Node {
    var item = item
    while let scalar = peek {
      let bounds: (Int, Int?)
      switch scalar {
      case "*": bounds = (0, nil)
      case "+": bounds = (1, nil)
      case "?": bounds = (0, 1)
      case "{": bounds = try counts()
      default: return item
      }
      if scalar != "{" { position += 1 }
      item = .repeat(item, bounds.0, bounds.1, isLazy: take("?"))
    }
    return item
  }

  /// `{m}`, `{m,}`, `{m,n}`.
  private mutating func counts() throws(TapeError) -> (Int, Int?) {
    position += 1
    func number() -> Int? {
      let start = position
      while let scalar = peek, ("0"..."9").contains(scalar) { position += 1 }
      return Int(String(String.UnicodeScalarView(scalars[start..<position])))
    }
    guard let low = number() else { throw wrong("{ without a number") }
    var high: Int? = low
    if take(",") { high = peek == "}" ? nil : number() ?? -1 }
    guard take("}"), high ?? low >= low, max(low, high ?? 0) <= Self.mostRepeats else {
      throw wrong("{m,n} with m and n up to \(Self.mostRepeats), m not above n, is what can stand here, not this,")
    }
    return (low, high)
  }

  // MARK: Emitting

  private func emit(_ node: Node, _ program: inout [LinearPattern.Instruction]) throws(TapeError) {
    guard program.count < Self.mostInstructions else { throw wrong("it is too large") }
    switch node {
    case .empty: break
    case .set(let set): program.append(.set(set))
    case .start: program.append(.start)
    case .end: program.append(.end)
    case .boundary(let wanted): program.append(.boundary(wanted))
    case .sequence(let items): for item in items { try emit(item, &program) }
    case .choice(let branches): try emit(branches: branches[...], &program)
    case .repeat(let item, let low, let high, let isLazy):
      for _ in 0..<low { try emit(item, &program) }
      guard let high else { return try emit(star: item, isLazy, &program) }
      var splits: [Int] = []
      for _ in low..<max(low, high) {
        splits.append(program.count)
        program.append(.match)
        try emit(item, &program)
      }
      for split in splits { program[split] = Self.split(split + 1, program.count, isLazy) }
    }
  }

  private func emit(star item: Node, _ isLazy: Bool, _ program: inout [LinearPattern.Instruction]) throws(TapeError) {
    let split = program.count
    program.append(.match)
    try emit(item, &program)
    program.append(.jump(split))
    program[split] = Self.split(split + 1, program.count, isLazy)
  }

  private func emit(
    branches: ArraySlice<Node>, _ program: inout [LinearPattern.Instruction]
  ) throws(TapeError) {
    guard let first = branches.first else { return }
    guard branches.count > 1 else { return try emit(first, &program) }
    let split = program.count
    program.append(.match)
    try emit(first, &program)
    let jump = program.count
    program.append(.match)
    program[split] = .split(split + 1, program.count)
    try emit(branches: branches.dropFirst(), &program)
    program[jump] = .jump(program.count)
  }

  private static func split(_ inside: Int, _ behind: Int, _ isLazy: Bool) -> LinearPattern.Instruction {
    isLazy ? .split(behind, inside) : .split(inside, behind)
  }
}
