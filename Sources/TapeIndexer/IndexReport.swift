package import TapeArchive

/// What a run did.
package struct IndexReport: Sendable, Equatable {
  /// Calls written, new or changed.
  package var calls = 0
  /// Calls of which only the place in the archive changed.
  package var movedCalls = 0
  package var removedCalls = 0
  /// Calls that were taken out because they are erased.
  package var erasedCalls = 0
  package var segments = 0
  /// Of the calls written those in segments that were decoded, as their outlines did not tell enough.
  package var decodedCalls = 0
  /// Journals that had something new.
  package var journals = 0
  /// Response bytes of the calls written.
  package var rawBytes = 0
  package var damage: [Damage] = []
  /// Files of a version that this program does not know, each as a sentence; every run says them.
  package var refused: [String] = []
  /// Set when another process indexes this store for as long as it lives, and this run left it to that one.
  package var leftTo: Int32?

  package init() {}
}

/// How far a run is.
package struct IndexProgress: Sendable, Equatable {
  /// Bytes of the archive's files, as they lie.
  package var doneBytes: Int
  package var totalBytes: Int
  package var calls: Int
}
