package import Foundation
internal import SwiftProtobuf
internal import TapeTypes

/// What a collector answered, or why it did not.
package enum CollectorAnswer: Sendable {
  case response(status: Int, retryAfter: String?, body: [UInt8])
  /// No response: not resolved, refused, timed out, cut.
  case noResponse(String)
}

/// Sends requests to a collector as OTLP/HTTP says: what may pass is tried again, what was refused is not.
///
/// Source: opentelemetry-proto, `docs/specification.md`, OTLP/HTTP.
package struct CollectorClient {
  private static let tries = 6
  /// For a collector that gave no answer yet: its address may be wrong.
  private static let firstTries = 4
  private static let longestWaitSeconds = 300.0

  /// What became of the spans of one request, or of all.
  package struct Report: Sendable, Equatable {
    package var sent = 0
    package var rejected = 0
    /// What the collector said of them, each once.
    package var messages: [String] = []

    mutating func add(message: String) {
      if !message.isEmpty, !messages.contains(message), messages.count < 20 { messages.append(message) }
    }
  }

  private let collector: String
  private let post: (Data) throws -> CollectorAnswer
  private let sleep: (Double) -> Void
  private let random: () -> Double
  private let now: () -> Date
  package private(set) var report = Report()

  /// - Parameters:
  ///   - collector: its address for people, without credentials.
  ///   - post: one HTTP request with this body.
  ///   - sleep: waits so many seconds.
  ///   - random: from 0 to 1, so that many clients do not come back at once.
  package init(
    collector: String, post: @escaping (Data) throws -> CollectorAnswer, sleep: @escaping (Double) -> Void,
    random: @escaping () -> Double = { Double.random(in: 0...1) }, now: @escaping () -> Date = { Date() }
  ) {
    self.collector = collector
    self.post = post
    self.sleep = sleep
    self.random = random
    self.now = now
  }

  /// - Throws: `TapeError` `.network` when the collector refused the request or could not be had.
  package mutating func send(_ body: Data, spans: Int) throws {
    for number in 1... {
      let reason: String
      var tries = Self.tries
      var wait = 0.5 * Double(1 << (number - 1)) * (0.5 + random() / 2)
      switch try post(body) {
      case .response(let status, _, let answer) where status == 200: return accept(answer, spans: spans)
      case .response(let status, let retryAfter, let answer):
        reason = "HTTP \(status)" + (Self.message(answer).map { ": \($0)" } ?? "")
        guard [429, 502, 503, 504].contains(status) else { throw failure("refused the spans: \(reason)") }
        if let asked = retryAfter.flatMap(seconds) { wait = asked }
      case .noResponse(let why):
        reason = why
        if report.sent == 0 { tries = Self.firstTries }
      }
      guard number < tries else { throw failure("took no spans in \(number) tries: \(reason)") }
      guard wait <= Self.longestWaitSeconds else {
        throw failure("wants to be asked again in \(Int(wait.rounded())) seconds, which is too long: \(reason)")
      }
      sleep(wait)
    }
  }

  private func failure(_ what: String) -> TapeError {
    let before = report.sent > 0 ? "; \(report.sent) spans reached it before that" : ""
    return TapeError(.network, "the collector at \(collector) \(what)\(before)")
  }

  /// Spans that were rejected must not be sent again.
  private mutating func accept(_ answer: [UInt8], spans: Int) {
    typealias Response = Opentelemetry_Proto_Collector_Trace_V1_ExportTraceServiceResponse
    // Some collectors answer with JSON, or nothing at all; that all went well is what 200 says.
    let partial = (try? Response(serializedBytes: answer))?.partialSuccess
    let rejected = min(spans, max(0, Int(clamping: partial?.rejectedSpans ?? 0)))
    report.sent += spans - rejected
    report.rejected += rejected
    report.add(message: partial?.errorMessage ?? "")
  }

  /// `Retry-After`: seconds, or a date of HTTP.
  private func seconds(_ text: String) -> Double? {
    if let seconds = Double(text.trimmingCharacters(in: .whitespaces)), seconds >= 0, seconds.isFinite {
      return seconds
    }
    let format = DateFormatter()
    format.locale = Locale(identifier: "en_US_POSIX")
    format.timeZone = TimeZone(secondsFromGMT: 0)
    format.dateFormat = "EEE, dd MMM yyyy HH:mm:ss zzz"
    return format.date(from: text).map { max(0, $0.timeIntervalSince(now())) }
  }

  /// `google.rpc.Status.message` (field 2), else the answer itself if it is a short text.
  private static func message(_ answer: [UInt8]) -> String? {
    if let message = statusMessage(answer), !message.isEmpty { return String(message.prefix(500)) }
    guard let text = String(validating: answer, as: UTF8.self), !text.isEmpty,
      text.unicodeScalars.allSatisfy({ $0.value >= 0x20 || $0 == "\n" || $0 == "\r" || $0 == "\t" })
    else { return nil }
    return String(text.prefix(500)).trimmingCharacters(in: .whitespacesAndNewlines)
  }

  /// Read by hand, as one field of one message is not worth a definition.
  private static func statusMessage(_ bytes: [UInt8]) -> String? {
    var rest = bytes[...]
    func number() -> Int? {
      var value = 0
      var shift = 0
      while let byte = rest.popFirst(), shift < 49 {
        value |= Int(byte & 0x7F) << shift
        if byte < 0x80 { return value }
        shift += 7
      }
      return nil
    }
    while let tag = number() {
      switch tag & 7 {
      case 0: guard number() != nil else { return nil }
      case 2:
        guard let count = number(), count <= rest.count else { return nil }
        if tag >> 3 == 2 { return String(validating: rest.prefix(count), as: UTF8.self) }
        rest = rest.dropFirst(count)
      default: return nil
      }
    }
    return nil
  }
}
