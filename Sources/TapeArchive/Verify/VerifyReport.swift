package import TapeTypes

/// What checking a store, or one call of it, came to.
package struct VerifyReport: Sendable {
  /// Something worth knowing that is not wrong.
  package struct Note: Sendable, Equatable {
    package enum Kind: String, Sendable {
      /// Calls whose recorder died before they ended.
      case lost
      /// The end of a journal that was no whole record: its recorder died in a write.
      case torn
      /// A file that was not finished; the next seal removes it.
      case unfinished
      /// Two files say the same, as an interrupted run leaves them.
      case doubled
      /// The store's own checkpoint is older than its segments: a seal was interrupted.
      case behind
      /// A file of the first programs, which has less to be checked by.
      case old
    }

    package var kind: Kind
    package var file: String
    package var calls: [CallID]
    package var message: String

    package init(_ kind: Kind, file: String, calls: [CallID] = [], _ message: String) {
      self.kind = kind
      self.file = file
      self.calls = calls
      self.message = message
    }
  }

  /// How the archive relates to a checkpoint.
  package struct Compared: Sendable, Equatable {
    package enum Result: String, Sendable {
      /// It is of the archive as it is.
      case same
      /// It is of the archive's beginning.
      case older
      /// It counts calls that the archive has not: the newest were removed.
      case removed
      /// The archive's first calls are not those that it was made of.
      case different
      /// It is of another store.
      case foreign
      /// Leaves before it cannot be read, so its root cannot be told.
      case unknown
    }

    /// Name of the file that was given, or `checkpoint` for the store's own.
    package var file: String
    package var size: Int
    package var root: MerkleHash
    package var result: Result
    /// What the key said of its signature; nil if no key was given.
    package var signature: SignedNote.Verdict?
  }

  package var origin = ""
  package var segments = 0
  package var leafLists = 0
  package var journals = 0
  /// Bytes of segments, leaf lists and journals.
  package var archiveBytes = 0
  /// Bytes of requests and responses that were decoded and hashed.
  package var rawBytes = 0
  package var sealedCalls = 0
  package var erasedCalls = 0
  /// Calls of segments that retention removed.
  package var removedCalls = 0
  /// Calls that have ended and are in journals only.
  package var unsealedCalls = 0
  package var openCalls = 0
  package var lostCalls = 0
  /// Leaves of the tree; its root is nil if it cannot be told.
  package var treeSize = 0
  package var root: MerkleHash?
  package var checkpoints: [Compared] = []
  package var damage: [Damage] = []
  package var notes: [Note] = []

  package init() {}

  /// Nothing is wrong.
  package var isSound: Bool { damage.isEmpty }
}
