internal import CTapeShims
internal import Synchronization

#if canImport(Glibc)
  internal import Glibc
#else
  internal import Darwin
#endif

/// Long pages for people go through `$PAGER`, as git's do: only on a terminal, `less -FRX` unless it says otherwise, none
/// where it is empty or `cat`. Without `$PAGER` a page that fits the terminal is just written.
enum Pager {
  /// The terminal behind the pager; nil without one.
  static var terminal: Int32? {
    let descriptor = terminalBehind.load(ordering: .relaxed)
    return descriptor < 0 ? nil : descriptor
  }

  private static let terminalBehind = Atomic<Int32>(-1)
  private static let isOff = Atomic(false)

  /// No pager from now on: what comes is a part of something larger.
  static func turnOff() { isOff.store(true, ordering: .relaxed) }

  /// What was written and may still fit the terminal.
  private struct Held {
    var bytes: [UInt8] = []
    var lines = 0
    let rows: Int
    let command: String
  }

  private static let held = Mutex<Held?>(nil)

  /// From now on stdout goes through the pager. Nothing happens where stdout is no terminal, or there is no pager.
  static func start() {
    let variable = getenv("PAGER").map { String(cString: $0) }
    guard terminal == nil, !isOff.load(ordering: .relaxed), isatty(1) == 1, let command = command(variable) else {
      return
    }
    if variable != nil { return launch(command) }
    let rows = Int(tape_terminal_rows(1))
    let isDumb = getenv("TERM").map { strcmp($0, "dumb") == 0 } ?? true
    guard rows > 0, !isDumb, held.withLock({ $0 == nil }) else { return }
    held.withLock { $0 = Held(rows: rows, command: command) }
    atexit { Pager.release() }
  }

  /// Keeps what is written while it may fit the terminal; false when it is to be written now.
  static func takes(_ bytes: UnsafeRawBufferPointer) -> Bool {
    enum Outcome { case notHeld, kept, full(Held) }
    let outcome = held.withLock { held -> Outcome in
      guard var now = held else { return .notHeld }
      now.bytes += bytes
      now.lines += bytes.count { $0 == 0x0A }
      held = now.lines < now.rows ? now : nil
      return held == nil ? .full(now) : .kept
    }
    switch outcome {
    case .notHeld: return false
    case .kept: return true
    case .full(let held):
      launch(held.command)
      StandardOutput.write(held.bytes)
      return true
    }
  }

  /// Writes what was kept: nothing more comes, or something else has to be seen behind it.
  static func release() {
    let kept = held.withLock { held -> [UInt8]? in
      defer { held = nil }
      return held?.bytes
    }
    if let kept { StandardOutput.write(kept) }
  }

  private static func launch(_ command: String) {
    guard let behind = keepTerminal() else { return }
    var ends: [Int32] = [-1, -1]
    guard pipe(&ends) == 0 else { return }
    guard let process = spawn(command, reading: ends[0], notInherited: [ends[1], behind]) else {
      close(ends[0])
      close(ends[1])
      close(behind)
      return
    }
    pagerProcess = process
    dup2(ends[1], 1)
    // Notes would be written across the page.
    if isatty(2) == 1 { dup2(ends[1], 2) }
    close(ends[0])
    close(ends[1])
    terminalBehind.store(behind, ordering: .relaxed)
    // The prompt comes back when the pager is through, however this process ends.
    atexit { waitForPager() }
    for number in [SIGINT, SIGTERM] {
      signal(number) { number in
        waitForPager()
        signal(number, SIG_DFL)
        raise(number)
      }
    }
  }

  /// What `$PAGER` means: the command, nil for none.
  static func command(_ variable: String?) -> String? {
    let command = (variable ?? "less -FRX").drop { $0 == " " }
    guard !command.isEmpty, command != "cat" else { return nil }
    // A shell would say that there is none when the page is gone.
    let program = command.prefix { $0 != " " }
    let isPlain = program.allSatisfy { $0.isLetter || $0.isNumber || "-_./+".contains($0) }
    return isPlain && !isInstalled(String(program)) ? nil : String(command)
  }

  private static func isInstalled(_ program: String) -> Bool {
    if program.contains("/") { return access(program, X_OK) == 0 }
    let path = getenv("PATH").map { String(cString: $0) } ?? "/usr/bin:/bin"
    return path.split(separator: ":").contains { access("\($0)/\(program)", X_OK) == 0 }
  }

  private static func keepTerminal() -> Int32? {
    let descriptor = fcntl(1, F_DUPFD_CLOEXEC, 3)
    return descriptor < 0 ? nil : descriptor
  }

  private static func spawn(_ command: String, reading input: Int32, notInherited: [Int32]) -> pid_t? {
    setenv("LESS", "FRX", 0)
    for descriptor in notInherited { _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC) }
    #if canImport(Glibc)
      var actions = posix_spawn_file_actions_t()
      var attributes = posix_spawnattr_t()
    #else
      var actions: posix_spawn_file_actions_t?
      var attributes: posix_spawnattr_t?
    #endif
    posix_spawn_file_actions_init(&actions)
    posix_spawnattr_init(&attributes)
    defer {
      posix_spawn_file_actions_destroy(&actions)
      posix_spawnattr_destroy(&attributes)
    }
    posix_spawn_file_actions_adddup2(&actions, input, 0)
    posix_spawn_file_actions_addclose(&actions, input)
    // Ignored signals are inherited, and a pager wants to be told when its reader went away.
    var signals = sigset_t()
    sigemptyset(&signals)
    sigaddset(&signals, SIGPIPE)
    sigaddset(&signals, SIGXFSZ)
    posix_spawnattr_setsigdefault(&attributes, &signals)
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGDEF))
    var arguments: [UnsafeMutablePointer<CChar>?] = [strdup("sh"), strdup("-c"), strdup(command)]
    arguments.append(nil)
    defer { for argument in arguments { free(argument) } }
    var process = pid_t()
    return posix_spawn(&process, "/bin/sh", &actions, &attributes, arguments, environ) == 0 ? process : nil
  }
}

/// Set once, before there is a handler that reads it.
nonisolated(unsafe) private var pagerProcess: pid_t = 0

/// Lets the pager see the end, and waits until it has been left. Does what a signal handler may do.
private func waitForPager() {
  guard pagerProcess > 0 else { return }
  close(1)
  if isatty(2) == 0 { close(2) }
  while waitpid(pagerProcess, nil, 0) < 0 && errno == EINTR {}
  pagerProcess = 0
}
