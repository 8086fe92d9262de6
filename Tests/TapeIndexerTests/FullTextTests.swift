import Testing

@testable import TapeCatalogue

@Suite struct FullTextTests {
  @Test(arguments: [
    ("refund policy", "refund policy"), ("Grüße, façade", "Grüße, façade"), ("数据", " 数  据 "),
    ("a数b", "a 数 b"), ("ひらカナ", " ひ  ら  カ  ナ "), ("데이터", " 데  이  터 "), ("ไทย", " ไ  ท  ย "),
    ("𠀀", " 𠀀 "), ("😀 x", "😀 x"),
  ])
  func charactersOfScriptsWithoutSpacesStandAlone(text: String, indexed: String) {
    #expect(Array(FullText.indexed(text).utf8) == Array(indexed.utf8))
  }

  @Test(arguments: [
    ("refund policy", "\"refund policy\""), ("say \"hi\"", "\"say \"\"hi\"\"\""), ("a AND b*", "\"a AND b\"*"),
    ("refund pol* ", "\"refund pol\"*"), ("数*", "\" 数 \"*"), ("a *", "\"a *\""), ("b* c", "\"b* c\""),
  ])
  func aPhraseIsQuoted(phrase: String, query: String) { #expect(FullText.query(phrase: phrase) == query) }

  @Test(arguments: ["", "   ", "***", "\"", "😀"])
  func aPhraseWithoutWordsHasNoQuery(phrase: String) { #expect(FullText.query(phrase: phrase) == nil) }
}
