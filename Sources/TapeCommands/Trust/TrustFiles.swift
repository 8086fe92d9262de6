internal import Foundation
internal import TapeArchive
internal import TapeJSON
internal import TapeTypes

/// Checkpoints, keys and proofs in files that a command was given.
enum TrustFiles {
  private static let mostBytes = 64 << 20

  /// - Parameter path: `-` for stdin.
  static func read(_ path: String, _ what: String) throws -> [UInt8] {
    do {
      // Not by its size: it may be a pipe.
      let file = path == "-" ? FileHandle.standardInput : try FileHandle(forReadingFrom: URL(fileURLWithPath: path))
      guard let data = try file.read(upToCount: mostBytes + 1), data.count <= mostBytes else {
        throw TapeError(.failed, "the \(what) \(path) is empty, or larger than any is")
      }
      return Array(data)
    } catch let error as CocoaError {
      let cause = error.underlying as? NSError
      let reason =
        cause.flatMap { $0.domain == NSPOSIXErrorDomain ? String(cString: strerror(Int32($0.code))) : nil }
        ?? error.localizedDescription
      throw TapeError(.failed, "cannot read the \(what) \(path): \(reason)")
    }
  }

  static func checkpoint(_ path: String) throws -> CheckpointNote {
    guard let note = CheckpointNote(try read(path, "checkpoint")) else {
      throw TapeError(
        .failed, "\(path) is no checkpoint: it has not the three lines origin, size and root that one has")
    }
    return note
  }

  static func proof(_ path: String) throws -> JSONValue {
    do {
      return try JSONValue(parsing: try read(path, "proof"))
    } catch let error as JSONError {
      throw TapeError(.failed, "\(path) is no proof: \(error)")
    }
  }

  static func signingKey(_ path: String) throws -> NoteSigningKey {
    guard let key = NoteSigningKey(try firstLine(path, "key")) else {
      throw TapeError(
        .failed, "\(path) has no signing key: it should begin with PRIVATE+KEY+; make one with checkpoint --new-key")
    }
    return key
  }

  /// - Parameter text: a verifier key, or the name of a file that has one.
  static func verifierKey(_ text: String) throws -> NoteVerifierKey {
    if let key = NoteVerifierKey(text) { return key }
    if text.utf8.count(where: { $0 == 0x2B }) >= 2, !FileManager.default.fileExists(atPath: text) {
      throw TapeError(
        .failed, "'\(text)' is no verifier key: NAME+ID+KEY, as checkpoint --new-key prints it, to the last character")
    }
    let line = try firstLine(text, "key")
    if NoteSigningKey(line) != nil {
      throw TapeError(.usage, "\(text) has a secret signing key; --key takes the verifier key that belongs to it")
    }
    guard let key = NoteVerifierKey(line) else {
      throw TapeError(.failed, "\(text) is no verifier key: NAME+ID+KEY, as checkpoint --new-key prints it")
    }
    return key
  }

  private static func firstLine(_ path: String, _ what: String) throws -> String {
    String(decoding: try read(path, what).prefix { $0 != 0x0A && $0 != 0x0D }, as: UTF8.self)
  }

  /// Makes a file that only its owner can read; never over one that is there.
  static func create(_ path: String, _ text: String) throws {
    let files = SystemFiles()
    do {
      let descriptor = try files.open(path, .create)
      defer { files.close(descriptor) }
      try files.writeAll(descriptor, Array(text.utf8))
      try files.sync(descriptor)
    } catch {
      throw TapeError(.failed, "cannot make \(path): \(error.reason)")
    }
  }
}
