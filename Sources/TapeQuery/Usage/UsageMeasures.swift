internal import TapeCatalogue
internal import TapeTypes

/// A call of a block that counts in a group. A call with two tags counts in two.
struct GroupMember {
  /// Where it stands among the calls that are added.
  var place: Int
  var group: Int
}

/// What is summed of calls, for each group; a column for each measure.
struct UsageMeasures: Sendable {
  private(set) var calls: [Int] = []
  private(set) var errors: [Int] = []
  private(set) var aborts: [Int] = []
  private(set) var withUsage: [Int] = []
  private(set) var prompt: [TokenSum] = []
  private(set) var completion: [TokenSum] = []
  private(set) var total: [TokenSum] = []
  /// The total, or where a provider gave none prompt and completion.
  private(set) var summed: [TokenSum] = []
  private(set) var cached: [TokenSum] = []
  private(set) var reasoning: [TokenSum] = []
  private(set) var firstContents = GroupedNumbers()
  private(set) var durations = GroupedNumbers()

  /// Makes room for so many groups.
  mutating func grow(to count: Int) {
    let more = count - calls.count
    guard more > 0 else { return }
    for column in [\Self.calls, \.errors, \.aborts, \.withUsage] {
      self[keyPath: column] += repeatElement(0, count: more)
    }
    for column in [\Self.prompt, \.completion, \.total, \.summed, \.cached, \.reasoning] {
      self[keyPath: column] += repeatElement(TokenSum(), count: more)
    }
  }

  mutating func add(_ members: [GroupMember], _ calls: [Int], of block: UsageBlock) {
    addStates(members, calls, block)
    Self.add(block[.prompt], members, calls, to: &prompt)
    Self.add(block[.completion], members, calls, to: &completion)
    Self.add(block[.total], members, calls, to: &total)
    Self.add(block[.cached], members, calls, to: &cached)
    Self.add(block[.reasoning], members, calls, to: &reasoning)
    addSummed(members, calls, block)
    firstContents.add(block[.firstContent], members, calls)
    durations.add(block[.duration], members, calls)
  }

  private mutating func addStates(_ members: [GroupMember], _ calls: [Int], _ block: UsageBlock) {
    let states = block[.state].texts.map { CallState(rawValue: $0) ?? .lost }
    let (isError, isAbort) = (states.map(\.isError), states.map { $0 == .clientAbort })
    let (places, flags) = (block[.state].places, block[.flags])
    for member in members {
      let call = calls[member.place]
      self.calls[member.group] += 1
      if flags[call] & UsageRow.hasUsageFlag != 0 { withUsage[member.group] += 1 }
      guard let state = UsageBlock.known(places[call]) else {
        errors[member.group] += 1
        continue
      }
      if isError[state] { errors[member.group] += 1 }
      if isAbort[state] { aborts[member.group] += 1 }
    }
  }

  private mutating func addSummed(_ members: [GroupMember], _ calls: [Int], _ block: UsageBlock) {
    let (prompt, completion, total) = (block[.prompt], block[.completion], block[.total])
    for member in members {
      let call = calls[member.place]
      let parts = TokenCounts(prompt: UsageBlock.known(prompt[call]), completion: UsageBlock.known(completion[call]))
      summed[member.group].add(UsageBlock.known(total[call]) ?? parts.promptAndCompletion)
    }
  }

  private static func add(_ column: [Int], _ members: [GroupMember], _ calls: [Int], to sums: inout [TokenSum]) {
    for member in members {
      if let value = UsageBlock.known(column[calls[member.place]]) { sums[member.group].add(value) }
    }
  }

  /// Nothing is added any more.
  mutating func finish() {
    firstContents.sort(groups: calls.count)
    durations.sort(groups: calls.count)
  }
}

/// Numbers that belong to groups, all of which are needed: percentiles are exact.
struct GroupedNumbers: Sendable {
  private var groups: [Int32] = []
  private var numbers: [Int] = []
  /// Where each group's numbers begin, once they are sorted by group.
  private var starts: [Int] = []

  mutating func add(_ column: [Int], _ members: [GroupMember], _ calls: [Int]) {
    for member in members {
      guard let value = UsageBlock.known(column[calls[member.place]]) else { continue }
      groups.append(Int32(truncatingIfNeeded: member.group))
      numbers.append(value)
    }
  }

  mutating func sort(groups count: Int) {
    starts = [Int](repeating: 0, count: count + 1)
    for group in groups { starts[Int(group) + 1] += 1 }
    for group in 0..<count { starts[group + 1] += starts[group] }
    var next = starts
    var sorted = [Int](repeating: 0, count: numbers.count)
    for (place, group) in groups.enumerated() {
      sorted[next[Int(group)]] = numbers[place]
      next[Int(group)] += 1
    }
    numbers = sorted
    groups = []
  }

  /// The numbers of a group, once they are sorted.
  subscript(_ group: Int) -> [Int] { Array(numbers[starts[group]..<starts[group + 1]]) }
}

/// A sum of what was reported; nil while nothing was. Stops at the highest number there is instead of trapping.
struct TokenSum: Sendable {
  private(set) var value: Int?

  mutating func add(_ count: Int?) {
    guard let count else { return }
    let (sum, overflow) = (value ?? 0).addingReportingOverflow(count)
    value = overflow ? (count > 0 ? Int.max : Int.min) : sum
  }
}
