internal import ArgumentParser

/// How a command prints what it found.
enum OutputFormat: String, CaseIterable, ExpressibleByArgument, Sendable {
  case table, json, ndjson, csv, markdown

  /// What cli says of a command without `--format`: a table for people, a line each for programs.
  static var standard: OutputFormat { StandardOutput.isTerminal ? .table : .ndjson }

  var isJSON: Bool { self == .json || self == .ndjson }
}

/// The `--format` flag.
struct FormatOption: ParsableArguments {
  @Option(help: "table, json, ndjson, csv or markdown (default: table on a terminal, ndjson in a pipe).")
  var format: OutputFormat?

  var resolved: OutputFormat { format ?? .standard }
}
