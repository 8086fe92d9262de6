internal import CTapeShims

#if canImport(Glibc)
  internal import Glibc
#else
  internal import Darwin
#endif

/// The real file system. The only place of this target that makes system calls.
package struct SystemFiles: TapeFiles {
  package init() {}

  package func open(_ path: String, _ mode: OpenMode) throws(FileError) -> Int32 {
    let flags: Int32
    switch mode {
    // Opening a pipe must not wait for its other end.
    case .read: flags = O_RDONLY | O_NONBLOCK
    case .create: flags = O_RDWR | O_CREAT | O_EXCL | O_APPEND
    case .readWrite: flags = O_RDWR | O_CREAT | O_APPEND
    }
    while true {
      let descriptor = tape_open(path, flags | O_CLOEXEC, 0o600)
      if descriptor >= 0 { return descriptor }
      if errno != EINTR { throw FileError("open", path, errno: errno) }
    }
  }

  package func close(_ descriptor: Int32) {
    #if canImport(Glibc)
      _ = Glibc.close(descriptor)
    #else
      _ = Darwin.close(descriptor)
    #endif
  }

  package func write(_ descriptor: Int32, _ bytes: UnsafeRawBufferPointer) throws(FileError) -> Int {
    while true {
      #if canImport(Glibc)
        let count = Glibc.write(descriptor, bytes.baseAddress, bytes.count)
      #else
        let count = Darwin.write(descriptor, bytes.baseAddress, bytes.count)
      #endif
      if count >= 0 { return count }
      if errno != EINTR { throw FileError("write", "", errno: errno) }
    }
  }

  package func read(
    _ descriptor: Int32, at offset: Int, into buffer: UnsafeMutableRawBufferPointer
  ) throws(FileError) -> Int {
    while true {
      let count = pread(descriptor, buffer.baseAddress, buffer.count, off_t(offset))
      if count >= 0 { return count }
      if errno != EINTR { throw FileError("read", "", errno: errno) }
    }
  }

  package func size(_ descriptor: Int32) throws(FileError) -> Int {
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw FileError("fstat", "", errno: errno) }
    return Int(status.st_size)
  }

  package func truncate(_ descriptor: Int32, to bytes: Int) throws(FileError) {
    guard ftruncate(descriptor, off_t(bytes)) == 0 else { throw FileError("ftruncate", "", errno: errno) }
  }

  package func sync(_ descriptor: Int32) throws(FileError) {
    #if canImport(Glibc)
      guard fdatasync(descriptor) == 0 else { throw FileError("fdatasync", "", errno: errno) }
    #else
      guard fcntl(descriptor, F_FULLFSYNC) == 0 else { throw FileError("fsync", "", errno: errno) }
    #endif
  }

  package func lock(_ descriptor: Int32, _ mode: LockMode, wait: Bool) throws(FileError) -> Bool {
    let operation = (mode == .shared ? LOCK_SH : LOCK_EX) | (wait ? 0 : LOCK_NB)
    while flock(descriptor, operation) != 0 {
      if errno == EWOULDBLOCK { return false }
      if errno != EINTR { throw FileError("flock", "", errno: errno) }
    }
    return true
  }

  package func unlock(_ descriptor: Int32) { _ = flock(descriptor, LOCK_UN) }

  package func rename(_ path: String, to target: String) throws(FileError) {
    #if canImport(Glibc)
      let result = Glibc.rename(path, target)
    #else
      let result = Darwin.rename(path, target)
    #endif
    guard result == 0 else { throw FileError("rename", path, errno: errno) }
  }

  package func unlink(_ path: String) throws(FileError) {
    #if canImport(Glibc)
      let result = Glibc.unlink(path)
    #else
      let result = Darwin.unlink(path)
    #endif
    guard result == 0 else { throw FileError("unlink", path, errno: errno) }
  }

  package func syncDirectory(_ path: String) throws(FileError) {
    let descriptor = try open(path, .read)
    defer { close(descriptor) }
    // Some file systems cannot sync a directory and say EINVAL; there is nothing more to do on those.
    guard fsync(descriptor) == 0 || errno == EINVAL else { throw FileError("fsync", path, errno: errno) }
  }

  package func list(_ path: String) throws(FileError) -> [String] { try entries(path).map(\.name) }

  package func entries(_ path: String) throws(FileError) -> [DirectoryEntry] {
    guard let directory = opendir(path) else { throw FileError("opendir", path, errno: errno) }
    defer { closedir(directory) }
    var entries: [DirectoryEntry] = []
    while let entry = readdir(directory) {
      let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
        String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
      }
      guard name != ".", name != ".." else { continue }
      entries.append(
        DirectoryEntry(name: name, isRegular: try isRegular(path + "/" + name, type: Int(entry.pointee.d_type))))
    }
    return entries.sorted { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }
  }

  /// Most file systems say in the listing what an entry is; only of links, and on the others, `stat` is asked.
  private func isRegular(_ path: String, type: Int) throws(FileError) -> Bool {
    if type == Int(DT_REG) { return true }
    guard type == Int(DT_LNK) || type == Int(DT_UNKNOWN) else { return false }
    // A link to nothing is there, and no file; of an unknown entry that went, see `TapeFiles.entries`.
    return try status(path)?.isRegular ?? (type == Int(DT_UNKNOWN))
  }

  package func status(_ path: String) throws(FileError) -> FileStatus? {
    var status = stat()
    guard stat(path, &status) == 0 else {
      if errno == ENOENT || errno == ENOTDIR { return nil }
      if errno == ELOOP { return FileStatus(bytes: 0, isDirectory: false, isRegular: false, modifiedNs: 0) }
      throw FileError("stat", path, errno: errno)
    }
    #if canImport(Glibc)
      let modified = status.st_mtim
    #else
      let modified = status.st_mtimespec
    #endif
    return FileStatus(
      bytes: Int(status.st_size), isDirectory: status.st_mode & S_IFMT == S_IFDIR,
      isRegular: status.st_mode & S_IFMT == S_IFREG,
      modifiedNs: Int64(modified.tv_sec) &* 1_000_000_000 &+ Int64(modified.tv_nsec))
  }

  package func makeDirectory(_ path: String) throws(FileError) {
    if mkdir(path, 0o700) == 0 { return }
    switch errno {
    case EEXIST:
      guard try status(path)?.isDirectory == true else { throw FileError("mkdir", path, errno: ENOTDIR) }
    case ENOENT:
      guard let slash = path.utf8.lastIndex(of: 0x2F), slash > path.startIndex else {
        throw FileError("mkdir", path, errno: ENOENT)
      }
      try makeDirectory(String(path[..<slash]))
      guard mkdir(path, 0o700) == 0 || errno == EEXIST else { throw FileError("mkdir", path, errno: errno) }
    default: throw FileError("mkdir", path, errno: errno)
    }
  }
}

