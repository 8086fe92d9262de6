/// How a file is opened.
package enum OpenMode: Sendable {
  /// Must exist.
  case read
  /// Must not exist: made with mode 0600, read and write.
  case create
  /// Made with mode 0600 when missing, read and write.
  case readWrite
}

/// Which `flock` is wanted.
package enum LockMode: Sendable {
  case shared, exclusive
}

/// What a directory entry is, as far as the store cares.
package struct FileStatus: Sendable, Equatable {
  package var bytes: Int
  package var isDirectory: Bool
  /// False also for a symbolic link that leads nowhere.
  package var isRegular: Bool
  /// Last change of the content, ns since 1970.
  package var modifiedNs: Int64

  package init(bytes: Int, isDirectory: Bool, isRegular: Bool? = nil, modifiedNs: Int64) {
    self.bytes = bytes
    self.isDirectory = isDirectory
    self.isRegular = isRegular ?? !isDirectory
    self.modifiedNs = modifiedNs
  }
}

/// A name in a directory.
package struct DirectoryEntry: Sendable, Equatable {
  package var name: String
  /// False for directories, pipes, sockets, devices, and links that lead to none or nowhere.
  package var isRegular: Bool

  package init(name: String, isRegular: Bool) {
    self.name = name
    self.isRegular = isRegular
  }
}

/// A failed system call: which one, on what, and its `errno`.
package struct FileError: Error, Sendable, Equatable {
  package var call: String
  package var path: String
  package var errno: Int32

  package init(_ call: String, _ path: String, errno: Int32) {
    self.call = call
    self.path = path
    self.errno = errno
  }

  /// What failed, as far as it is known: a write to a file that is open has no path.
  package var doing: String { path.isEmpty ? call : "\(call) \(path)" }
}

/// Everything the archive asks of a file system: the seam at which tests inject faults.
///
/// Descriptors are plain numbers, closed by whoever opened them. Every function does
/// what the POSIX call of that name does and fails with a ``FileError``.
package protocol TapeFiles: Sendable {
  func open(_ path: String, _ mode: OpenMode) throws(FileError) -> Int32
  func close(_ descriptor: Int32)
  /// Appends; returns how many bytes were taken, which may be fewer than were offered.
  func write(_ descriptor: Int32, _ bytes: UnsafeRawBufferPointer) throws(FileError) -> Int
  /// Reads at an offset; 0 is the end of the file.
  func read(_ descriptor: Int32, at offset: Int, into buffer: UnsafeMutableRawBufferPointer) throws(FileError) -> Int
  func size(_ descriptor: Int32) throws(FileError) -> Int
  func truncate(_ descriptor: Int32, to bytes: Int) throws(FileError)
  /// Makes the content durable (`fdatasync`). After it failed once the file's state is unknown.
  func sync(_ descriptor: Int32) throws(FileError)
  /// Takes the lock; false when another descriptor holds one that excludes it and `wait` is false.
  func lock(_ descriptor: Int32, _ mode: LockMode, wait: Bool) throws(FileError) -> Bool
  func unlock(_ descriptor: Int32)
  func rename(_ path: String, to target: String) throws(FileError)
  func unlink(_ path: String) throws(FileError)
  /// Makes the names in a directory durable.
  func syncDirectory(_ path: String) throws(FileError)
  /// The names in a directory, sorted by their bytes, without `.` and `..`.
  func list(_ path: String) throws(FileError) -> [String]
  /// The same, with what each name is; links are followed.
  func entries(_ path: String) throws(FileError) -> [DirectoryEntry]
  /// nil when there is nothing of that name.
  func status(_ path: String) throws(FileError) -> FileStatus?
  /// Makes the directory and its parents with mode 0700; fine when it is there.
  func makeDirectory(_ path: String) throws(FileError)
}

extension TapeFiles {
  /// Makes a directory that survives a loss of power: every directory above it is synced, also those that are there, as
  /// who made them may have been killed before it did.
  package func makeDurableDirectory(_ path: String) throws(FileError) {
    var above: [(directory: String, isNewBelow: Bool)] = []
    var below = path
    while let parent = Self.parent(of: below) {
      above.append((parent, try status(below) == nil))
      below = parent
    }
    try makeDirectory(path)
    for (directory, isNewBelow) in above {
      do throws(FileError) {
        try syncDirectory(directory)
      } catch {
        // A directory that may be written and not read cannot be synced; for what was there before it is a try.
        guard !isNewBelow || error.isReadOnly else { throw error }
      }
    }
  }

  /// nil for the root and for where relative paths start.
  private static func parent(of path: String) -> String? {
    guard let slash = path.utf8.lastIndex(of: 0x2F) else { return path == "." ? nil : "." }
    if slash == path.startIndex { return path == "/" ? nil : "/" }
    return String(path[..<slash])
  }

  package func entries(_ path: String) throws(FileError) -> [DirectoryEntry] {
    var entries: [DirectoryEntry] = []
    for name in try list(path) {
      // What goes between listing and asking was a file: whoever opens it sees that it is gone.
      entries.append(DirectoryEntry(name: name, isRegular: try status(path + "/" + name)?.isRegular ?? true))
    }
    return entries
  }

  /// Gives a file this content, or leaves it as it was: written beside it, synced, read back, renamed.
  func replace(_ path: String, with bytes: [UInt8], in directory: String) throws(FileError) {
    let temporary = path + ".tmp"
    if try status(temporary) != nil { try unlink(temporary) }
    let descriptor = try open(temporary, .create)
    do throws(FileError) {
      defer { close(descriptor) }
      try writeAll(descriptor, bytes)
      try sync(descriptor)
      guard try read(descriptor, 0..<bytes.count) == bytes else { throw FileError("read", temporary, errno: 5) }
    } catch {
      try? unlink(temporary)
      throw error
    }
    try rename(temporary, to: path)
    try syncDirectory(directory)
  }
}
