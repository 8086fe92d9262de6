internal import TapeJSON
internal import TapeTypes

/// A directory that holds calls: its archive, its catalogue and its locks. See `schema/archive.md`.
public struct Store: Sendable {
  public enum Access: Sendable { case reading, writing }

  /// The major version of the layout that this program writes and reads.
  public static let version = 1
  static let marker = "tapedeck.json"
  static let format = "tapedeck-store"

  /// The directory.
  public let path: String
  package let files: any TapeFiles

  public var archivePath: String { path + "/archive" }
  public var cataloguePath: String { path + "/catalogue.sqlite" }

  /// `--store`, else `$TAPEDECK_STORE`, else `$XDG_DATA_HOME/tapedeck`, else `~/.local/share/tapedeck`.
  public static func locate(flag: String?, environment: [String: String]) -> String {
    if let flag, !flag.isEmpty { return flag }
    if let path = environment["TAPEDECK_STORE"], !path.isEmpty { return path }
    // The XDG specification has relative paths ignored.
    if let data = environment["XDG_DATA_HOME"], data.hasPrefix("/") { return data + "/tapedeck" }
    return (environment["HOME"] ?? "") + "/.local/share/tapedeck"
  }

  /// Opens the store at `path`; for writing, makes it where nothing or an empty directory is.
  ///
  /// - Throws: `TapeError`: `.failed` when there is no store to read, `.notAStore`,
  ///   `.newerVersion`, `.readOnly`, `.io`.
  public init(path: String, access: Access) throws {
    try self.init(path: path, access: access, files: SystemFiles(), clock: SystemClock())
  }

  package init(path: String, access: Access, files: any TapeFiles, clock: any TapeClock) throws {
    var path = path
    while path.utf8.count > 1, path.hasSuffix("/") { path.removeLast() }
    self.path = path
    self.files = files
    do {
      try prepare(access, clock)
    } catch let error as FileError {
      throw TapeError(
        error.isReadOnly && access == .writing ? .readOnly : .io,
        "cannot open the store \(path): \(error.reason) (\(error.call) \(error.path))"
          + (error.isReadOnly ? "; check who owns it, or choose another with --store" : ""))
    }
  }

  private func prepare(_ access: Access, _ clock: any TapeClock) throws {
    guard let status = try files.status(path) else {
      guard access == .writing else { throw missing }
      return try create(clock)
    }
    guard status.isDirectory else {
      throw TapeError(.notAStore, "\(path) is a file, not a store; name a directory with --store")
    }
    let marker = path + "/" + Self.marker
    guard try files.status(marker) != nil else {
      // What a creation that was killed leaves behind does not count as content.
      guard try files.list(path).allSatisfy({ try isRemainsOfCreation($0) }) else {
        throw TapeError(
          .notAStore,
          "\(path) is not a store: it has no \(Self.marker) and is not empty; name another directory with --store")
      }
      guard access == .writing else { throw missing }
      return try create(clock)
    }
    try check(try files.contents(marker, limit: 1 << 16))
    if access == .writing { try requireWritable() }
  }

  private func isRemainsOfCreation(_ name: String) throws(FileError) -> Bool {
    if name == "archive" { return try files.list(archivePath).isEmpty }
    return name.hasPrefix(Self.marker) && name.hasSuffix(".tmp")
  }

  private var missing: TapeError {
    TapeError(.failed, "there is no store at \(path); record something first, or name another with --store")
  }

  private func check(_ bytes: [UInt8]) throws {
    let marker = try? JSONValue(parsing: bytes)
    guard marker?["format"]?.string == Self.format, let version = marker?["version"]?.integer, version >= 1 else {
      throw TapeError(.notAStore, "\(path) is not a store: its \(Self.marker) does not say that it is one")
    }
    guard version <= Self.version else {
      throw TapeError(
        .newerVersion,
        "the store \(path) has version \(version), this program knows up to \(Self.version); nothing was changed, "
          + "use a newer tapedeck")
    }
  }

  /// Opening a lock file for writing is the one question whose answer covers file modes and read-only mounts.
  private func requireWritable() throws {
    try files.makeDirectory(archivePath)
    files.close(try files.open(path + "/store.lock", .readWrite))
    // Whoever made the store may have been killed before it was durable, and what is recorded hangs on these names.
    try files.syncDirectory(path)
  }

  private func create(_ clock: any TapeClock) throws {
    try files.makeDurableDirectory(path)
    let marker: JSONValue = [
      "format": .string(Self.format), "version": .int(Self.version), "created": .string(RFC3339.string(clock.wallNs())),
    ]
    let target = path + "/" + Self.marker
    let temporary = "\(target).\(CallID(milliseconds: 0)).tmp"
    let descriptor = try files.open(temporary, .create)
    defer { files.close(descriptor) }
    try files.writeAll(descriptor, marker.compact + [0x0A])
    try files.sync(descriptor)
    // The name comes last: what has it is whole.
    try files.makeDirectory(archivePath)
    try files.rename(temporary, to: target)
    try requireWritable()
  }

  /// 32 random bytes that key the credential fingerprints; made at the first call.
  package func fingerprintKey() throws -> [UInt8] {
    let name = path + "/fingerprint.key"
    do {
      let descriptor = try files.open(name, .readWrite)
      defer { files.close(descriptor) }
      // Under its own lock, so that of two first callers one makes the key and the other reads it.
      _ = try files.lock(descriptor, .exclusive, wait: true)
      let size = try files.size(descriptor)
      if size == 32 {
        let key = try files.read(descriptor, 0..<32)
        // All zero is what a loss of power makes of a key that was being made.
        if key.contains(where: { $0 != 0 }) { return key }
      }
      guard size <= 32 else {
        throw TapeError(.corrupt, "\(name) has \(size) bytes, not 32; remove it to get a new one")
      }
      var generator = SystemRandomNumberGenerator()
      let key = (0..<32).map { _ in UInt8.random(in: 0...255, using: &generator) }
      try files.truncate(descriptor, to: 0)
      try files.writeAll(descriptor, key)
      try files.sync(descriptor)
      try files.syncDirectory(path)
      return key
    } catch let error as FileError {
      throw TapeError(error.isReadOnly ? .readOnly : .io, "cannot read or make \(name): \(error.reason)")
    }
  }

  /// Takes the lock that seal, repack and erase exclude each other with; nil if taken and not `wait`.
  package func lock(wait: Bool) throws -> StoreLock? {
    let name = path + "/store.lock"
    do {
      let descriptor = try files.open(name, .readWrite)
      guard try files.lock(descriptor, .exclusive, wait: wait) else {
        files.close(descriptor)
        return nil
      }
      return StoreLock(files: files, descriptor: descriptor)
    } catch {
      throw TapeError(error.isReadOnly ? .readOnly : .io, "cannot lock \(name): \(error.reason)")
    }
  }
}

/// The held store lock; given back by `release` or when the last reference goes.
package final class StoreLock {
  private let files: any TapeFiles
  private var descriptor: Int32?

  init(files: any TapeFiles, descriptor: Int32) {
    self.files = files
    self.descriptor = descriptor
  }

  deinit { release() }

  package func release() {
    guard let held = descriptor else { return }
    descriptor = nil
    files.close(held)
  }
}
