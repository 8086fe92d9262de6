import CCurl
import Glibc
import TapeRecorder
import Testing

struct UpstreamFailureTests {
  @Test(arguments: [
    (EMFILE, CURLE_COULDNT_CONNECT, "as many files open as it may (ulimit -n)"),
    (EMFILE, CURLE_COULDNT_RESOLVE_HOST, "as many files open as it may (ulimit -n)"),
    (ENFILE, CURLE_COULDNT_CONNECT, "no file descriptors left"),
    (ECONNREFUSED, CURLE_COULDNT_CONNECT, "refused the connection"),
  ])
  func theSentenceNamesTheCause(_ error: CInt, _ code: CURLcode, _ words: String) {
    let failure = UpstreamFailure(
      code: code, message: "", systemError: error, origin: "http://h", options: RecorderOptions())
    #expect(failure.sentence.contains(words))
    #expect(failure.sentence.contains("http://h"))
  }
}
