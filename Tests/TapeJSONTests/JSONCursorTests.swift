import TapeJSON
import Testing

@Suite struct JSONCursorTests {
  @Test func membersAreHandedOutInOrderWithTheirPlaces() throws {
    let text = Array(#" {"a" : [1, {"x":"]"}], "b\u0063":"v\"w", "n":null , "t":true} "#.utf8)
    try text.withUnsafeBytes { bytes in
      var cursor = JSONCursor(bytes)
      let whole = cursor
      var seen: [String] = []
      try cursor.members { key, value in
        seen.append("\(whole.string(key))=\(String(decoding: whole.raw(value), as: UTF8.self))")
      }
      try cursor.expectEnd()
      #expect(seen == [#"a=[1, {"x":"]"}]"#, #"bc=v\"w"#, "n=null", "t=true"])
    }
  }

  @Test func keysMatchAlsoWhenTheyAreEscaped() throws {
    try Array(#"{"\u0069d":1,"id":2,"idx":3}"#.utf8).withUnsafeBytes { bytes in
      var cursor = JSONCursor(bytes)
      let whole = cursor
      var matches: [Bool] = []
      try cursor.members { key, _ in matches.append(whole.matches(key, "id")) }
      #expect(matches == [true, true, false])
    }
  }

  @Test func aStringIsScannedRightAtEveryLengthAndPlaceOfItsQuote() throws {
    // The scanner reads eight bytes at a time: try every offset, with bytes around the ones it stops at.
    for length in 0..<40 {
      for filler in ["a", "\u{7F}", "!", "é", "#", "]", "["] {
        let text = String(repeating: filler, count: length)
        let json = Array("[\"\(text)\",\"\(text)\\\"\"]".utf8)
        #expect(try JSONValue(parsing: json) == .array([.string(text), .string(text + "\"")]))
        #expect(throws: JSONError.self) { try JSONValue(parsing: Array("[\"\(text)\u{1F}\"]".utf8)) }
        #expect(throws: JSONError.self) { try JSONValue(parsing: Array("[\"\(text)".utf8)) }
      }
    }
  }

  @Test func everyCutOfATextIsRefusedAndNothingIsReadBehindIt() {
    let text = Array(#"{"a":[1.5e3,"x\u00e9\ud83d",{"b":null,"c":[true,false]}],"d":"é"}"#.utf8)
    for end in 0..<text.count {
      // A copy of its own, so that the address sanitizer sees a read behind it.
      let cut = Array(text[..<end])
      #expect(throws: JSONError.self) { try JSONValue(parsing: cut) }
    }
  }
}
