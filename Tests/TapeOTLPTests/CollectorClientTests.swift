import Foundation
import SwiftProtobuf
import TapeTypes
import Testing

@testable import TapeOTLP

@Suite struct CollectorClientTests {
  /// A collector that gives these answers, the last one for good.
  private final class Fake {
    var answers: [CollectorAnswer]
    var asked = 0
    var waits: [Double] = []

    init(_ answers: CollectorAnswer...) { self.answers = answers }

    func client() -> CollectorClient {
      CollectorClient(
        collector: "http://c",
        post: { _ in
          defer { self.asked += 1 }
          return self.answers[min(self.asked, self.answers.count - 1)]
        }, sleep: { self.waits.append($0) }, random: { 1 }, now: { Date(timeIntervalSince1970: 1_700_000_000) })
    }
  }

  private static func status(_ code: Int, after: String? = nil, _ body: String = "") -> CollectorAnswer {
    .response(status: code, retryAfter: after, body: Array(body.utf8))
  }

  @Test(arguments: [429, 502, 503, 504]) func whatMayPassIsTriedAgain(code: Int) throws {
    let fake = Fake(Self.status(code), Self.status(code), Self.status(200))
    var client = fake.client()
    try client.send(Data([1]), spans: 3)
    #expect(fake.asked == 3 && fake.waits == [0.5, 1] && client.report.sent == 3)
  }

  @Test(arguments: [301, 400, 401, 403, 404, 408, 413, 415, 500, 501]) func aRefusalIsNot(code: Int) throws {
    let fake = Fake(Self.status(code, "no such tenant"))
    var client = fake.client()
    let error = #expect(throws: TapeError.self) { try client.send(Data([1]), spans: 3) }
    #expect(fake.asked == 1 && fake.waits.isEmpty && error?.code == .network)
    #expect(error?.description == "the collector at http://c refused the spans: HTTP \(code): no such tenant")
  }

  @Test(arguments: [
    ("7", 7.0), ("0", 0), (" 2 ", 2), ("Tue, 14 Nov 2023 22:13:50 GMT", 30), ("Tue, 14 Nov 2023 22:00:00 GMT", 0),
    ("soon", 0.5), ("-5", 0.5), ("nan", 0.5), ("inf", 0.5),
  ]) func retryAfterIsHonoured(header: String, wait: Double) throws {
    let fake = Fake(Self.status(503, after: header), Self.status(200))
    var client = fake.client()
    try client.send(Data([1]), spans: 1)
    #expect(fake.waits == [wait])
  }

  @Test func aWaitThatIsTooLongEndsTheExport() throws {
    let fake = Fake(Self.status(429, after: "86400"))
    var client = fake.client()
    let error = #expect(throws: TapeError.self) { try client.send(Data([1]), spans: 1) }
    #expect(fake.asked == 1 && fake.waits.isEmpty)
    #expect(error?.description.contains("86400 seconds") == true)
  }

  @Test func aCollectorThatNeverAnswersIsGivenUp() throws {
    let fake = Fake(.noResponse("connection refused"))
    var client = fake.client()
    let error = #expect(throws: TapeError.self) { try client.send(Data([1]), spans: 1) }
    #expect(fake.asked == 4 && fake.waits == [0.5, 1, 2])
    #expect(error?.description.contains("connection refused") == true)
  }

  @Test func partialSuccessIsCountedAndNotSentAgain() throws {
    var response = Opentelemetry_Proto_Collector_Trace_V1_ExportTraceServiceResponse()
    response.partialSuccess.rejectedSpans = 2
    response.partialSuccess.errorMessage = "too old"
    let fake = Fake(.response(status: 200, retryAfter: nil, body: try response.serializedBytes()))
    var client = fake.client()
    try client.send(Data([1]), spans: 5)
    try client.send(Data([1]), spans: 5)
    #expect(client.report == CollectorClient.Report(sent: 6, rejected: 4, messages: ["too old"]))
    #expect(fake.asked == 2)
  }

  @Test func aRejectionOfMoreThanWasSentCountsWhatWasSent() throws {
    var response = Opentelemetry_Proto_Collector_Trace_V1_ExportTraceServiceResponse()
    response.partialSuccess.rejectedSpans = .max
    let fake = Fake(.response(status: 200, retryAfter: nil, body: try response.serializedBytes()))
    var client = fake.client()
    try client.send(Data([1]), spans: 5)
    #expect(client.report.sent == 0 && client.report.rejected == 5)
  }

  @Test func theReasonIsTheStatusMessageOfTheAnswer() throws {
    // google.rpc.Status{code: 3, message: "bad span"}
    let status: [UInt8] = [0x08, 3, 0x12, 8] + Array("bad span".utf8)
    let fake = Fake(.response(status: 400, retryAfter: nil, body: status))
    var client = fake.client()
    let error = #expect(throws: TapeError.self) { try client.send(Data([1]), spans: 1) }
    #expect(error?.description.hasSuffix("HTTP 400: bad span") == true)
  }

  @Test func anyAnswerIsRead() throws {
    var generator = SystemRandomNumberGenerator()
    for count in 0..<400 {
      let bytes = (0..<count % 40).map { _ in UInt8.random(in: 0...255, using: &generator) }
      var client = Fake(.response(status: 400, retryAfter: nil, body: bytes)).client()
      #expect(throws: TapeError.self) { try client.send(Data([1]), spans: 1) }
      var other = Fake(.response(status: 200, retryAfter: nil, body: bytes)).client()
      try other.send(Data([1]), spans: 1)
    }
  }
}
