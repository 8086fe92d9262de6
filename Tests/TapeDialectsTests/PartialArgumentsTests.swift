import TapeJSON
import Testing

@testable import TapeDialects

/// Arguments that come value by value, whatever their places look like.
@Suite struct PartialArgumentsTests {
  private func made(_ parts: String...) throws -> String {
    var arguments = PartialArguments()
    for part in parts {
      Array(part.utf8).withUnsafeBytes { bytes in
        arguments.add(JSONSlice(kind: .object, range: 0..<bytes.count), of: JSONCursor(bytes))
      }
    }
    return arguments.string(limit: .max)
  }

  @Test(arguments: [
    (#"$.a"#, #"{"a":1}"#), (#"$.a.b"#, #"{"a":{"b":1}}"#), (#"$.a[0].b"#, #"{"a":[{"b":1}]}"#),
    (#"$['a b'].c"#, #"{"a b":{"c":1}}"#), (#"$[\"a.b\"]"#, #"{"a.b":1}"#), (#"$.a[7]"#, #"{"a":[1]}"#),
    // What is no path is a name, and a place without a name has none.
    (#"$"#, #"{"$":1}"#), (#""#, #"{"":1}"#), (#"a b"#, #"{"a b":1}"#), (#"$.a["#, #"{"$.a[":1}"#),
    (#"$.."#, #"{"":{"":1}}"#), (#"$.ä\u0000"#, #"{"ä\u0000":1}"#),
  ])
  func aPathIsAPlace(path: String, want: String) throws {
    #expect(try made(#"{"jsonPath":"\#(path)","numberValue":1}"#) == want)
  }

  @Test func piecesOfATextAreJoinedAndOtherValuesReplaced() throws {
    #expect(
      try made(
        #"{"jsonPath":"$.a","stringValue":"x\ud83d","willContinue":true}"#, #"{"jsonPath":"$.b","boolValue":false}"#,
        #"{"jsonPath":"$.a","stringValue":"\ude00y","willContinue":true}"#, #"{"jsonPath":"$.a"}"#,
        #"{"jsonPath":"$.b","numberValue":-1.50e2}"#, #"{"jsonPath":"$.c","nullValue":"NULL_VALUE"}"#,
        #"{"numberValue":1}"#)
        == #"{"a":"x😀y","b":-1.50e2,"c":null}"#)
    #expect(try made() == "{}")
    // Two names that look the same are two.
    #expect(
      try made(#"{"jsonPath":"$.\u00e9","numberValue":1}"#, #"{"jsonPath":"$.e\u0301","numberValue":2}"#).utf8.count
        == 16)
  }

  @Test func noPathIsTooDeepOrTooManyForIt() throws {
    let deep = "$" + String(repeating: "[0]", count: 5_000)
    #expect(try made(#"{"jsonPath":"\#(deep)","numberValue":1}"#).hasPrefix("[[[["))
    var arguments = PartialArguments()
    for number in 0..<20_000 {
      Array(#"{"jsonPath":"$.k\#(number)","stringValue":"v"}"#.utf8).withUnsafeBytes { bytes in
        arguments.add(JSONSlice(kind: .object, range: 0..<bytes.count), of: JSONCursor(bytes))
      }
    }
    #expect(arguments.string(limit: .max).hasSuffix(#""k19999":"v"}"#))
    #expect(arguments.string(limit: 10).utf8.count == 10)
  }
}
