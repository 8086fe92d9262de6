package import TapeReplay
package import TapeTypes

/// When each part of a replayed response is due. Knows no clock: it is told what time it is.
package struct ReplaySchedule: Sendable {
  package enum Part: Sendable, Equatable {
    case head
    case frame(Int)
    case end
  }

  package let pace: ReplayPace
  /// What the recorded times are added to, monotonic ns.
  package private(set) var zeroNs: Int64 = 0
  /// By how much the replay began later than its request asked for.
  package private(set) var delayNs: Int64 = 0
  package private(set) var next: Part? = .head
  package private(set) var nextNs: Int64 = 0
  private let offsets: [Int64]
  private let headNs: Int64?
  private let endNs: Int64?
  private let frames: Int

  package init(_ call: RecordedCall, pace: ReplayPace) {
    self.pace = pace
    offsets = call.frameOffsetsNs
    // Without a response, what is answered instead is due when the call failed.
    headNs = call.head == nil && call.frameCount == 0 ? call.end?.offsetNs : call.head?.offsetNs
    endNs = call.end?.offsetNs
    frames = call.frameCount
  }

  /// The recorded times do not matter, and there is a pace.
  var isFixed: Bool {
    if case .fixed = pace { true } else { false }
  }

  /// Begins at `now`. Time that went by since the request counts as part of the wait for the first byte; where it was
  /// longer than that, all of the replay is later, and its gaps stay what they were.
  ///
  /// - Parameter late: when it begins that would have had to begin before `now`, which it is given.
  package mutating func start(requestNs: Int64, now: Int64, late: (Int64) -> Int64 = { $0 }) {
    zeroNs = requestNs
    let headNs = due(.head)
    delayNs = headNs < now ? late(now) - headNs : 0
    zeroNs += delayNs
    next = .head
    nextNs = due(.head)
  }

  /// The part that is due has been handed out.
  package mutating func advance() {
    switch next {
    case .head: next = frames > 0 ? .frame(0) : .end
    case .frame(let index): next = index + 1 < frames ? .frame(index + 1) : .end
    case .end, nil: next = nil
    }
    // Never before what comes in front of it, whatever a capture says.
    if let next { nextNs = max(nextNs, due(next)) }
  }

  private func due(_ part: Part) -> Int64 {
    let after: Int64
    switch part {
    case .head: after = pace.keepsRecordedTime ? pace.dueNs(frame: 0, offsetNs: headNs) : 0
    case .frame(let index): after = pace.dueNs(frame: index, offsetNs: offsets.isEmpty ? nil : offsets[index])
    case .end: after = pace.keepsRecordedTime ? pace.dueNs(frame: frames, offsetNs: endNs) : 0
    }
    let (sum, isOver) = zeroNs.addingReportingOverflow(max(0, after))
    return isOver ? .max : sum
  }
}

/// When replays begin that begin late. Those that become ready together begin one behind the other: at one moment each of
/// their frames would be in the way of all others, as long as they last.
package struct LateStarts: Sendable {
  private var lastNs = Int64.min
  /// Several times what it takes to hand out a frame.
  private static let spaceNs: Int64 = 50_000

  package init() {}

  /// Never before `now`.
  package mutating func next(now: Int64) -> Int64 {
    lastNs = lastNs < now - Self.spaceNs ? now : lastNs + Self.spaceNs
    return lastNs
  }
}
