package import ArgumentParser
package import TapeTypes

#if canImport(Glibc)
  internal import Glibc
#else
  internal import Darwin
#endif

/// What both executables do around a command: parse, run, and turn an error into words and an
/// exit code.
package enum Entry {
  package static let version = "0.1.0"

  /// Runs the command that the arguments name; never returns.
  package static func run(_ root: any ParsableCommand.Type) async -> Never {
    // A reader that went away is told by EPIPE, a size limit by EFBIG: neither may kill a recorder.
    signal(SIGPIPE, SIG_IGN)
    signal(SIGXFSZ, SIG_IGN)
    do {
      var command = try root.parseAsRoot()
      if var asynchronous = command as? any AsyncParsableCommand {
        try await asynchronous.run()
      } else {
        try command.run()
      }
      exit(0)
    } catch let error as TapeError {
      StandardOutput.note("tapedeck: \(TerminalText.escaped(error.description, keepingLines: true))")
      exit(error.exitCode)
    } catch {
      root.exit(withError: error)
    }
  }
}

extension TapeError {
  /// 64 bad usage, 1 nothing found, 2 anything else.
  package var exitCode: Int32 {
    switch code {
    case .usage: 64
    case .notFound: 1
    default: 2
    }
  }
}
