#if canImport(Glibc)
  internal import Glibc
#else
  internal import Darwin
#endif

/// Tells whether a path still names the same file.
struct FileIdentity: Sendable, Equatable {
  private let device: UInt64
  private let inode: UInt64
  /// False for a pipe, at which SQLite would wait for ever, a device, a directory.
  let isRegular: Bool

  /// nil if there is no such file.
  init?(path: String) {
    var status = stat()
    guard stat(path, &status) == 0 else { return nil }
    device = UInt64(truncatingIfNeeded: status.st_dev)
    inode = UInt64(truncatingIfNeeded: status.st_ino)
    isRegular = status.st_mode & S_IFMT == S_IFREG
  }
}
