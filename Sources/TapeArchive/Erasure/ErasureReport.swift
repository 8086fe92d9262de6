package import TapeTypes

/// What an erasure did, and what it could not do yet.
package struct ErasureReport: Sendable, Equatable {
  /// A call that is not gone, and why.
  package struct Pending: Sendable, Equatable {
    package enum Reason: Sendable, Equatable {
      /// It has not ended: it is erased when it does.
      case streaming
      /// It has ended, and lies in a journal that its recorder still writes to.
      case journal(String)
      /// The file cannot be read where the call lies.
      case damaged(file: String, String)
      /// Its usage is to be kept, and whoever sealed cannot tell it.
      case usage
      /// The archive has a tombstone; the catalogue is not clean yet.
      case catalogue
    }

    package var id: CallID
    package var reason: Reason

    package init(id: CallID, reason: Reason) {
      self.id = id
      self.reason = reason
    }
  }

  /// Calls that became tombstones.
  package var erased: [CallID] = []
  /// Files that were written anew without them.
  package var rewritten: [String] = []
  /// Torn tails and the like that may have been of them.
  package var removed: [String] = []
  /// Bytes that the archive's files have less.
  package var bytesFreed = 0
  package var pending: [Pending] = []
  package var damage: [Damage] = []

  package init() {}

  /// Takes in what a later pass did; what is pending is what that one says.
  package mutating func add(_ later: ErasureReport) {
    erased += later.erased
    rewritten += later.rewritten.filter { !rewritten.contains($0) }
    removed += later.removed
    bytesFreed += later.bytesFreed
    pending = later.pending
    damage = later.damage
  }
}
