package import TapeTypes

/// When a call's bytes count as safe.
package enum Durability: String, Sendable {
  /// `fdatasync` on a thread of its own every `syncIntervalMs` or `syncBytes`.
  case sync
  /// `fdatasync` before `flush` returns.
  case strict
}

/// How a journal is written.
package struct JournalOptions: Sendable {
  /// A journal that has grown to this many bytes is followed by the next one.
  package var rollBytes = 64 << 20
  /// So is one of this age.
  package var rollSeconds = 300
  package var durability = Durability.sync
  package var syncIntervalMs = 200
  package var syncBytes = 1 << 20
  /// After a failed write, the disk is tried again at most this often.
  package var retryMs = 100

  package init() {}
}

/// What a flush came to.
package enum FlushResult: Sendable, Equatable {
  /// Everything staged is in the journal (and synced, if `strict`).
  case written
  /// The journal takes no writes. What was staged is counted as a gap of its calls.
  case failing(TapeError)
}
