internal import ArgumentParser
internal import TapeTypes

#if canImport(Glibc)
  internal import Glibc
#else
  internal import Darwin
#endif

/// The commands that record or serve. They live in a second executable, `tapedeck-live`, so
/// that asking a question loads neither libcurl nor a web server. This process becomes that
/// one by exec: still one process, same arguments, same standard streams.
package enum LiveCommand: String, CaseIterable {
  case demo, record, serve, run, `import`

  package var abstract: String {
    switch self {
    case .demo: "See the main job in one go: no network, no key."
    case .record: "Make one call and tape it, like curl."
    case .serve: "Run the recording proxy, the live indexer and the web page."
    case .run: "Run a command with its calls recorded."
    case .import: "Bring captures into the archive."
    }
  }

  /// Replaces this process by `tapedeck-live` with the arguments of this one.
  ///
  /// - Throws: `TapeError` if the executable is not where it should be.
  static func exec(arguments: [String] = Array(CommandLine.arguments.dropFirst())) throws -> Never {
    let own = ownPath()
    let directory = own[..<(own.lastIndex(of: "/") ?? own.startIndex)]
    let candidates = ["\(directory)/tapedeck-live", "\(directory)/../libexec/tapedeck/tapedeck-live"]
    for path in candidates where access(path, X_OK) == 0 {
      var argv: [UnsafeMutablePointer<CChar>?] = (["tapedeck"] + arguments).map {
        strdup($0) as UnsafeMutablePointer<CChar>?
      }
      argv.append(nil)
      execv(path, argv)  // Comes back only to say that it failed.
      throw TapeError(.failed, "cannot start \(path): \(String(cString: strerror(errno)))")
    }
    throw TapeError(
      .failed,
      "this command needs the program tapedeck-live, which is not at \(candidates.joined(separator: " or ")); "
        + "install both programs of the package")
  }

  private static func ownPath() -> String {
    var buffer = [CChar](repeating: 0, count: 4096)
    let count = readlink("/proc/self/exe", &buffer, buffer.count)
    guard count > 0 else { return CommandLine.arguments.first ?? "" }
    return String(decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }
}

/// Stands in the help of `tapedeck` for a command of `tapedeck-live`, and becomes it when run.
private protocol LiveStub: ParsableCommand {
  static var command: LiveCommand { get }
}

extension LiveStub {
  static var configuration: CommandConfiguration {
    CommandConfiguration(commandName: command.rawValue, abstract: command.abstract)
  }

  func run() throws { try LiveCommand.exec() }
}

struct DemoStub: LiveStub {
  static let command = LiveCommand.demo
  @Argument(parsing: .captureForPassthrough) var arguments: [String] = []
}

struct RecordStub: LiveStub {
  static let command = LiveCommand.record
  @Argument(parsing: .captureForPassthrough) var arguments: [String] = []
}

struct ServeStub: LiveStub {
  static let command = LiveCommand.serve
  @Argument(parsing: .captureForPassthrough) var arguments: [String] = []
}

struct RunStub: LiveStub {
  static let command = LiveCommand.run
  @Argument(parsing: .captureForPassthrough) var arguments: [String] = []
}

struct ImportStub: LiveStub {
  static let command = LiveCommand.import
  @Argument(parsing: .captureForPassthrough) var arguments: [String] = []
}
