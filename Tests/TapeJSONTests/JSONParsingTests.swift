import TapeJSON
import Testing

@Suite struct JSONParsingTests {
  @Test(arguments: [
    "null", "true", "false", "0", "-0.0", "1e400", "123456789012345678901234567890", "\"\"", "[]", "{}",
    "[1,[2,{\"a\":[]}],null]", "{\"a\":1,\"a\":2,\"b\":{\"c\":\"d\"}}", "\"\\\"\\\\\\n\\r\\t\\u0001\"", "\"数据 😀\"",
  ])
  func whatIsReadIsWrittenAgainAsItWas(text: String) throws {
    #expect(try JSONValue(parsing: text).compactString == text)
  }

  @Test(arguments: [
    "", " ", "nul", "nulll", "tru", "+1", "01", "1.", ".5", "1e", "1e+", "-", "\"", "\"a", "\"\\x\"", "\"\\u12\"",
    "\"\\u12g4\"",
    "[", "[1", "[1,", "[1,]", "[,]", "{", "{\"a\"", "{\"a\":", "{\"a\":1", "{\"a\":1,}", "{a:1}", "{1:1}", "1 2",
    "[1]]", "\"\n\"",
    "\"\t\"", "'a'", "NaN", "\u{FEFF}1", "[1 2]", "{\"a\" 1}", "{\"a\":1 \"b\":2}",
  ])
  func whatIsNotJSONIsRefusedByTreeAndCursor(text: String) {
    #expect(throws: JSONError.self) { try JSONValue(parsing: text) }
    #expect(throws: JSONError.self) {
      try Array(text.utf8).withUnsafeBytes { bytes in
        var cursor = JSONCursor(bytes)
        _ = try cursor.document()
      }
    }
  }

  @Test(arguments: [
    (#""a\ud83d\ude00b""#, "a😀b"), (#""a\ud83db""#, "a\u{FFFD}b"), (#""\ude00\ud83d""#, "\u{FFFD}\u{FFFD}"),
    (#""\ud83d\ud83d\ude00""#, "\u{FFFD}😀"), (#""\u0041\/\b\f""#, "A/\u{8}\u{C}"),
    (#""\u00e9\u6570\u0000""#, "é数\u{0}"),
  ])
  func escapesAreReadAndLoneSurrogatesReplaced(text: String, want: String) throws {
    let got = try JSONValue(parsing: text).string
    #expect(got.map { Array($0.utf8) } == Array(want.utf8))
  }

  @Test func invalidUTF8BecomesReplacementCharacters() throws {
    let value = try JSONValue(parsing: [0x22, 0x61, 0xC0, 0xAF, 0x5C, 0x6E, 0xE2, 0x82, 0x22])
    #expect(value.string == "a\u{FFFD}\u{FFFD}\n\u{FFFD}")
  }

  @Test func theLastDuplicateKeyCounts() throws {
    let value = try JSONValue(parsing: #"{"a":1,"b":0,"a":2}"#)
    #expect(value["a"]?.integer == 2)
    #expect(value.members?.count == 3)
  }

  @Test(arguments: [(512, true), (513, false), (100_000, false)])
  func nestingIsBounded(depth: Int, isRead: Bool) {
    let text = String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
    #expect(((try? JSONValue(parsing: text)) != nil) == isRead)
    let objects = String(repeating: "{\"a\":", count: depth) + "1" + String(repeating: "}", count: depth)
    #expect(((try? JSONValue(parsing: objects)) != nil) == isRead)
    let isChecked = Array(objects.utf8).withUnsafeBytes { bytes in
      var cursor = JSONCursor(bytes)
      return (try? cursor.document()) != nil
    }
    #expect(isChecked == isRead)
  }

  @Test(arguments: [
    ("10", 10), ("10.0", 10), ("3e0", 3), ("1.5e1", 15), ("100e-2", 1), ("-7", -7), ("0", 0), ("-0", 0),
    ("0.0e99999", 0),
    ("9223372036854775807", Int.max), ("-9223372036854775808", Int.min), ("9223372036854775808", nil), ("1.5", nil),
    ("1e400", nil), ("1e-1", nil), ("1e99999999999999999999", nil), ("123456789012345678", 123_456_789_012_345_678),
  ])
  func integersAreExactOrNil(text: String, want: Int?) throws {
    #expect(try JSONValue(parsing: text).integer == want)
    Array(text.utf8).withUnsafeBytes { bytes in
      var cursor = JSONCursor(bytes)
      let slice = try? cursor.document()
      #expect(slice.flatMap { cursor.integer($0) } == want)
    }
  }

  @Test func prettyJSONReadsAsTheSameValue() throws {
    let value = try JSONValue(parsing: #"{"a":[1,{"b":[]},{}],"c":"x\ny"}"#)
    #expect(try JSONValue(parsing: value.pretty) == value)
    #expect(String(decoding: value.pretty, as: UTF8.self).contains("\n  \"a\": [\n    1,"))
  }
}
