import TapeQuery
import Testing

@testable import TapeWeb

@Suite struct KeptPagesTests {
  private func key(_ query: String, from: Int64? = nil) -> KeptPages.Key {
    var filter = CallFilter()
    filter.from = from
    return KeptPages.Key(path: "/usage", query: query, filter: filter)
  }

  @Test func aPageIsThatOfItsQuestionAndItsCatalogue() {
    var pages = KeptPages()
    pages.keep(HTML("a"), for: key("age=all"), at: "1")
    #expect(pages.page(key("age=all"), at: "1")?.text == "a")
    #expect(pages.page(key("age=7d"), at: "1") == nil)
    #expect(pages.page(key("age=all", from: 5), at: "1") == nil)
    #expect(pages.page(key("age=all"), at: "2") == nil)
    pages.keep(HTML("b"), for: key("age=7d"), at: "2")
    #expect(pages.page(key("age=all"), at: "2") == nil)
    #expect(pages.page(key("age=7d"), at: "2")?.text == "b")
  }

  @Test func thereAreNeverMany() {
    var pages = KeptPages()
    for number in 0..<1_000 { pages.keep(HTML("\(number)"), for: key("\(number)"), at: "1") }
    #expect((0..<1_000).count { pages.page(key("\($0)"), at: "1") != nil } == 32)
    #expect(pages.page(key("999"), at: "1")?.text == "999")
  }
}
