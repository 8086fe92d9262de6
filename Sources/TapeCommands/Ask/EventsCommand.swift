internal import ArgumentParser
internal import TapeJSON
internal import TapeQuery
internal import TapeSSE
internal import TapeTypes

#if canImport(Glibc)
  internal import Glibc
#else
  internal import Darwin
#endif

/// `tapedeck events`
struct EventsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "events", abstract: "The dispatched server-sent events of a call, a file or stdin.",
    discussion: "Example: curl -sN https://… | tapedeck events -")

  @Argument(help: ArgumentHelp("A call, an .sse file, or - for stdin.", valueName: "call|file.sse|-")) var source:
    String
  @OptionGroup var store: StoreOption
  @OptionGroup var format: FormatOption

  func run() throws {
    let descriptor = source == "-" ? 0 : source.contains("/") || source.hasSuffix(".sse") ? try openFile() : nil
    // Events are made for programs: lines also on a terminal, unless asked otherwise.
    let format = format.format ?? .ndjson
    if let descriptor {
      defer { if descriptor != 0 { close(descriptor) } }
      try stream(descriptor, format)
    } else {
      let asking = try Asking(store)
      let recorded = try asking.engine.recorded(asking.engine.resolve(source))
      if format == .table { Pager.start() }
      RowPrinter(format: format, columns: Self.columns).print(QueryEngine.events(in: recorded.raw))
      try asking.report(damageIn: recorded)
    }
  }

  private func openFile() throws -> Int32 {
    let descriptor = open(source, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw TapeError(.io, "cannot read \(source): \(String(cString: strerror(errno)))") }
    return descriptor
  }

  /// Lines are printed as the events come; the other formats need all of them first.
  private func stream(_ descriptor: Int32, _ format: OutputFormat) throws {
    var parser = EventParser()
    var rows: [JSONValue] = []
    var buffer = [UInt8](repeating: 0, count: 65_536)
    while true {
      let count = read(descriptor, &buffer, buffer.count)
      if count < 0 && errno == EINTR { continue }
      guard count >= 0 else { throw TapeError(.io, "cannot read \(source): \(String(cString: strerror(errno)))") }
      if count == 0 { break }
      buffer.withUnsafeBytes { bytes in
        parser.feed(UnsafeRawBufferPointer(rebasing: bytes[..<count])) { event in
          if format == .ndjson {
            StandardOutput.write(json: QueryEngine.row(of: event).compact)
          } else {
            rows.append(QueryEngine.row(of: event))
          }
        }
      }
    }
    parser.finish()
    if format == .table { Pager.start() }
    if format != .ndjson { RowPrinter(format: format, columns: Self.columns).print(rows) }
  }

  private static let columns = [
    Column("EVENT", "event"), Column("ID", "id").optional(1), Column("RETRY", "retry", right: true).whenNotEmpty,
    Column("DATA", "data"),
  ]
}
