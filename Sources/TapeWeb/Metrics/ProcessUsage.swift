#if canImport(Glibc)
  internal import Glibc
#else
  internal import Darwin
#endif
internal import Foundation

/// What this process has used of the machine.
struct ProcessUsage {
  var cpuMicroseconds: Int64
  /// nil where there is no /proc.
  var residentBytes: Int?
  var openFiles: Int?

  #if canImport(Glibc)
    private static let who = __rusage_who_t(RUSAGE_SELF.rawValue)
  #else
    private static let who = RUSAGE_SELF
  #endif

  init() {
    var usage = rusage()
    getrusage(Self.who, &usage)
    func microseconds(_ time: timeval) -> Int64 { Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_usec) }
    cpuMicroseconds = microseconds(usage.ru_utime) + microseconds(usage.ru_stime)
    let pages = (try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8))?.split(separator: " ").dropFirst()
      .first
    residentBytes = pages.flatMap { Int($0) }.map { $0 * Int(sysconf(Int32(_SC_PAGESIZE))) }
    openFiles = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd"))?.count
  }
}
