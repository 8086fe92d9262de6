import Foundation
import TapeRedaction
import TapeTypes
import Testing

@testable import TapeConfiguration

@Suite struct ConfigurationTests {
  private func read(_ text: String) throws -> Configuration { try Configuration(Array(text.utf8), path: "c.toml") }

  @Test func everyKeyAndRuleIsRead() throws {
    let configuration = try read(
      """
      # what we run
      upstream = "https://api.orq.ai"   # with a comment
      'listen' = '127.0.0.1:0'
      seal = false
      durability = "strict"

      [[redact]]
      path = "messages[*].content"
      in = ["request"]

      [[redact]]
      name = "mail"
      pattern = '\\w+@\\w+\\.com'
      replace = "\\u00e9 \\"x\\""
      in = [
        "request",   # both
        "response",
      ]
      """)
    #expect(configuration.text("upstream") == "https://api.orq.ai")
    #expect(configuration.text("listen") == "127.0.0.1:0")
    #expect(configuration.text("seal") == "false")
    #expect(
      configuration.redactions == [
        RedactionRule(path: "messages[*].content", places: [.request]),
        RedactionRule(name: "mail", pattern: #"\w+@\w+\.com"#, replacement: "é \"x\""),
      ])
  }

  @Test(arguments: [
    ("upstram = \"x\"", "line 1, column 1", "did you mean upstream?"),
    ("seal = 1", "line 1, column 8", "true or false"),
    ("\n  keep = 90", "line 2, column 10", "a text in quotes"),
    ("durability = \"often\"", "line 1, column 14", "sync or strict"),
    ("ui = off", "line 1, column 6", "quotes"),
    ("ui = \"off", "line 1, column 10", "closing quote"),
    ("ui = \"off\" x", "line 1, column 12", "more behind"),
    ("ui = \"a\"\nui = \"b\"", "line 2, column 1", "twice"),
    ("a.b = 1", "line 1, column 2", "dotted"),
    ("[[redact]]\npth = \"x\"", "line 2, column 1", "did you mean path?"),
    ("[[redact]]\npath = \"a..b\"", "line 1, column 3", "no path"),
    ("[[redact]]\npattern = '('", "line 1, column 3", "no pattern"),
    ("[[redact]]\npath = \"a\"\nin = [\"both\"]", "line 3, column 7", "request"),
    ("[redact]\npath = \"a\"", "line 1, column 2", "two brackets"),
    ("ui = \"é\" x", "line 1, column 10", "more behind"),
    ("ui = {}", "line 1, column 6", "inline"),
    ("ui", "line 1, column 3", "="),
    ("ui = 1.5", "line 1, column 6", "whole"),
  ]) func whatIsWrongIsSaidWithItsPlace(text: String, place: String, hint: String) {
    let error = #expect(throws: TapeError.self) { try read(text) }
    #expect(error?.code == .usage)
    #expect(error?.description.contains("c.toml") == true)
    #expect(error?.description.contains(place) == true, "\(error?.description ?? "")")
    #expect(error?.description.contains(hint) == true, "\(error?.description ?? "")")
  }

  @Test func anyPrefixOfAFileIsReadOrRefused() throws {
    let text = Array("\u{FEFF}a = \"\"\"\nx\\\n  y\"\"\"\nb = [1, [true]]\n[[c]]\nd = 'x'\n[e]\nf = '''\n'''\n".utf8)
    for count in 0...text.count { _ = try? TOMLParser.parse(Array(text[..<count])) }
    let table = try TOMLParser.parse(text)
    #expect(table["a"]?.content == .string("xy"))
    #expect(table.entries.map(\.key) == ["a", "b", "c", "e"])
  }

  @Test func thePageListsEveryKey() throws {
    let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent()
    let page = try String(contentsOf: root.appendingPathComponent("schema/config.md"), encoding: .utf8)
    var listed: [String] = []
    for line in page.split(separator: "\n") where line.hasPrefix("| `") {
      listed.append(String(line.dropFirst(3).prefix { $0 != "`" }))
    }
    #expect(listed == Configuration.keys.map(\.name) + Route.keys + Configuration.ruleKeys)
  }

  @Test func theFileIsFoundInOrder() {
    #expect(
      Configuration.defaultPath(environment: ["XDG_CONFIG_HOME": "/c", "HOME": "/h"]) == "/c/tapedeck/config.toml")
    #expect(Configuration.defaultPath(environment: ["HOME": "/h"]) == "/h/.config/tapedeck/config.toml")
  }
}
