import TapeExport
import TapeJSON
import Testing

@Suite struct CSVLinesTests {
  private let csv = CSVLines(columns: ["a", "b.c", "b.d", "list"], whole: ["w"])

  private func line(_ json: String) throws -> String {
    String(decoding: csv.line(try JSONValue(parsing: json)), as: UTF8.self)
  }

  @Test func theHeaderNamesTheColumns() {
    #expect(csv.header == Array("a,b.c,b.d,list,w\r\n".utf8))
  }

  @Test(arguments: [
    (
      "{\"a\":\"x\",\"b\":{\"c\":1.50,\"d\":true},\"list\":[1,\"y\"],\"w\":{\"k\":[2]}}",
      "x,1.50,true,\"[1,\"\"y\"\"]\",\"{\"\"k\"\":[2]}\"\r\n"
    ),
    ("{\"b\":null,\"a\":null,\"list\":[]}", ",,,[],\r\n"),
    ("{\"a\":\"q\\\"r,s\\nt\\ru\"}", "\"q\"\"r,s\nt\ru\",,,,\r\n"),
    ("{\"a\":\"\\r\\n\",\"w\":\"plain\"}", "\"\r\n\",,,,plain\r\n"),
    ("{\"unknown\":1,\"b\":{\"e\":2}}", ",,,,\r\n"), ("{\"a\":\"数据 👋\"}", "数据 👋,,,,\r\n"),
  ]) func aRowIsWrittenAsRFC4180Says(json: String, wanted: String) throws {
    #expect(try line(json) == wanted)
  }
}
