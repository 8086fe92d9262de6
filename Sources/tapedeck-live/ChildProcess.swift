internal import Synchronization

#if canImport(Glibc)
  internal import Glibc
#else
  internal import Darwin
#endif

/// A command could not be started.
struct ChildError: Error, CustomStringConvertible {
  let command: String
  let reason: Int32

  var description: String { "cannot run \(command): \(String(cString: strerror(reason)))" }

  /// What a shell exits with.
  var exitCode: Int32 { reason == ENOENT ? 127 : 126 }
}

/// A command that runs beside this process, with its standard streams.
final class ChildProcess: Sendable {
  private let id: pid_t
  /// It is the first of a process group of its own.
  private let leadsGroup: Bool
  private let status = Mutex<Int32?>(nil)

  /// - Parameter isGroup: what it starts in turn shall get the signals that are passed on to it, too.
  /// - Throws: `ChildError` if it cannot be started.
  init(_ command: [String], environment: [String: String], isGroup: Bool = false) throws {
    // On a terminal only the group in the foreground may read from it, and Ctrl-C reaches all of that.
    leadsGroup = isGroup && !Self.isInForeground
    var arguments = command.map { strdup($0) as UnsafeMutablePointer<CChar>? } + [nil]
    var variables = environment.map { strdup("\($0.key)=\($0.value)") as UnsafeMutablePointer<CChar>? } + [nil]
    defer { for text in arguments + variables { free(text) } }
    #if canImport(Glibc)
      var attributes = posix_spawnattr_t()
    #else
      var attributes: posix_spawnattr_t?
    #endif
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    // What this process ignores, a command need not.
    var signals = sigset_t()
    sigemptyset(&signals)
    for number in [SIGPIPE, SIGXFSZ] { sigaddset(&signals, number) }
    posix_spawnattr_setsigdefault(&attributes, &signals)
    // Nor does it block what a thread of a pool here blocks.
    var blocked = sigset_t()
    sigemptyset(&blocked)
    posix_spawnattr_setsigmask(&attributes, &blocked)
    var flags = Int16(POSIX_SPAWN_SETSIGDEF) | Int16(POSIX_SPAWN_SETSIGMASK)
    if leadsGroup {
      flags |= Int16(POSIX_SPAWN_SETPGROUP)
      posix_spawnattr_setpgroup(&attributes, 0)
    }
    posix_spawnattr_setflags(&attributes, flags)
    var id = pid_t()
    let reason = posix_spawnp(&id, command.first ?? "", nil, &attributes, &arguments, &variables)
    guard reason == 0 else { throw ChildError(command: command.first ?? "", reason: reason) }
    self.id = id
  }

  var hasEnded: Bool { status.withLock { $0 != nil } }

  /// Nothing once it has ended: another process may have its number then.
  func send(_ signal: Int32) {
    status.withLock { status in
      if status == nil { kill(leadsGroup ? -id : id, signal) }
    }
  }

  /// Sends what this process got, unless the terminal has sent it to both.
  func pass(on signal: Int32, before: Int) {
    let isOfKeys = signal == SIGINT || signal == SIGQUIT
    if !isOfKeys || before > 0 || !Self.isInForeground { send(signal) }
  }

  private static var isInForeground: Bool {
    [STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO].contains { isatty($0) == 1 && tcgetpgrp($0) == getpgrp() }
  }

  /// Its exit code; 128 and the number of the signal that ended it.
  func wait() async -> Int32 {
    await Worker { [self] in
      // Not reaped before the status is known, so that `send` never meets another process.
      var info = siginfo_t()
      while waitid(P_PID, id_t(id), &info, WEXITED | WNOWAIT) < 0 && errno == EINTR {}
      status.withLock { status in
        var raw: Int32 = 0
        while waitpid(id, &raw, 0) < 0 && errno == EINTR {}
        let signal = raw & 0x7F
        status = signal == 0 ? raw >> 8 & 0xFF : 128 + signal
      }
    }.wait()
    return status.withLock { $0 ?? 2 }
  }
}

/// The command once it runs, for the thread that is told of signals.
final class RunningCommand: Sendable {
  private let process = Mutex<ChildProcess?>(nil)

  var child: ChildProcess? { process.withLock { $0 } }

  func start(_ child: ChildProcess) -> ChildProcess {
    process.withLock { $0 = child }
    return child
  }
}
