import TapeJSON
import Testing

@testable import TapeWeb

@Suite struct CallsPageTests {
  @Test func recordedTextIsEscaped() {
    let page = CallsPage(rows: [["call_id": "01", "text": "<script>alert('x')</script> & \"more\""]])
    #expect(!page.html.contains("<script>"))
    #expect(page.html.contains("&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt; &amp; &quot;more&quot;"))
  }

  @Test func aNoticeIsEscapedToo() {
    #expect(CallsPage(rows: [], notice: "<b>").html.contains("<p>&lt;b&gt;</p>"))
  }

  @Test(arguments: [
    (nil, true), ("localhost:8485", true), ("127.0.0.1:1", true), ("192.168.1.2", true), ("[::1]:8485", true),
    ("LOCALHOST", true), ("evil.example:8485", false), ("127.0.0.1.evil.example", false), ("", false),
    ("1.2.3.256", false),
  ])
  func onlyLocalhostAndAddressesAreAnswered(authority: String?, isAnswered: Bool) {
    #expect(LocalAuthority.isLocal(authority) == isAnswered)
  }
}
