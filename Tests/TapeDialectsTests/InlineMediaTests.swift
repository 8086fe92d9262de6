import Crypto
import Foundation
import TapeDialects
import TapeJSON
import TapeTypes
import Testing

@Suite struct InlineMediaTests {
  private static let png: [UInt8] = [0x89, 0x50, 0x4E, 0x47] + [UInt8](repeating: 7, count: 1_234_996)
  private static var base64: String { Data(png).base64EncodedString() }
  private static var hash: String {
    SHA256.hash(data: png).prefix(6).map { String(format: "%02x", $0) }.joined()
  }

  @Test func aDataURIIsNamedByTypeSizeAndHash() {
    let placeholder = "[image/png 1.2 MB sha256 \(InlineMediaTests.hash)]"
    let uri = "data:image/png;base64,\(InlineMediaTests.base64)"
    #expect(withoutInlineMedia(uri) == placeholder)
    #expect(
      withoutInlineMedia("see ![x](\(uri)) and \(uri), please") == "see ![x](\(placeholder)) and \(placeholder), please"
    )
    #expect(withoutInlineMedia(.object([.init("a", [.string(uri)])])) == .object([.init("a", [.string(placeholder)])]))
  }

  @Test func namedBase64IsMediaWhateverItsSize() throws {
    let value = try json(
      #"{"file":{"file_data":"JVBERi0xLjQ=","filename":"a.pdf"},"input_audio":{"data":"AAAA","format":"mp3"},"source":{"type":"base64","media_type":"image/jpeg","data":"AAAA"},"b64_json":"iVBORw0KGgo="}"#
    )
    let text = withoutInlineMedia(value).compactString
    #expect(text.contains("[application/pdf 8 B sha256 ") && text.contains("[audio/mp3 3 B sha256 "))
    #expect(
      text.contains("[image/jpeg 3 B sha256 ") && text.contains("[image/png 8 B sha256 ") && text.contains("a.pdf"))
  }

  @Test func longBase64OfAFileIsMediaWithoutAName() {
    #expect(withoutInlineMedia(InlineMediaTests.base64) == "[image/png 1.2 MB sha256 \(InlineMediaTests.hash)]")
  }

  @Test(arguments: [
    "hello", "data: a, b", "the data:image/png thing", "data:", "data:,", "data:;base64,", "metadata:x/y and more",
    String(repeating: "x", count: 5_000), String(repeating: "QUJD", count: 500), "data:image/png;base64,",
  ])
  func wordsStayWords(text: String) { #expect(withoutInlineMedia(text) == text) }

  private static let noise = Data((0..<600).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ 1) }).base64EncodedString()

  @Test func mediaInJSONInATextAreFound() throws {
    let noise = InlineMediaTests.noise
    let image = withoutInlineMedia(#"{"b64_json": "\#(noise)"}"#)
    #expect(image.hasPrefix(#"{"b64_json":"[application/octet-stream 600 B sha256 "#))
    let (before, after) = ("so\n{\"n\": 1}\n", "\n\(noise.prefix(64))\n")
    let lines = withoutInlineMedia(before + #"{"type":"speech","audio":"\#(noise)"}"# + after)
    #expect(lines.hasPrefix(before + #"{"type":"speech","audio":"[audio 600 B sha256 "#))
    #expect(lines.hasSuffix("\"}" + after))
    #expect(inlineMedia(in: .string(#"{"b64_json":"\#(noise)"}"#)).map(\.bytes.count) == [600])
    let inner = JSONValue.string(#"{"b64_json":"\#(noise)"}"#).compactString
    #expect(withoutInlineMedia(#"{"arguments":\#(inner)}"#).contains("octet-stream 600 B"))
    let words =
      #"{"format": "csv", "data": "OK42", "audio": "alloy", "id": "4bf92f3577b34da6a3ce929d0e0e4736", "x": {"data": "\#(noise)"}}"#
    #expect(withoutInlineMedia(words) == words)
  }

  @Test func audioOfAnAnswerIsMediaAlsoInItsHistory() throws {
    let value = try json(
      #"{"delta":{"audio":{"id":"audio_1","data":"AAAA","expires_at":1}},"_history":[{"path":["choices","0","delta","audio","data"],"values":["AAAA","QUJD"]},{"path":["choices","0","delta","x"],"values":["AAAA"]}]}"#
    )
    let shown = withoutInlineMedia(value)
    #expect(shown["delta"]?["audio"]?["data"]?.string?.hasPrefix("[audio 3 B sha256 ") == true)
    #expect(shown["delta"]?["audio"]?["id"] == "audio_1")
    let histories = shown["_history"]?.array ?? []
    #expect(histories[0]["values"]?.array?.allSatisfy { $0.string?.hasPrefix("[audio 3 B sha256 ") == true } == true)
    #expect(histories[1]["values"] == ["AAAA"])
  }

  /// What is cut off is not a whole line of JSON any more.
  @Test func theBeginningOfAStreamThatNobodyKnowsHasNoMedia() throws {
    let data = Data((0..<9_000).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ 1) }).base64EncodedString()
    let recorded = call(Array("data: {\"b64_json\":\"\(data)\"}\n\n".utf8), path: "/v1/images/generations")
    var reconstructor = Reconstructor(open: recorded.open, head: recorded.head)
    recorded.raw.withUnsafeBytes { reconstructor.consume(frame: $0, offsetNs: nil) }
    let content = try #require(reconstructor.snapshot(textLimit: 4_096).choices.first?.content)
    #expect(content.hasPrefix("{\"b64_json\":\"[application/octet-stream 9.0 kB sha256 "))
    #expect(reconstructor.snapshot().choices.first?.content?.contains(data) == true)
  }

  @Test func otherDataURIsAreMediaToo() {
    #expect(withoutInlineMedia("data:text/plain,hello%20you").hasPrefix("[text/plain 9 B sha256 "))
    #expect(withoutInlineMedia("data:image/svg+xml;utf8,<svg/>").hasPrefix("[image/svg+xml 6 B sha256 "))
    #expect(withoutInlineMedia("data:;base64,QUJD").hasPrefix("[text/plain 3 B sha256 "))
  }

  @Test(arguments: [
    (1, "1 B"), (999, "999 B"), (1_000, "1.0 kB"), (1_250, "1.2 kB"), (12_500, "12 kB"), (9_999_999, "9.9 MB"),
  ])
  func sizesAreDecimal(bytes: Int, want: String) {
    let uri = "data:a/b;base64," + Data(repeating: 1, count: bytes).base64EncodedString()
    #expect(withoutInlineMedia(uri).hasPrefix("[a/b \(want) sha256 "))
  }
}
