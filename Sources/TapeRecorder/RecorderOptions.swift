public import Logging
public import TapeRedaction
package import TapeArchive
package import TapeTypes

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// What happens to a stream when the archive cannot take it (`--on-archive-failure`).
public enum ArchiveFailurePolicy: String, Sendable, CaseIterable {
  /// The stream goes on; what is missing on tape is counted as a gap.
  case pass
  /// The call ends: nobody gets a byte that is not on tape.
  case stop
}

/// How a recorder talks to upstream and what it promises about the tape.
public struct RecorderOptions: Sendable {
  /// PEM file of certificate authorities to trust instead of the system's.
  public var caFile: String?
  /// Seconds until a connection to upstream, with TLS, must stand.
  public var connectTimeoutSeconds = 30.0
  /// Seconds without a byte from upstream after which a call ends as timeout; 0 waits for ever.
  public var idleTimeoutSeconds = 600.0
  /// Forward bytes only after they are synced to disk, not just written.
  public var isStrict = false
  public var onArchiveFailure = ArchiveFailurePolicy.pass
  /// What must not get on tape; the client gets it all the same.
  public var redactions: [RedactionRule] = []
  /// How calls of `TapeRecorder` came to be made.
  package var origin = CallOpen.Origin.library
  public var logger = Logger(label: "tapedeck")
  /// Whose wall clock calls are dated by.
  package var clock: any TapeClock = SystemClock()

  public init() {}

  /// Refuses at the start what would fail every call.
  ///
  /// - Throws: `TapeError(.usage)` that names a CA file that cannot be read, or what is wrong with a redaction rule.
  func check() throws(TapeError) {
    for rule in redactions { try rule.check() }
    guard let caFile else { return }
    // Read, not just opened: a directory can be opened.
    let file = open(caFile, O_RDONLY | O_CLOEXEC)
    var byte: UInt8 = 0
    let count = file < 0 ? -1 : read(file, &byte, 1)
    let reason = count < 0 ? String(cString: strerror(errno)) : "it is empty"
    if file >= 0 { close(file) }
    guard count > 0 else {
      throw TapeError(.usage, "cannot read the certificate authorities in \(caFile): \(reason)")
    }
  }
}
