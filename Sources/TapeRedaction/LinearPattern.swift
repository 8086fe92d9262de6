internal import TapeTypes

/// A regular expression that takes time in proportion to the text, whatever the two are: all ways of matching are
/// followed side by side (Thompson, Pike), none is tried again. So no text that a client sends can stall a recorder.
///
/// It knows literals, `.`, classes, `\d \w \s \b` and their opposites, `^ $`, groups, `|`, `* + ? {m,n}`, each lazy
/// with `?` behind it, and `(?i)` at the start. Not: back references and looking around.
struct LinearPattern: Sendable {
  enum Instruction: Sendable {
    case match
    case set(ScalarSet)
    case jump(Int)
    /// The first is preferred.
    case split(Int, Int)
    case start, end
    case boundary(Bool)
  }

  let program: [Instruction]

  /// - Throws: `TapeError(.usage)` that says where the text is no expression.
  init(parsing text: String) throws(TapeError) {
    var parser = PatternParser(text)
    program = try parser.program()
  }

  /// The text with every match replaced; nil if there is none. Matches do not overlap, and are not empty.
  func replacing(_ text: String, with replacement: String) -> String? {
    let scalars = Array(text.unicodeScalars)
    var out = String.UnicodeScalarView()
    var copied = 0
    var position = 0
    var machine = PatternMachine(program)
    while position <= scalars.count, let match = machine.first(in: scalars, from: position) {
      if match.isEmpty {
        position = match.upperBound + 1
        continue
      }
      out.append(contentsOf: scalars[copied..<match.lowerBound])
      out.append(contentsOf: replacement.unicodeScalars)
      copied = match.upperBound
      position = match.upperBound
    }
    guard copied > 0 else { return nil }
    out.append(contentsOf: scalars[copied...])
    return String(out)
  }
}

/// A set of Unicode scalars.
struct ScalarSet: Sendable {
  var ranges: [ClosedRange<UInt32>] = []
  var isNegated = false

  static let digits = ScalarSet(ranges: [0x30...0x39])
  static let space = ScalarSet(ranges: [0x09...0x0D, 0x20...0x20, 0x85...0x85, 0xA0...0xA0, 0x2000...0x200A])
  static let newline = ScalarSet(ranges: [0x0A...0x0A])
  /// ASCII letters, digits and `_`, and everything beyond ASCII that is a letter in most scripts.
  static let word = ScalarSet(ranges: [
    0x30...0x39, 0x41...0x5A, 0x5F...0x5F, 0x61...0x7A, 0xC0...0x1FFF, 0x2C00...0xD7FF,
  ])

  func contains(_ scalar: UInt32) -> Bool { ranges.contains { $0.contains(scalar) } != isNegated }

  var negated: ScalarSet { ScalarSet(ranges: ranges, isNegated: !isNegated) }

  /// With both cases of ASCII letters.
  var ignoringCase: ScalarSet {
    var both = self
    for range in ranges {
      let (upper, lower) = (UInt32(0x41)...0x5A, UInt32(0x61)...0x7A)
      if range.overlaps(upper) {
        let part = range.clamped(to: upper)
        both.ranges.append((part.lowerBound + 32)...(part.upperBound + 32))
      }
      if range.overlaps(lower) {
        let part = range.clamped(to: lower)
        both.ranges.append((part.lowerBound - 32)...(part.upperBound - 32))
      }
    }
    return both
  }
}

/// Runs a program over a text.
private struct PatternMachine {
  private let program: [LinearPattern.Instruction]
  /// Instruction and where its match began, in order of preference.
  private var current: [(at: Int, start: Int)] = []
  private var next: [(at: Int, start: Int)] = []
  /// The step at which an instruction was added last.
  private var seen: [Int]
  private var step = 0

  init(_ program: [LinearPattern.Instruction]) {
    self.program = program
    seen = [Int](repeating: -1, count: program.count)
  }

  /// The leftmost match from `origin` on.
  mutating func first(in text: [Unicode.Scalar], from origin: Int) -> Range<Int>? {
    current.removeAll(keepingCapacity: true)
    var found: Range<Int>?
    var position = origin
    while true {
      step += 1
      // Those that go on have begun earlier, so they come first; a new one begins here unless there is a match.
      let going = current
      current.removeAll(keepingCapacity: true)
      for thread in going { add(thread.at, thread.start, text, position, to: \.current) }
      if found == nil { add(0, position, text, position, to: \.current) }
      if current.isEmpty, found != nil { return found }
      next.removeAll(keepingCapacity: true)
      advance: for thread in current {
        switch program[thread.at] {
        case .match:
          found = thread.start..<position
          break advance
        case .set(let set):
          if position < text.count, set.contains(text[position].value) { next.append((thread.at + 1, thread.start)) }
        default: break
        }
      }
      swap(&current, &next)
      if position >= text.count { return found }
      position += 1
    }
  }

  /// Follows what takes no character.
  private mutating func add(
    _ at: Int, _ start: Int, _ text: [Unicode.Scalar], _ position: Int,
    to list: WritableKeyPath<PatternMachine, [(at: Int, start: Int)]>
  ) {
    var stack = [at]
    while let at = stack.popLast() {
      guard seen[at] != step else { continue }
      seen[at] = step
      switch program[at] {
      case .jump(let target): stack.append(target)
      case .split(let first, let second):
        stack.append(second)
        stack.append(first)
      case .start: if position == 0 { stack.append(at + 1) }
      case .end: if position == text.count { stack.append(at + 1) }
      case .boundary(let wanted): if Self.isBoundary(text, position) == wanted { stack.append(at + 1) }
      case .set, .match: self[keyPath: list].append((at, start))
      }
    }
  }

  private static func isBoundary(_ text: [Unicode.Scalar], _ position: Int) -> Bool {
    let before = position > 0 && ScalarSet.word.contains(text[position - 1].value)
    let after = position < text.count && ScalarSet.word.contains(text[position].value)
    return before != after
  }
}
