internal import TapeArchive
package import TapeTypes

/// Writes calls as a timed capture: one JSON object a line, in order of arrival.
///
/// Calls that ran side by side are side by side in the output. Memory holds the calls that
/// run at one moment, not all of them.
package struct FramesExport {
  private struct Running {
    let call: RecordedCall
    let state: CallState
    let number: Int
    /// The frame that comes next; `frameCount` when the end does.
    var next = 0
    /// Where the next line belongs. Never falls within a call, also where its times do.
    var dueNs: Int64

    mutating func schedule() {
      let offset =
        next < call.frameCount
        ? call.frameOffsetNs(next) : call.end?.offsetNs ?? call.frameOffsetsNs.last
      dueNs = max(dueNs, call.open.startedAtNs &+ (offset ?? 0))
    }
  }

  private let write: ([UInt8]) throws -> Void
  private var count = 0
  private var running: [Running] = []
  private var line: [UInt8] = []

  /// - Parameter write: takes whole lines.
  package init(write: @escaping ([UInt8]) throws -> Void) { self.write = write }

  /// Takes the next call, numbered from 0, and writes what comes before it. Calls have to come in the order of their
  /// start.
  ///
  /// - Throws: what writing throws.
  package mutating func add(_ call: RecordedCall, state: CallState) throws {
    try advance(to: call.open.startedAtNs)
    try write(TimedCapture.openLine(call, number: count))
    var item = Running(call: call, state: state, number: count, dueNs: call.open.startedAtNs)
    item.schedule()
    push(item)
    count += 1
  }

  /// Writes the rest.
  package mutating func finish() throws { try advance(to: .max) }

  /// Writes what is due up to and at `limit`.
  private mutating func advance(to limit: Int64) throws {
    while let first = running.first, first.dueNs <= limit {
      var item = pop()
      guard item.next < item.call.frameCount else {
        try write(TimedCapture.endLine(item.call, how: item.state.rawValue, number: item.number))
        continue
      }
      line.removeAll(keepingCapacity: true)
      let tNs = item.call.open.startedAtNs &+ (item.call.frameOffsetNs(item.next) ?? 0)
      TimedCapture.appendFrame(
        item.call.raw[item.call.frameRange(item.next)], tNs: tNs, number: item.number, to: &line)
      try write(line)
      item.next += 1
      item.schedule()
      push(item)
    }
  }

  // MARK: A binary heap by due time, then number

  private func precedes(_ a: Int, _ b: Int) -> Bool {
    (running[a].dueNs, running[a].number) < (running[b].dueNs, running[b].number)
  }

  private mutating func push(_ item: Running) {
    running.append(item)
    var child = running.count - 1
    while child > 0, precedes(child, (child - 1) / 2) {
      running.swapAt(child, (child - 1) / 2)
      child = (child - 1) / 2
    }
  }

  private mutating func pop() -> Running {
    running.swapAt(0, running.count - 1)
    let item = running.removeLast()
    var parent = 0
    while true {
      var least = parent
      for child in [2 * parent + 1, 2 * parent + 2] where child < running.count && precedes(child, least) {
        least = child
      }
      if least == parent { return item }
      running.swapAt(parent, least)
      parent = least
    }
  }
}
