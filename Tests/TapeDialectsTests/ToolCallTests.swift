import TapeDialects
import TapeJSON
import Testing

@Suite struct ToolCallTests {
  @Test func fragmentsJoinByIndexAlsoInterleaved() {
    let calls = tools([
      #"{"index":1,"id":"b","type":"function","function":{"name":"g","arguments":"{"}}"#,
      #"{"index":0,"id":"a","type":"function","function":{"name":"f","arguments":"["}}"#,
      #"{"index":1,"function":{"name":"","arguments":"}"}},{"index":0,"function":{"arguments":"]"}}"#,
    ])
    #expect(calls.map(\.index) == [0, 1])
    #expect(calls.map(\.id) == ["a", "b"])
    #expect(calls.map(\.name) == ["f", "g"])
    #expect(calls.map(\.arguments) == ["[]", "{}"])
    #expect(calls.map(\.type) == ["function", "function"])
  }

  @Test func fragmentsWithoutIndexJoinByIDWhereverTheyStand() {
    let calls = tools([
      #"{"id":"a","function":{"name":"f","arguments":"1"}}"#, #"{"id":"b","function":{"name":"g","arguments":"2"}}"#,
      #"{"id":"b","function":{"arguments":"3"}},{"id":"a","function":{"arguments":"4"}}"#,
    ])
    #expect(calls.map(\.id) == ["a", "b"])
    #expect(calls.map(\.arguments) == ["14", "23"])
  }

  @Test func fragmentsWithNeitherJoinByPosition() {
    let calls = tools([
      #"{"function":{"name":"f","arguments":"1"}},{"function":{"name":"g","arguments":"2"}}"#,
      #"{"function":{"arguments":"3"}},{"function":{"arguments":"4"}}"#,
    ])
    #expect(calls.map(\.name) == ["f", "g"])
    #expect(calls.map(\.arguments) == ["13", "24"])
    #expect(calls.map(\.index) == [0, 1])
  }

  @Test func anIDThatComesLateIsTakenOver() {
    let calls = tools([#"{"function":{"name":"f"}}"#, #"{"id":"a","function":{"arguments":"{}"}}"#])
    #expect(calls.count == 1)
    #expect(calls[0].id == "a" && calls[0].name == "f" && calls[0].arguments == "{}")
  }

  @Test func emptyNamesAndIDsDoNotOverwrite() {
    let calls = tools([
      #"{"index":0,"id":"a","function":{"name":"f","arguments":""}}"#,
      #"{"index":0,"id":"","function":{"name":"","arguments":"x"}}"#,
      #"{"index":0,"id":null,"function":{"name":null}}"#,
    ])
    #expect(calls.map(\.id) == ["a"])
    #expect(calls.map(\.name) == ["f"])
  }

  @Test func argumentsStayRaw() {
    #expect(
      tools([#"{"index":0,"function":{"name":"f","arguments":"{\"a\": nonsense\n"}}"#])[0].arguments
        == "{\"a\": nonsense\n")
    #expect(tools([#"{"index":0,"function":{"name":"f","arguments":{"a": 1}}}"#])[0].arguments == #"{"a": 1}"#)
  }

  @Test func thoughtSignaturesAreKept() {
    let calls = tools([
      #"{"index":0,"thought_signature":"s1","function":{"name":"f"}}"#,
      #"{"index":1,"function":{"name":"g","thought_signature":"s2"}}"#,
    ])
    #expect(calls.map(\.thoughtSignature) == ["s1", "s2"])
  }

  /// As adapters of Gemini's API send them.
  @Test func callsThatShareAnIndexAreToldByTheirIDs() {
    let calls = tools([
      #"{"index":0,"id":"a","function":{"name":"f","arguments":"1"}}"#,
      #"{"index":0,"id":"b","function":{"name":"f","arguments":"2"}}"#,
      #"{"index":1,"id":"c","function":{"name":"g","arguments":"3"}}"#,
      #"{"index":0,"id":"a","function":{"arguments":"4"}}"#, #"{"index":0,"function":{"arguments":"5"}}"#,
      #"{"id":"d","function":{"name":"h"}}"#,
    ])
    #expect(calls.map(\.index) == [0, 1, 2, 3])
    #expect(calls.map(\.id) == ["a", "b", "c", "d"])
    #expect(calls.map(\.arguments) == ["14", "25", "3", ""])
  }

  @Test(arguments: [9_223_372_036_854_775_807, 7]) func aSharedIndexMayBeAnyNumber(index: Int) {
    let calls = tools(["a", "b"].map { #"{"index":\#(index),"id":"\#($0)","function":{"name":"f"}}"# })
    #expect(Set(calls.map(\.id)) == ["a", "b"] && Set(calls.map(\.index)).count == 2)
  }

  @Test(arguments: [
    // An id of its own for each piece.
    #"{"index":0,"id":"b","function":{"arguments":"2"}}"#,
    #"{"index":0,"id":"b","function":{"name":"","arguments":"2"}}"#,
    #"{"index":0,"id":"a","function":{"name":"f","arguments":"2"}}"#,
    #"{"index":0,"id":"","function":{"name":"f","arguments":"2"}}"#,
  ])
  func piecesOfOneCallStayOne(piece: String) {
    let calls = tools([#"{"index":0,"id":"a","function":{"name":"f","arguments":"1"}}"#, piece])
    #expect(calls.map(\.arguments) == ["12"])
  }

  private func tools(_ fragments: [String]) -> [ToolCall] {
    let messages = fragments.map { "\"type\":\"tool_calls\",\"tool_calls\":[\($0)]" }
    return generation(sse: stream(messages: messages)).choices.first?.toolCalls ?? []
  }
}
