import Foundation
import Testing

@testable import TapeCatalogue

@Suite struct PhraseFinderTests {
  /// The text with its matches in brackets.
  private func marked(_ phrase: String, _ text: String) throws -> String {
    var out = ""
    var position = text.startIndex
    for range in try PhraseFinder(phrase).ranges(in: text) {
      out += "\(text[position..<range.lowerBound])[\(text[range])]"
      position = range.upperBound
    }
    return out + text[position...]
  }

  @Test(arguments: [
    ("refund policy", "Our Refund\n policy, and a refundpolicy.", "Our [Refund\n policy], and a refundpolicy."),
    ("refund", "refund refunds Refund", "[refund] refunds [Refund]"),
    ("refun*", "refund refunds a fund", "[refund] [refunds] a fund"),
    ("a ref*", "a refund, a funds", "[a refund], a funds"),
    ("policy refund", "refund policy", "refund policy"),
    ("facade", "Une façade.", "Une [façade]."), ("grüße", "GRUSSE Grüße gruße", "GRUSSE [Grüße] [gruße]"),
    ("e", "e\u{301} é ê x", "[e\u{301}] [é] [ê] x"),
    ("数据", "大数据处理 数 据 数x据", "大[数据]处理 [数 据] 数x据"), ("数据 ok", "数据ok数据 ok", "[数据ok][数据 ok]"),
    ("数", "a 数 b数c", "a [数] b[数]c"), ("ไทย", "ภาษาไทยดี", "ภาษา[ไทย]ดี"), ("데이터", "데이터를", "[데이터]를"),
    ("привет", "Скажи ПРИВЕТ!", "Скажи [ПРИВЕТ]!"), ("مرحبا", "قل مرحبا لي", "قل [مرحبا] لي"),
    ("b", "a\u{1}b\u{2}c\u{0}b", "a\u{1}[b]\u{2}c\u{0}[b]"), ("數", "数", "数"), ("x", "", ""),
    ("**", "a **b** ***", "a [**]b[**] [**]*"), ("😀", "x😀y", "x[😀]y"),
  ])
  func matchesAreThoseOfTheFullText(phrase: String, text: String, want: String) throws {
    #expect(try marked(phrase, text) == want)
  }

  @Test func wordsAreToldAsTheCatalogueTellsThem() throws {
    let url = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../schema/catalogue.sql")
    #expect(try String(contentsOf: url, encoding: .utf8).contains("tokenize = \"\(FullText.tokenizer)\""))
  }
}
