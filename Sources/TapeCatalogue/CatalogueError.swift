internal import GRDB
internal import TapeTypes

extension TapeError {
  static func catalogueMissing(at path: String) -> TapeError {
    TapeError(
      .catalogueMissing, "there is no catalogue at \(path) to look calls up in: make it with `tapedeck index`")
  }

  static func catalogueStale(at path: String, because reason: String) -> TapeError {
    TapeError(
      .catalogueStale,
      "cannot use the catalogue \(path): \(reason). It is derived from the archive: make it again with "
        + "`tapedeck index --rebuild`")
  }

  static func catalogueIsNoFile(at path: String) -> TapeError {
    TapeError(
      .failed,
      "cannot use \(path) as the catalogue: it is no regular file; remove it, and make a catalogue with "
        + "`tapedeck index`")
  }

  /// What an SQLite error means to the person who reads it.
  static func catalogue(_ error: any Error, doing what: String, at path: String) -> any Error {
    guard let error = error as? DatabaseError else { return error }
    let detail = error.message ?? "\(error.resultCode)"
    switch error.resultCode.primaryResultCode {
    case .SQLITE_NOTADB, .SQLITE_CORRUPT:
      return TapeError.catalogueStale(at: path, because: "it is damaged (\(detail))")
    case .SQLITE_SCHEMA: return TapeError.catalogueStale(at: path, because: detail)
    // What is asked for is always the same: so the catalogue is not what it should be.
    case .SQLITE_ERROR where detail.hasPrefix("no such "):
      return TapeError.catalogueStale(at: path, because: "it is damaged (\(detail))")
    case .SQLITE_READONLY, .SQLITE_PERM:
      return TapeError(.readOnly, "cannot \(what) the catalogue \(path): \(detail)")
    case .SQLITE_FULL, .SQLITE_IOERR:
      return TapeError(.io, "cannot \(what) the catalogue \(path): \(detail); is the disk full?")
    case .SQLITE_BUSY, .SQLITE_LOCKED:
      return TapeError(.locked, "cannot \(what) the catalogue \(path): another program holds it (\(detail))")
    default: return TapeError(.failed, "cannot \(what) the catalogue \(path): \(detail)")
    }
  }
}
