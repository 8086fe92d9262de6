#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// How many files this process may have open.
package enum DescriptorLimit {
  /// As many as it may ask for: the soft limit of 1024 would be as many streams, or half.
  package static func raise() {
    if var limit = current, limit.rlim_cur < limit.rlim_max {
      limit.rlim_cur = limit.rlim_max
      setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    }
    makeRoom()
  }

  /// Has the system's table of open files grow now. Each time it doubles, Linux has the thread that opens a file wait until
  /// all processors have passed a quiet point, some 10 ms: in a loop's thread every stream would stand still for as long,
  /// at 64 files, 256, 512 and so on. The table never shrinks, and costs 8 bytes a file.
  private static func makeRoom() {
    let file = open("/dev/null", O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { return }
    let far = fcntl(file, F_DUPFD_CLOEXEC, CInt(clamping: min(most ?? 1, room) - 1))
    if far >= 0 { close(far) }
    close(file)
  }

  private static let room = 16_384

  /// Whether a descriptor that was just made is one of the last, which connections do not get: journals, segments and the
  /// catalogue are opened while streams go on. The system gives the lowest number that is free.
  package static func isNearlyReached(by descriptor: CInt) -> Bool {
    guard let most else { return false }
    return Int(descriptor) >= most - heldBack / 2
  }

  /// How many connections leave for others; half of it for clients that are told so, and until they have heard it.
  package static var heldBack: Int { min(64, (most ?? 256) / 4) }

  /// The soft limit; nil if the system does not say.
  package static var most: Int? { current.map { Int(clamping: $0.rlim_cur) } }

  private static var current: rlimit? {
    var limit = rlimit()
    return getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 ? limit : nil
  }
}
