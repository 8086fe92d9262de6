public import TapeTypes

/// Where a call lies in the archive: enough to read it without searching.
public struct CallLocation: Sendable, Hashable {
  /// Name of the file within `archive/`.
  public var file: String
  /// Journal: offset of the call's `open` record. Segment: offset of the block that holds the call.
  public var offset: Int

  public init(file: String, offset: Int) {
    self.file = file
    self.offset = offset
  }
}

/// Something in the archive that is not what was written, and whom it concerns.
public struct Damage: Sendable, Equatable, CustomStringConvertible {
  /// Name of the file within `archive/`.
  public var file: String
  /// Offset in bytes at which reading failed.
  public var offset: Int
  /// The calls that miss something because of it, as far as they can be known.
  public var calls: [CallID]
  public var message: String
  /// The disk did not give the bytes: what they are is not known, and another time they may be had.
  package var isUnreadable = false

  public init(file: String, offset: Int, calls: [CallID], message: String) {
    self.file = file
    self.offset = offset
    self.calls = calls
    self.message = message
  }

  /// What an error of reading comes to.
  init(file: String, offset: Int, calls: [CallID], error: any Error) {
    let failed = error as? FileError
    self.init(
      file: file, offset: offset, calls: calls,
      message: failed.map { "the disk does not give its bytes: \($0.reason)" } ?? "\(error)")
    isUnreadable = failed != nil
  }

  public var description: String {
    let names = calls.isEmpty ? "" : " (calls \(calls.map(\.description).joined(separator: ", ")))"
    return "\(file) at byte \(offset): \(message)\(names)"
  }
}
