import TapeJSON
import Testing

@testable import TapeQuery

@Suite struct TextDiffTests {
  private func marked(_ a: String, _ b: String) -> String {
    TextDiff(a, b).parts.map { part in
      switch part.operation {
      case .same: part.text
      case .removed: "[-\(part.text)-]"
      case .added: "{+\(part.text)+}"
      }
    }.joined()
  }

  @Test(arguments: [
    ("", "", ""), ("one two", "one two", "one two"), ("", "new", "{+new+}"), ("gone", "", "[-gone-]"),
    ("the quick fox", "the slow fox", "the [-quick-]{+slow+} fox"),
    // Changes beside each other are one.
    ("a quick brown fox", "a slow red fox", "a [-quick brown-]{+slow red+} fox"),
    ("one\ntwo", "uno\ndos", "[-one-]{+uno+}\n[-two-]{+dos+}"),
    // A word is not cut, nor is a number.
    ("I don't know", "I didn't know", "I [-don't-]{+didn't+} know"), ("3.14 m", "3.15 m", "[-3.14-]{+3.15+} m"),
    ("Yes.", "Yes!", "Yes[-.-]{+!+}"),
    // Chinese and Thai have no spaces: characters are words. Korean has.
    ("四月的天气很好", "五月的天气很好", "[-四-]{+五+}月的天气很好"), ("สวัสดี", "สวัสดิ", "สวัส[-ดี-]{+ดิ+}"),
    ("오늘 날씨", "내일 날씨", "[-오늘-]{+내일+} 날씨"), ("今日はhello", "今日はworld", "今日は[-hello-]{+world+}"),
    ("👩‍👩‍👧 and 👋🏽", "👩‍👩‍👦 and 👋🏽", "[-👩‍👩‍👧-]{+👩‍👩‍👦+} and 👋🏽"),
    // Other bytes are another word, also where they look the same.
    ("caf\u{E9}", "cafe\u{301}", "[-caf\u{E9}-]{+cafe\u{301}+}"), ("a\r\nb", "a\nb", "a[-\r\n-]{+\n+}b"),
  ])
  func wordsThatChangedAreMarked(a: String, b: String, expected: String) {
    #expect(marked(a, b).utf8.elementsEqual(expected.utf8), "\(marked(a, b))")
  }

  @Test func partsJoinedAreTheTexts() {
    var generator = SplitMix(seed: 3)
    let words = [
      "a", "the", " ", "  ", "\n", "数", "据", "é", "e\u{301}", "👋🏽", ",", ".", "1.5", "\u{200D}", "\u{1B}[31m",
    ]
    for _ in 0..<500 {
      let texts = (0..<2).map { _ in
        (0..<Int.random(in: 0...20, using: &generator)).map { _ in words.randomElement(using: &generator) ?? "" }
          .joined()
      }
      let diff = TextDiff(texts[0], texts[1])
      let old = diff.parts.filter { $0.operation != .added }.map(\.text).joined()
      let new = diff.parts.filter { $0.operation != .removed }.map(\.text).joined()
      #expect(old.utf8.elementsEqual(texts[0].utf8) && new.utf8.elementsEqual(texts[1].utf8))
      #expect(diff.isSame == texts[0].utf8.elementsEqual(texts[1].utf8))
      #expect(TextDiff(diff.json) == diff)
    }
  }

  @Test func wordsAreCountedWithoutSpacesAndMarks() {
    let diff = TextDiff("Well, one two.", "Well, one three four.")
    #expect(diff.wordsSame == 2 && diff.wordsRemoved == 1 && diff.wordsAdded == 2 && !diff.isCoarse)
  }

  @Test func hugeTextsAreComparedWithinTheBound() {
    let a = (0..<60_000).map { "word\($0 &* 7919 % 60_000)" }.joined(separator: " ")
    let b = (0..<60_000).map { "word\($0 &* 104_729 % 60_000)" }.joined(separator: " ")
    let diff = TextDiff(a, b)
    #expect(diff.isCoarse)
    #expect(diff.parts.filter { $0.operation != .added }.map(\.text).joined() == a)
  }
}
