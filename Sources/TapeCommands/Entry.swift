package import ArgumentParser
internal import TapeArchive
internal import TapeQuery
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

  /// Runs the command that the arguments name, on this thread; never returns.
  package static func run(_ root: any ParsableCommand.Type) -> Never {
    do {
      var command = try command(root)
      try command.run()
      exit(0)
    } catch { end(root, with: error) }
  }

  /// The same where commands may be asynchronous.
  package static func runAsync(_ root: any ParsableCommand.Type) async -> Never {
    do {
      var command = try command(root)
      if var asynchronous = command as? any AsyncParsableCommand {
        try await asynchronous.run()
      } else {
        try command.run()
      }
      exit(0)
    } catch { end(root, with: error) }
  }

  private static func command(_ root: any ParsableCommand.Type) throws -> any ParsableCommand {
    // A reader that went away is told by EPIPE, a size limit by EFBIG: neither may kill a recorder.
    holdStandardDescriptors()
    signal(SIGPIPE, SIG_IGN)
    signal(SIGXFSZ, SIG_IGN)
    let words = CommandLine.arguments.dropFirst()
    // A command that is read by itself is read in half the time. Only the whole tree has the right words for what is
    // wrong, and for help.
    if let (named, options) = try named(by: words, in: root), let command = try? named.parseAsRoot(Array(options)),
      type(of: command) == named
    {
      return command
    }
    return try root.parseAsRoot(Array(words))
  }

  private static func end(_ root: any ParsableCommand.Type, with error: any Error) -> Never {
    if let error = error as? TapeError {
      StandardOutput.note("tapedeck: \(error.description)")
      exit(error.exitCode)
    }
    // What no command foresaw has not found out that there is nothing, as 1 would say.
    if !(error is ExitCode), root.exitCode(for: error) == .failure {
      StandardOutput.note("tapedeck: \(error)")
      exit(2)
    }
    root.exit(withError: error)
  }
}

extension Entry {
  /// A program that is started without stdin, stdout or stderr would get their numbers for the first files it opens,
  /// and write its answers into a store. What stands there instead fails as what is closed does.
  private static func holdStandardDescriptors() {
    for descriptor: Int32 in 0...2 where fcntl(descriptor, F_GETFD) < 0 && errno == EBADF {
      _ = open("/dev/null", descriptor == 0 ? O_WRONLY : O_RDONLY)
    }
  }

  /// The command without commands of its own that words begin with, and the words behind its name.
  ///
  /// - Throws: `TapeError` `.usage` for a word in the place of a command that is none, naming the one that is near.
  private static func named(
    by words: ArraySlice<String>, in root: any ParsableCommand.Type
  ) throws -> (any ParsableCommand.Type, ArraySlice<String>)? {
    var command = root
    var path = "tapedeck"
    for (index, word) in zip(words.indices, words) {
      let commands = command.configuration.subcommands
      if commands.isEmpty { return (command, words[index...]) }
      guard !word.hasPrefix("-"), word != "help" else { return nil }
      guard let next = commands.first(where: { $0.configuration.commandName == word }) else {
        let names = commands.compactMap { $0.configuration.commandName }
        let near = Spelling.nearest(to: word, among: names).map { "did you mean \($0)?" } ?? "see \(path) --help"
        throw TapeError(.usage, "there is no command '\(path) \(word)'; \(near)")
      }
      command = next
      path += " \(word)"
    }
    return command.configuration.subcommands.isEmpty ? (command, []) : nil
  }
}

extension CommandConfiguration {
  /// For a command that `Entry` reads by itself, and quickly: under the name of another one the library does not look for
  /// an option that makes completions first, which only the root command has. Help is made by the root, and is the same.
  var underRoot: CommandConfiguration {
    var configuration = self
    configuration._superCommandName = "tapedeck"
    return configuration
  }
}

extension TapeError {
  /// 64 bad usage, 1 nothing found, 2 anything else.
  package var exitCode: Int32 {
    switch code {
    case .usage: 64
    case .notFound, .erased: 1
    default: 2
    }
  }
}

extension Entry {
  /// Runs one of the asking commands in this process, as if it had been typed.
  package static func ask(_ arguments: [String]) throws {
    Pager.turnOff()
    var command = try Tapedeck.parseAsRoot(arguments)
    try command.run()
  }

  /// The id of the latest call of a deployment.
  ///
  /// - Throws: `TapeError` `.notFound` if there is none.
  package static func latestCall(ofDeployment deployment: String, store: String) throws -> String {
    var filter = CallFilter()
    filter.deployment = deployment
    let engine = try QueryEngine(store: Store(path: store, access: .reading))
    guard let entry = try engine.entries(filter, limit: 1).first else {
      throw TapeError(.notFound, "no call of the deployment \(deployment)")
    }
    return entry.id.description
  }
}
