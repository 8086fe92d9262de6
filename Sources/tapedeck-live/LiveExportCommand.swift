internal import ArgumentParser
internal import Foundation
internal import TapeArchive
internal import TapeCommands
internal import TapeOTLP
internal import TapeQuery
internal import TapeRecorder
internal import TapeTypes

/// `tapedeck export`, with what needs the network.
struct LiveExportCommand: ParsableCommand {
  static let configuration = ExportOptions.configuration

  @OptionGroup var options: ExportOptions

  func run() throws {
    guard try options.target() == .otlp else { return try options.exportFiles() }
    let collector = try options.endpoint.map { try Collector($0, options) }
    if collector == nil, options.output == nil, StandardOutput.isTerminal {
      throw TapeError(.usage, "a terminal cannot show protobuf: give --endpoint URL or --output FILE")
    }
    let selection = try options.selection()
    let sink = collector == nil ? try OutputSink(options.output) : nil
    let environment = ProcessInfo.processInfo.environment
    let service = environment["OTEL_SERVICE_NAME"].flatMap { $0.isEmpty ? nil : $0 } ?? "tapedeck"
    var batch = SpanBatch(service: service, version: Entry.version, hasContent: options.content)
    var client = collector?.client
    var open = 0
    func pass(_ request: (body: Data, spans: Int)?) throws {
      guard let request else { return }
      try sink?.write(Array(request.body))
      try client?.send(request.body, spans: request.spans)
    }
    try selection.forEach { entry, call in
      // A span has an end.
      guard entry.state != .open else { return open += 1 }
      let shown = try selection.engine.show(call, at: entry.location)
      try pass(try batch.add(call, shown: shown, state: entry.state))
    }
    try pass(try batch.take())
    try sink?.finish()
    if open > 0 {
      StandardOutput.note("tapedeck: \(open) \(open == 1 ? "call that is" : "calls that are") still open left out")
    }
    if let client { try tell(client.report) }
    try selection.finish()
  }

  private func tell(_ report: CollectorClient.Report) throws {
    StandardOutput.note("tapedeck: \(report.sent) \(report.sent == 1 ? "span" : "spans") sent")
    for message in report.messages { StandardOutput.note("tapedeck: the collector says: \(message)") }
    guard report.rejected > 0 else { return }
    throw TapeError(.network, "the collector rejected \(report.rejected) of \(report.sent + report.rejected) spans")
  }
}

/// Where spans are sent.
private struct Collector {
  let client: CollectorClient

  init(_ text: String, _ options: ExportOptions) throws {
    let url: UpstreamURL
    do { url = try UpstreamURL(text) } catch {
      throw TapeError(.usage, "--endpoint takes the URL of a collector like http://127.0.0.1:4318, and this is none")
    }
    let path = "/v1/traces"
    // A base, as OTEL_EXPORTER_OTLP_ENDPOINT has it, or the whole address.
    let target = url.prefix.hasSuffix(path) ? url.target : url.prefix + path
    let http = try HTTPPost(
      url, target: target, headers: try Self.headers(options, url),
      caFile: options.caFile ?? trustedByEnvironment(), timeoutSeconds: 60)
    client = CollectorClient(
      collector: url.origin + target.prefix { $0 != "?" },
      post: { body in
        do {
          let response = try http.send(Array(body))
          return .response(
            status: response.status, retryAfter: response.headers.first("retry-after"), body: response.body)
        } catch let error as TapeError where error.code == .network {
          return .noResponse(error.description)
        }
      },
      sleep: { seconds in
        if seconds >= 5 {
          StandardOutput.note("tapedeck: the collector is busy; waiting \(Int(seconds.rounded())) seconds")
        }
        Thread.sleep(forTimeInterval: seconds)
      })
  }

  /// `-H`, and `OTEL_EXPORTER_OTLP_HEADERS`, which keeps a key off the command line.
  private static func headers(_ options: ExportOptions, _ url: UpstreamURL) throws -> [HeaderField] {
    var headers = [
      HeaderField("Content-Type", "application/x-protobuf"), HeaderField("User-Agent", "tapedeck/\(Entry.version)"),
    ]
    if let authorization = url.authorization { headers.append(HeaderField("Authorization", authorization)) }
    let listed = ProcessInfo.processInfo.environment["OTEL_EXPORTER_OTLP_HEADERS"] ?? ""
    for pair in listed.split(separator: ",") {
      let parts = pair.split(separator: "=", maxSplits: 1)
      guard parts.count == 2, let value = parts[1].removingPercentEncoding else {
        throw TapeError(.usage, "OTEL_EXPORTER_OTLP_HEADERS is no list of name=value")
      }
      headers.append(try field(parts[0].trimmingCharacters(in: .whitespaces), value, "OTEL_EXPORTER_OTLP_HEADERS"))
    }
    for text in options.header {
      guard let colon = text.firstIndex(of: ":") else { throw TapeError(.usage, "--header takes 'Name: value'") }
      headers.append(try field(String(text[..<colon]), String(text[text.index(after: colon)...]), "--header"))
    }
    return headers
  }

  private static func field(_ name: String, _ value: String, _ flag: String) throws -> HeaderField {
    let value = value.trimmingCharacters(in: .whitespaces)
    guard !name.isEmpty, name.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != 0x3A }),
      value.utf8.allSatisfy({ $0 >= 0x20 || $0 == 0x09 })
    else { throw TapeError(.usage, "\(flag) has a header that no HTTP request can have") }
    return HeaderField(name, value)
  }
}