extension FileError {
  /// The system's words for the `errno`.
  package var reason: String { String(cString: strerror(errno)) }

  package var isReadOnly: Bool { errno == EACCES || errno == EROFS || errno == EPERM }
  package var isMissing: Bool { errno == ENOENT }
  package var isFull: Bool { errno == ENOSPC || errno == EDQUOT || errno == EFBIG }
}

extension TapeFiles {
  /// Appends all of the bytes or fails.
  package func writeAll(_ descriptor: Int32, _ bytes: UnsafeRawBufferPointer) throws(FileError) {
    var rest = bytes
    while !rest.isEmpty {
      let count = try write(descriptor, rest)
      guard count > 0 else { throw FileError("write", "", errno: ENOSPC) }
      rest = UnsafeRawBufferPointer(rebasing: rest[count...])
    }
  }

  package func writeAll(_ descriptor: Int32, _ bytes: [UInt8]) throws(FileError) {
    let result = bytes.withUnsafeBytes { buffer -> Result<Void, FileError> in
      do throws(FileError) { return .success(try writeAll(descriptor, buffer)) } catch { return .failure(error) }
    }
    try result.get()
  }

  /// Reads exactly this range; fewer bytes only at the end of the file.
  package func read(_ descriptor: Int32, _ range: Range<Int>) throws(FileError) -> [UInt8] {
    var failure: FileError?
    let bytes = [UInt8](unsafeUninitializedCapacity: range.count) { buffer, count in
      let target = UnsafeMutableRawBufferPointer(buffer)
      do throws(FileError) {
        while count < range.count {
          let step = try read(
            descriptor, at: range.lowerBound + count,
            into: UnsafeMutableRawBufferPointer(rebasing: target[count..<range.count]))
          if step == 0 { break }
          count += step
        }
      } catch {
        failure = error
      }
    }
    if let failure { throw failure }
    return bytes
  }

  /// The whole of a small file; fails with `EFBIG` over the limit.
  package func contents(_ path: String, limit: Int) throws(FileError) -> [UInt8] {
    let descriptor = try open(path, .read)
    defer { close(descriptor) }
    let size = try size(descriptor)
    guard size <= limit else { throw FileError("read", path, errno: EFBIG) }
    return try read(descriptor, 0..<size)
  }
}
