import Mustache
import TapeJSON
import TapeQuery
import Testing

@testable import TapeWeb

@Suite struct HTMLTests {
  @Test(arguments: [
    (
      "<script>alert('x')</script> & \"more\"", "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt; &amp; &quot;more&quot;"
    ),
    // A quote with an accent is one character to Swift, and a quote to a browser.
    ("a\"\u{301} onclick=b", "a&quot;\u{301} onclick=b"), ("<\u{301}b>", "&lt;\u{301}b&gt;"),
    ("\u{1B}[31mred\u{7}", "\\u{1b}[31mred\\u{7}"), ("\u{202E}evil", "\\u{202e}evil"), ("a\nb", "a\\nb"),
  ])
  func recordedTextIsShownAndNotObeyed(text: String, html: String) {
    #expect(Array(HTML(escaping: text).text.utf8) == Array(html.utf8))
  }

  @Test func linesStayWhereTheyAreWanted() {
    #expect(HTML(escaping: "a\n\tb\r", keepingLines: true).text == "a\n\tb\\r")
  }

  /// The escaping of the template library goes by characters: `{{x}}` would let a quote with an accent by.
  @Test(arguments: Templates.sources.map(\.name))
  func aTemplateTakesValuesThatAreEscapedAlready(name: String) throws {
    let source = try #require(Templates.sources.first { $0.name == name })
    let text = String(decoding: source.bytes, as: UTF8.self)
    #expect(Templates.library.getTemplate(named: name) != nil)
    #expect(text.firstMatch(of: #/(^|[^{])\{\{[^{#^/>!]/#) == nil)
    // Nothing that the policy would refuse.
    #expect(text.firstMatch(of: #/ style=| on[a-z]+="|<style|<script>|(src|href)="https?:/#) == nil)
  }
}

@Suite struct MarkdownTests {
  @Test(arguments: [
    ("Hi **bold** and *soft*", "<p>Hi <strong>bold</strong> and <em>soft</em></p>"),
    ("# Title\ntext", "<h3>Title</h3><p>text</p>"),
    ("a_b_c and 2*3*4", "<p>a_b_c and 2<em>3</em>4</p>"), ("* not closed **", "<ul><li>not closed **</li></ul>"),
    ("- one\n- two\n  more", "<ul><li>one</li><li><p>two<br>more</p></li></ul>"),
    ("1. one\n2. two", "<ol><li>one</li><li>two</li></ol>"),
    ("```swift\nlet a = \"<b>\"\n```", "<pre tabindex=\"0\"><code>let a = &quot;&lt;b&gt;&quot;</code></pre>"),
    ("`<b>`", "<p><code>&lt;b&gt;</code></p>"), ("> quoted", "<blockquote><p>quoted</p></blockquote>"),
    (
      "[x](https://a.example/?b=\"c)",
      "<p><a href=\"https://a.example/?b=&quot;c\" rel=\"noopener noreferrer nofollow\" target=\"_blank\">x</a></p>"
    ),
    ("[x](javascript:alert(1))", "<p>[x](javascript:alert(1))</p>"),
    ("[x](data:text/html,<script>)", "<p>[x](data:text/html,&lt;script&gt;)</p>"),
    ("<img src=x onerror=alert(1)>", "<p>&lt;img src=x onerror=alert(1)&gt;</p>"),
    ("a\r\nb", "<p>a<br>b</p>"), ("\u{202E}abc", "<p>\\u{202e}abc</p>"),
    (
      "| a | b |\n|---|--:|\n| 1 | 2 |",
      "<div tabindex=\"0\" role=\"group\" aria-label=\"Table\" class=\"scroll\"><table><thead><tr><th>a</th><th class=\"num\">b</th></tr></thead><tbody><tr><td>1</td><td class=\"num\">2</td></tr></tbody></table></div>"
    ),
  ])
  func whatModelsWriteBecomesMarkup(text: String, html: String) {
    #expect(Markdown.html(text).text == "<div class=\"md\">\(html)</div>")
  }

  /// Whatever is in it, each tag that comes out is one of ours, and all are closed.
  @Test func anyTextGivesMarkupThatIsWhole() {
    var seed: UInt64 = 7
    let pieces = [
      "*", "**", "_", "`", "```", "\n", "\n\n", "> ", "- ", "1. ", "[", "](", ")", "https://a.b", "|", "|-", "<b>",
      "\"", "  ", "x", "~~", "\\", "# ", "!",
    ]
    for _ in 0..<2_000 {
      var text = ""
      for _ in 0..<24 {
        seed = seed &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        text += pieces[Int(seed >> 33) % pieces.count]
      }
      var open: [Substring] = []
      for tag in Markdown.html(text).text.matches(of: #/<(\/?)([a-z0-9]+)([^<>]*)>/#) {
        if ["br", "hr"].contains(tag.2) { continue }
        if tag.1.isEmpty { open.append(tag.2) } else { #expect(open.popLast() == tag.2, "\(text.debugDescription)") }
      }
      #expect(open.isEmpty, "\(text.debugDescription)")
    }
  }
}

@Suite struct ShowTests {
  @Test(arguments: [
    ("0.0000774", "$0.0000774"), ("0", "$0"), ("12.345", "$12.35"), ("1234567.5", "$1,234,567.50"),
    ("0.000123456", "$0.0001235"), ("-0.5", "−$0.5"), ("0.99999", "$1.00"),
  ])
  func moneyReadsShort(amount: String, shown: String) { #expect(Show.usd(.string(amount)) == shown) }

  @Test(arguments: [
    (0.04, "0.0 ms"), (8.25, "8.3 ms"), (420, "420 ms"), (1_240, "1.24 s"), (12_400, "12.4 s"), (125_000, "2 min 5 s"),
    (7_260_000, "2 h 1 min"),
  ])
  func timeReadsShort(ms: Double, shown: String) { #expect(Show.duration(ms) == shown) }

  @Test func figuresAreGrouped() {
    #expect(Show.count(1_234_567) == "1,234,567")
    #expect(Show.bytes(999) == "999 B")
    #expect(Show.bytes(1_250_000) == "1.3 MB")
    #expect(Show.share(1, of: 3) == "33%")
  }
}

@Suite struct QueryItemsTests {
  @Test func itemsAreDecodedAndEncodedAgain() throws {
    let items = try QueryItems("text=a+b%26c&meta=k%3Dv&state=")
    #expect(items.items.map(\.value) == ["a b&c", "k=v", ""])
    #expect(items.filled.text == "text=a%20b%26c&meta=k%3Dv")
  }

  @Test(arguments: ["a=%zz", "a=%", "a=%ff", "a=%00"])
  func whatIsNoTextIsRefused(query: String) { #expect(throws: WebError.self) { try QueryItems(query) } }

  @Test(arguments: [
    ("state=lots", "state"), ("from=nowhere", "from"), ("min-duration=x", "min-duration"), ("meta=x", "meta"),
    ("tz=Mars/Base", "tz"), ("where=DROP", "where"), ("mock=perhaps", "mock"), ("state=done&state=open", "state"),
    ("from=2026-02-01&to=2026-01-01", "from"), ("text=+", "text"),
  ])
  func aFilterThatMakesNoSenseIsNamed(query: String, field: String) throws {
    let items = try QueryItems(query)
    #expect { try items.filter() } throws: { ($0 as? WebError)?.field == field }
  }

  @Test func anUnknownParameterGetsTheNearest() throws {
    #expect { try QueryItems("modle=x").check(known: QueryItems.filterNames) } throws: {
      ($0 as? WebError)?.message == "there is no parameter 'modle'; did you mean model?"
    }
  }
}
