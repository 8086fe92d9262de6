import CTapeShims
import TapeArchive
import TapeTypes

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// What comes in through a pipe. Captures are read more than once, so it is held in memory: never on a disk, where the
/// secrets that are in captures must not be.
enum ImportPipe {
  static let most = 1 << 30

  /// - Returns: a file with all of it.
  /// - Throws: `FileError`; `TapeError` `.failed` if it is too much.
  static func contents(of path: String, name: String) throws -> Int32 {
    // Unlike other files: this one is waited for.
    let pipe = tape_open(path, O_RDONLY | O_CLOEXEC, 0)
    guard pipe >= 0 else { throw FileError("open", name, errno: errno) }
    let files = SystemFiles()
    defer { files.close(pipe) }
    let memory = tape_memory_file()
    guard memory >= 0 else { throw FileError("memfd_create", name, errno: errno) }
    do {
      try copy(pipe, to: memory, name, files)
    } catch {
      files.close(memory)
      throw error
    }
    return memory
  }

  private static func copy(_ pipe: Int32, to memory: Int32, _ name: String, _ files: SystemFiles) throws {
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 16)
    defer { buffer.deallocate() }
    var total = 0
    while true {
      let count = read(pipe, buffer.baseAddress, buffer.count)
      if count == 0 { return }
      guard count > 0 else {
        if errno == EINTR { continue }
        throw FileError("read", name, errno: errno)
      }
      total += count
      guard total <= most else {
        throw TapeError(
          .failed, "cannot import \(name): over 1 GiB came through the pipe; write it to a file and import that")
      }
      var rest = UnsafeRawBufferPointer(rebasing: buffer[..<count])
      while !rest.isEmpty { rest = UnsafeRawBufferPointer(rebasing: rest[try files.write(memory, rest)...]) }
    }
  }
}
