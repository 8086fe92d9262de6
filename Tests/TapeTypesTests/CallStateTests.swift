import TapeTypes
import Testing

@Suite struct CallStateTests {
  private func state(
    _ cause: CallEnd.Cause?, status: Int? = 200, live: Bool = false, complete: Bool = false, error: Bool = false
  ) -> CallState {
    CallState(
      head: status.map { CallHead(offsetNs: 1, status: $0) },
      end: cause.map { CallEnd(offsetNs: 2, cause: $0, frames: 0, bytes: 0, sha256: nil) }, isLive: live,
      isComplete: complete, hasErrorFrame: error)
  }

  @Test func withoutAnEndACallIsOpenOrLostWhateverItSays() {
    #expect(state(nil, live: true, complete: true) == .open)
    #expect(state(nil, complete: true) == .lost)
    #expect(state(nil, status: 500, error: true) == .lost)
  }

  @Test(arguments: [
    (CallEnd.Cause.endOfBody, CallState.upstreamCut), (.upstreamClosed, .upstreamCut), (.clientClosed, .clientAbort),
    (.timeout, .timeout), (.archiveStopped, .upstreamCut), (.upstreamFailed, .upstreamError),
  ])
  func theCauseDecidesForAnIncompleteCall(cause: CallEnd.Cause, want: CallState) {
    #expect(state(cause) == want)
    // A call that was whole before is done, whoever left first.
    if cause != .upstreamFailed { #expect(state(cause, complete: true) == .done) }
    // An error frame, or a status that is an error, goes before all that.
    #expect(state(cause, error: true) == .upstreamError)
    #expect(state(cause, status: 429, complete: true) == .upstreamError)
  }

  @Test func noResponseIsAnErrorOfUpstreamsUnlessTheClientLeft() {
    #expect(state(.timeout, status: nil) == .upstreamError)
    #expect(state(.upstreamClosed, status: nil) == .upstreamError)
    #expect(state(.clientClosed, status: nil) == .clientAbort)
  }

  @Test func reportsCountErrorsApartFromAborts() {
    #expect(CallState.allCases.filter(\.isError) == [.upstreamCut, .upstreamError, .timeout, .lost])
  }

  @Test func headerNamesAreComparedWithoutCase() {
    let headers = [HeaderField("Content-Type", "a"), HeaderField("content-type", "b"), HeaderField("X-A", "")]
    #expect(headers.first("CONTENT-TYPE") == "a")
    #expect(headers.first("x-a") == "")
    #expect(headers.first("x-b") == nil)
  }
}
