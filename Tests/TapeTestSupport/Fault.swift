/// One operation that a process asked its disk for.
package struct Operation: Sendable, Equatable, CustomStringConvertible {
  package enum Kind: String, Sendable, CaseIterable {
    case open, create, write, read, size, truncate, sync, lock, rename, unlink, syncDirectory, list, status,
      makeDirectory

    /// True for what changes the disk or makes a change durable.
    package var changes: Bool {
      switch self {
      case .create, .write, .truncate, .sync, .rename, .unlink, .syncDirectory, .makeDirectory: true
      case .open, .read, .size, .lock, .list, .status: false
      }
    }
  }

  package var kind: Kind
  /// The file's name; of operations on a descriptor what it was opened as.
  package var path: String
  package var description: String { "\(kind.rawValue) \(path)" }
}

/// What becomes of an operation.
package enum Fault: Sendable, Equatable {
  /// It fails with this `errno`, and nothing is done. A sync that fails drops the pages.
  case error(Int32)
  /// A write or read takes about half of what it was given; other operations go well.
  case short
  /// A write takes half, and the next one on that disk fails: the disk is full.
  case fullInside
  /// A sync says that it went well and did nothing.
  case lying
  /// A write goes well and has put another byte in the place of one.
  case garbled
  /// The process dies inside of it: half of a write is done, of anything else nothing.
  case kill

  package static let noSpace = Fault.error(28)
  package static let inputOutput = Fault.error(5)
}

extension MemoryDisk {
  /// Lets the operation of this number, counted from now on, go wrong; `each` lets all from there on.
  package func fail(_ number: Int, _ fault: Fault) {
    change { $0.faults[$0.operations + number] = fault }
  }

  package func clearFaults() {
    change { ($0.faults, $0.failingSyncs, $0.failingTruncates) = ([:], 0, 0) }
  }

  package var operations: Int { change { $0.operations } }

  /// What was asked for, by everyone, since the last time that this was asked.
  package func takeLog() -> [Operation] {
    change { state in
      defer { state.log = [] }
      return state.log
    }
  }

  /// Lets so many more bytes be written.
  package func setRoom(_ bytes: Int) { change { $0.room = bytes } }
  package func failSyncs(_ count: Int) { change { $0.failingSyncs = count } }
  package func failTruncates(_ count: Int) { change { $0.failingTruncates = count } }
  package var syncs: Int { change { $0.syncs } }
  package var writes: Int { change { $0.writes } }
}
