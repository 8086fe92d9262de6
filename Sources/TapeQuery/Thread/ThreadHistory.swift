internal import TapeDialects
internal import TapeJSON

/// Tells what each call of a thread says that was not said before. Chat requests send the whole conversation again: what
/// follows it is new, and where it is not what it was, it was edited.
struct ThreadHistory {
  /// What a request does with the conversation so far.
  enum Kind: String {
    /// There is nothing before it.
    case first
    /// All of the conversation is there.
    case resent
    /// The same messages as before, without the answer to them: asked again.
    case retry
    /// It goes on from an earlier call than the one before, or was asked while that one still ran.
    case branch
    /// The oldest messages are left out, all others are there.
    case truncated
    /// Something that was said is changed, left out, or put in between.
    case edited
    /// None of what was said is there: each call has only its own question.
    case notResent = "not_resent"
  }

  struct Change: Equatable {
    enum Kind: String { case edited, removed, inserted }

    var kind: Kind
    /// Index among the messages of the request; nil for one that was removed.
    var position: Int?
    /// Index in the conversation up to then; nil for one that was put in.
    var was: Int?
    var before: ChatMessage?
    var after: ChatMessage?
  }

  struct Step {
    var kind: Kind
    /// Number of the call that this one goes on from; nil for the first.
    var base: Int?
    /// It started before the one before had ended.
    var overlaps = false
    var changes: [Change] = []
    /// Indices of the messages that are new.
    var new: [Int] = []
  }

  /// What a request goes on from where the API knows the conversation, and its messages are all new.
  struct Previous: Equatable {
    var response: String
    /// Number of the call that made it; nil where that is none of the thread's.
    var call: Int?
  }

  private struct Asked {
    var previous: Previous?
    var messages: [ChatMessage]
    var keys: [[UInt8]]
    var replies: [ChatMessage]
    /// ns since 1970; nil if it is not known, or not over.
    var endedNs: Int64?
  }

  private var before: Asked?
  private var count = 0
  /// For the messages that a call sent, with and without its answer: the call. Two numbers a call and not its texts.
  private var states: [Int: Int] = [:]

  /// - Parameters:
  ///   - replies: of all choices, as far as they came.
  ///   - startedNs: ns since 1970; calls come in the order of it.
  mutating func step(
    _ messages: [ChatMessage], replies: [ChatMessage], startedNs: Int64, endedNs: Int64?, previous: Previous? = nil
  ) -> Step {
    let asked = Asked(
      previous: previous, messages: messages, keys: messages.map(\.key), replies: replies, endedNs: endedNs)
    var step = Step(kind: .first, new: Array(messages.indices))
    if let before {
      step = Comparison(before, asked, overlaps: before.endedNs.map { $0 > startedNs } ?? false).step
      step.base = count - 1
      if let previous {
        if step.kind != .retry {
          step.base = previous.call
          if let call = previous.call, call != count - 1 { step.kind = .branch }
        }
      } else if step.kind != .resent && step.kind != .retry {
        findBranch(asked, &step)
      }
    }
    if previous == nil { remember(asked) }
    before = asked
    count += 1
    return step
  }

  // MARK: Calls further back

  private mutating func remember(_ asked: Asked) {
    var hasher = Hasher()
    for key in asked.keys { hasher.add(key) }
    if asked.messages.contains(where: { !$0.isInstruction }) { states[hasher.finalize()] = count }
    for reply in asked.replies {
      var answered = hasher
      answered.add(reply.key)
      states[answered.finalize()] = count
    }
  }

  /// The longest beginning of the request that is all that an earlier call sent, or sent and got.
  private func findBranch(_ asked: Asked, _ step: inout Step) {
    var hasher = Hasher()
    var found: (length: Int, call: Int)?
    for (index, key) in asked.keys.enumerated() {
      hasher.add(key)
      if let call = states[hasher.finalize()], call != count - 1 { found = (index + 1, call) }
    }
    guard let found, let before else { return }
    let kept = zip(asked.keys, before.keys).prefix { $0 == $1 }.count
    // Asked beside the call before, it could not know of it; else it has to know more of the earlier one.
    guard found.length > kept || step.overlaps && found.length == kept && kept < before.keys.count else { return }
    step.kind = found.length == asked.keys.count ? .retry : .branch
    step.base = found.call
    step.changes = []
    step.new = Array(found.length..<asked.keys.count)
  }

  // MARK: The call before

  /// One request beside the conversation that the call before left.
  private struct Comparison {
    private let old: Asked
    private let new: Asked
    private let overlaps: Bool
    /// Messages that are the same from the start.
    private let kept: Int
    private(set) var step: Step

