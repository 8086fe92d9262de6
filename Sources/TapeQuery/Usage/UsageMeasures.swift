internal import TapeCatalogue
internal import TapeTypes

/// A call of a block that counts in a group. A call with two tags counts in two.
struct GroupMember {
  /// Where it stands among the calls that are added.
  var place: Int
  var group: Int
}

/// What is summed of the calls of one group.
struct GroupSum: Sendable {
  var calls = 0
  var errors = 0
  var aborts = 0
  var withUsage = 0
  var prompt = TokenSum()
  var completion = TokenSum()
  var total = TokenSum()
  /// The total, or where a provider gave none prompt and completion.
  var summed = TokenSum()
  var cached = TokenSum()
  var reasoning = TokenSum()
}

/// What is summed of calls, for each group.
struct UsageMeasures: Sendable {
  private(set) var sums: [GroupSum] = []
  private var times = GroupedTimes()
  /// From the start to the first content, of each group.
  private(set) var firstContentRanks: [CallRanks] = []
  /// How long the calls took that ended, of each group.
  private(set) var durationRanks: [CallRanks] = []

  /// Makes room for so many groups.
  mutating func grow(to count: Int) {
    let more = count - sums.count
    if more > 0 { sums += repeatElement(GroupSum(), count: more) }
  }

  mutating func add(_ members: [GroupMember], _ calls: [Int], _ states: CountedStates, _ columns: UsageColumns) {
    let (state, flags, hasUsageFlag) = (columns[.state], columns[.flags], UsageRow.hasUsageFlag)
    let (prompt, completion, total) = (columns[.prompt], columns[.completion], columns[.total])
    let (cached, reasoning) = (columns[.cached], columns[.reasoning])
    sums.withUnsafeMutableBufferPointer { sums in
      guard let first = sums.baseAddress else { return }
      for member in members {
        let (call, sum) = (calls[member.place], first + member.group)
        sum.pointee.add(states[state[call]], hasUsage: flags[call] & hasUsageFlag != 0)
        sum.pointee.prompt.add(counted: prompt[call])
        sum.pointee.completion.add(counted: completion[call])
        sum.pointee.total.add(counted: total[call])
        sum.pointee.cached.add(counted: cached[call])
        sum.pointee.reasoning.add(counted: reasoning[call])
        if total[call] != UsageBlock.none {
          sum.pointee.summed.add(total[call])
        } else {
          let parts = TokenCounts(
            prompt: UsageBlock.known(prompt[call]), completion: UsageBlock.known(completion[call]))
          sum.pointee.summed.add(parts.promptAndCompletion)
        }
      }
    }
    times.add(members, calls, columns)
  }

  /// Nothing is added any more.
  mutating func finish() {
    firstContentRanks = times.ranks(of: \.firstContents, groups: sums.count)
    durationRanks = times.ranks(of: \.durations, groups: sums.count)
    times = GroupedTimes()
  }
}

/// What the states of a block's calls count as.
struct CountedStates {
  enum Kind { case other, error, abort }

  private let kinds: [Kind]

  init(_ block: UsageBlock) {
    kinds = block.texts[UsageRow.Name.state.rawValue].strings.map { text in
      let state = CallState(rawValue: text) ?? .lost
      return state == .clientAbort ? .abort : state.isError ? .error : .other
    }
  }

  /// - Parameter place: what the column of states has of a call.
  subscript(_ place: Int) -> Kind { place == UsageBlock.none ? .error : kinds[place] }
}

extension GroupSum {
  fileprivate mutating func add(_ state: CountedStates.Kind, hasUsage: Bool) {
    calls += 1
    if hasUsage { withUsage += 1 }
    switch state {
    case .error: errors += 1
    case .abort: aborts += 1
    case .other: break
    }
  }
}

/// Percentiles of times of calls, ns; nil for no calls.
struct CallRanks: Sendable {
  let p50: Int?
  let p95: Int?
  let p99: Int?

  /// - Parameter times: are put in another order.
  init(_ times: UnsafeMutableBufferPointer<Int>) {
    var settled = 0
    p50 = Percentiles.nearestRank(50, of: times, settled: &settled)
    p95 = Percentiles.nearestRank(95, of: times, settled: &settled)
    p99 = Percentiles.nearestRank(99, of: times, settled: &settled)
  }
}

/// The times of calls by group, all of which are needed: percentiles are exact.
private struct GroupedTimes: Sendable {
  struct Chunk {
    /// Of each call, and its times, which may be `UsageBlock.none`.
    var groups: [Int32]
    var firstContents: [Int]
    var durations: [Int]
  }

  /// As they were added, block by block: one growing array would be copied again and again.
  private var chunks: [Chunk] = []

  mutating func add(_ members: [GroupMember], _ calls: [Int], _ columns: UsageColumns) {
    func times(_ column: UnsafePointer<Int>) -> [Int] {
      [Int](unsafeUninitializedCapacity: members.count) { times, count in
        for member in members {
          times[count] = column[calls[member.place]]
          count += 1
        }
      }
    }
    chunks.append(
      Chunk(
        groups: members.map { Int32(truncatingIfNeeded: $0.group) }, firstContents: times(columns[.firstContent]),
        durations: times(columns[.duration])))
  }

  /// Of each group.
  func ranks(of times: (Chunk) -> [Int], groups count: Int) -> [CallRanks] {
    // Where each group's times end, once they are sorted in.
    var ends = [Int](repeating: 0, count: count + 1)
    ends.withUnsafeMutableBufferPointer { ends in
      for chunk in chunks { Self.each(chunk.groups, times(chunk)) { group, _ in ends[group + 1] += 1 } }
      for group in 0..<count { ends[group + 1] += ends[group] }
    }
    var sorted = [Int](repeating: 0, count: ends[count])
    return sorted.withUnsafeMutableBufferPointer { sorted in
      ends.withUnsafeMutableBufferPointer { ends in
        for chunk in chunks {
          // Each group's place moves from its start to its end, the start of the next one.
          Self.each(chunk.groups, times(chunk)) { group, time in
            sorted[ends[group]] = time
            ends[group] += 1
          }
        }
        return (0..<count).map { group in
          CallRanks(UnsafeMutableBufferPointer(rebasing: sorted[(group == 0 ? 0 : ends[group - 1])..<ends[group]]))
        }
      }
    }
  }

  /// The calls that have a time.
  @inline(__always)
  private static func each(_ groups: [Int32], _ times: [Int], _ body: (_ group: Int, _ time: Int) -> Void) {
    groups.withUnsafeBufferPointer { groups in
      times.withUnsafeBufferPointer { times in
        for place in 0..<min(groups.count, times.count) where times[place] != UsageBlock.none {
          body(Int(groups[place]), times[place])
        }
      }
    }
  }
}

/// A sum of what was reported; nil while nothing was. Stops at the highest number there is instead of trapping.
struct TokenSum: Sendable {
  private var sum = 0
  private var isKnown = false

  var value: Int? { isKnown ? sum : nil }

  mutating func add(_ count: Int?) {
    if let count { add(count) }
  }

  mutating func add(_ count: Int) {
    let (sum, overflow) = sum.addingReportingOverflow(count)
    self.sum = overflow ? (count > 0 ? Int.max : Int.min) : sum
    isKnown = true
  }

  /// What a column of a block has of a call.
  mutating func add(counted count: Int) {
    if count != UsageBlock.none { add(count) }
  }
}
