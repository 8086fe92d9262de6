import CTapeShims
import Synchronization

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

import TapeTypes

/// What the kernel says of a descriptor.
package struct Readiness: OptionSet {
  package let rawValue: UInt32
  package init(rawValue: UInt32) { self.rawValue = rawValue }

  package static let readable = Readiness(rawValue: UInt32(TAPE_READABLE))
  package static let writable = Readiness(rawValue: UInt32(TAPE_WRITABLE))
  /// The other side sends no more.
  package static let peerClosed = Readiness(rawValue: UInt32(TAPE_PEER_CLOSED))
  /// Always reported, asked for or not.
  package static let hungUp = Readiness(rawValue: UInt32(TAPE_HUNG_UP))
  package static let failed = Readiness(rawValue: UInt32(TAPE_FAILED))
}

/// Whatever owns a descriptor in the loop's set.
package protocol EventSource: AnyObject {
  /// - Parameter now: monotonic ns, read for this event.
  func ready(_ events: Readiness, now: Int64)
}

/// A descriptor's place in the loop's set.
package struct EventToken {
  fileprivate let rawValue: UInt64
  package static let none = EventToken(rawValue: .max)
}

/// A deadline on the loop. Owned by whoever set it; it fires once and can be set again.
package final class LoopTimer {
  fileprivate var deadlineNs: Int64?
  fileprivate let action: (_ now: Int64) -> Void

  fileprivate init(_ action: @escaping (Int64) -> Void) { self.action = action }

  /// Fires at `deadlineNs` (monotonic), or never for nil; replaces what was set before.
  package func set(_ deadlineNs: Int64?) { self.deadlineNs = deadlineNs }
}

/// One thread, one epoll set: descriptors, a handful of timers, and work posted by other threads.
///
/// The only file that knows epoll. Each turn handles all events that are ready and then calls
/// `endOfBatch` once; that is where what was collected is written and sent. Everything but
/// `post` and `stop` belongs to the thread that calls `run`.
package final class EventLoop {
  /// Called once a turn, behind its events. Set before `run`.
  package var endOfBatch: (_ now: Int64) -> Void = { _ in }
  /// When the turn's latest event was seen, monotonic ns.
  @exclusivity(unchecked) package private(set) var now = MonotonicClock.nowNs

  private let set: CInt
  private let mailbox: LoopMailbox
  private var slots: [(source: (any EventSource)?, generation: UInt32)] = []
  private var freeSlots: [Int] = []
  private var timers: [LoopTimer] = []
  private var isRunning = true
  private let events: UnsafeMutablePointer<tape_event>
  private static let eventsAtOnce = 256
  private static let mailboxToken = UInt64.max - 1

  /// - Throws: `TapeError` if the process has no descriptors left.
  package init() throws {
    set = tape_epoll_create()
    guard set >= 0 else { throw TapeError(.failed, "cannot make an event set: \(String(cString: strerror(errno)))") }
    do { mailbox = try LoopMailbox() } catch {
      close(set)
      throw error
    }
    events = .allocate(capacity: Self.eventsAtOnce)
    tape_epoll_add(set, mailbox.descriptor, Readiness.readable.rawValue, Self.mailboxToken)
  }

  deinit {
    close(set)
    events.deallocate()
  }

  // MARK: Descriptors

  package func add(_ descriptor: CInt, _ interest: Readiness, _ source: any EventSource) -> EventToken {
    let slot = freeSlots.popLast() ?? slots.count
    if slot == slots.count { slots.append((nil, 0)) }
    slots[slot].source = source
    let token = UInt64(slots[slot].generation) << 32 | UInt64(slot)
    tape_epoll_add(set, descriptor, interest.rawValue, token)
    return EventToken(rawValue: token)
  }

  package func change(_ descriptor: CInt, _ interest: Readiness, _ token: EventToken) {
    tape_epoll_change(set, descriptor, interest.rawValue, token.rawValue)
  }

  /// Takes the descriptor out. Events of it that this turn still holds are dropped.
  package func remove(_ descriptor: CInt, _ token: EventToken) {
    tape_epoll_remove(set, descriptor)
    let slot = Int(token.rawValue & 0xFFFF_FFFF)
    slots[slot].source = nil
    slots[slot].generation &+= 1
    freeSlots.append(slot)
  }

  // MARK: Timers

  /// A new timer that is not set. The loop keeps it for good: make few, and set them again.
  package func makeTimer(_ action: @escaping (_ now: Int64) -> Void) -> LoopTimer {
    let timer = LoopTimer(action)
    timers.append(timer)
    return timer
  }

  // MARK: Running

  /// What other threads may hold on to.
  package var poster: LoopMailbox { mailbox }

  /// Turns until `stop`.
  package func run() {
    while isRunning {
      let count = Int(tape_epoll_wait(set, events, CInt(Self.eventsAtOnce), waitMilliseconds()))
      now = MonotonicClock.nowNs
      if count > 0 { handle(count) }
      fireTimers()
      endOfBatch(now)
    }
  }

  /// Ends `run` behind this turn.
  package func stop() { isRunning = false }

  private func handle(_ count: Int) {
    for index in 0..<count {
      let token = events[index].token
      if token == Self.mailboxToken {
        mailbox.deliver()
        continue
      }
      let slot = Int(token & 0xFFFF_FFFF)
      guard slots[slot].generation == UInt32(token >> 32), let source = slots[slot].source else { continue }
      if index > 0 { now = MonotonicClock.nowNs }
      source.ready(Readiness(rawValue: events[index].events), now: now)
    }
  }

  /// Milliseconds until the next timer, rounded up; -1 without one.
  private func waitMilliseconds() -> CInt {
    var next: Int64?
    for timer in timers {
      if let deadline = timer.deadlineNs { next = min(next ?? .max, deadline) }
    }
    guard let next else { return -1 }
    let wait = next - MonotonicClock.nowNs
    return wait <= 0 ? 0 : CInt(clamping: (wait + 999_999) / 1_000_000)
  }

  private func fireTimers() {
    for timer in timers {
      guard let deadline = timer.deadlineNs, deadline <= now else { continue }
      timer.deadlineNs = nil
      timer.action(now)
    }
  }
}

/// Work that other threads hand to the loop's thread.
package final class LoopMailbox: Sendable {
  fileprivate let descriptor: CInt
  private let work = Mutex<[@Sendable () -> Void]>([])

  fileprivate init() throws {
    descriptor = tape_eventfd()
    guard descriptor >= 0 else {
      throw TapeError(.failed, "cannot make an event descriptor: \(String(cString: strerror(errno)))")
    }
  }

  deinit { close(descriptor) }

  /// Runs `item` on the loop's thread, in order of posting. Work posted after the loop ended is dropped.
  package func post(_ item: @escaping @Sendable () -> Void) {
    let isFirst = work.withLock { items in
      items.append(item)
      return items.count == 1
    }
    guard isFirst else { return }
    var one: UInt64 = 1
    _ = write(descriptor, &one, 8)
  }

  fileprivate func deliver() {
    var count: UInt64 = 0
    _ = read(descriptor, &count, 8)
    let items = work.withLock { items in
      defer { items = [] }
      return items
    }
    for item in items { item() }
  }
}