    init(_ old: Asked, _ new: Asked, overlaps: Bool) {
      self.old = old
      self.new = new
      self.overlaps = overlaps
      kept = zip(old.keys, new.keys).prefix { $0 == $1 }.count
      step = Step(kind: .resent, overlaps: overlaps)
      if new.previous != nil {
        // A request that is the same says so too.
        if new.previous == old.previous, new.keys == old.keys {
          goOn(.retry, from: kept)
        } else {
          compareInstructions()
        }
      } else if old.messages.isEmpty {
        goOn(.notResent, from: 0)
      } else if kept == old.messages.count {
        compareReply()
      } else {
        align()
      }
    }

    private mutating func goOn(_ kind: Kind, from start: Int) {
      step.kind = kind
      step.new = Array(start..<new.messages.count)
    }

    /// All that was asked is there: what about the answer?
    private mutating func compareReply() {
      if kept == new.messages.count { return goOn(.retry, from: kept) }
      if old.replies.contains(where: { $0.key == new.keys[kept] }) { return goOn(.resent, from: kept + 1) }
      guard let reply = old.replies.first, !overlaps else { return goOn(.resent, from: kept) }
      if new.messages[kept].role == reply.role {
        step.changes = [
          Change(kind: .edited, position: kept, was: kept, before: reply, after: new.messages[kept])
        ]
        goOn(.edited, from: kept + 1)
      } else {
        step.changes = [Change(kind: .removed, was: kept, before: reply)]
        goOn(.edited, from: kept)
      }
    }

    private mutating func align() {
      let reply = old.replies.first { reply in new.keys.contains(reply.key) } ?? old.replies.first
      let all = old.messages + (reply.map { [$0] } ?? [])
      var numbers: [[UInt8]: Int32] = [:]
      func number(_ key: [UInt8]) -> Int32 {
        let next = Int32(clamping: numbers.count)
        return numbers[key]
          ?? {
            numbers[key] = next; return next
          }()
      }
      let keys = old.keys + (reply.map { [$0.key] } ?? [])
      let matches = SequenceDiff(keys.map(number), new.keys.map(number)).matches
      let isResent = matches.contains { match in
        all[match.a..<match.a + match.count].contains { !$0.isInstruction }
      }
      guard isResent else { return compareInstructions() }
      var (inOld, inNew) = (0, 0)
      for match in matches + [.init(a: all.count, b: new.messages.count, count: 0)] {
        let isLast = match.a == all.count && match.b == new.messages.count
        note(all, inOld..<match.a, inNew..<match.b, isLast: isLast)
        (inOld, inNew) = (match.a + match.count, match.b + match.count)
      }
      let start = all.firstIndex { !$0.isInstruction } ?? 0
      let isTruncated =
        !step.changes.isEmpty
        && step.changes.enumerated().allSatisfy { $1.kind == .removed && $1.was == start + $0 }
      step.kind = step.changes.isEmpty ? .resent : isTruncated ? .truncated : .edited
    }

    /// Each call asks by itself; the instructions above it may have changed all the same.
    private mutating func compareInstructions() {
      goOn(.notResent, from: 0)
      for position in new.messages.prefix(while: \.isInstruction).indices {
        guard position < old.messages.count, old.messages[position].isInstruction else { break }
        step.new.removeFirst()
        if old.keys[position] == new.keys[position] { continue }
        step.changes.append(
          Change(
            kind: .edited, position: position, was: position, before: old.messages[position],
            after: new.messages[position]))
      }
    }

    /// A stretch that is not the same: messages of one role in the same order are taken for each other.
    private mutating func note(_ all: [ChatMessage], _ gone: Range<Int>, _ come: Range<Int>, isLast: Bool) {
      var rest = come
      var pairs: [Int: Int] = [:]
      for was in gone {
        guard let position = rest.first(where: { new.messages[$0].role == all[was].role }) else { continue }
        pairs[was] = position
        rest = position + 1..<come.upperBound
      }
      for was in gone {
        if let position = pairs[was] {
          step.changes.append(
            Change(kind: .edited, position: position, was: was, before: all[was], after: new.messages[position]))
        } else if !isUnasked(was, gone) {
          step.changes.append(Change(kind: .removed, was: was, before: all[was]))
        }
      }
      let paired = Set(pairs.values)
      for position in come where !paired.contains(position) {
        if isLast, position >= rest.lowerBound {
          step.new.append(position)
        } else {
          step.changes.append(Change(kind: .inserted, position: position, after: new.messages[position]))
        }
      }
    }

    /// An answer goes with its question, and one that had not come yet was not left out.
    private func isUnasked(_ was: Int, _ gone: Range<Int>) -> Bool {
      was == old.messages.count && (overlaps || gone.contains(was - 1))
    }
  }
}

extension Hasher {
  /// One message; its end counts too.
  fileprivate mutating func add(_ key: [UInt8]) {
    key.withUnsafeBytes { combine(bytes: $0) }
    combine(key.count)
  }
}
