import Testing

@testable import TapeQuery

@Suite struct SpanTreeTests {
  /// Spans as `id<parent`, each a second behind the one before; `-` is unknown.
  private func tree(_ spans: String) -> String {
    let spans = spans.split(separator: " ").enumerated().map { number, text in
      let parts = text.split(separator: "<").map { $0 == "-" ? nil : String($0) }
      return SpanTree.Span(id: parts[0], parent: parts.count > 1 ? parts[1] : nil, startedNs: Int64(number))
    }
    return SpanTree(spans).nodes.map { node in
      switch node {
      case .unrecorded(let id): "(\(id))"
      case .span(let index, let parent, let depth):
        String(repeating: ".", count: depth) + "\(index)" + (parent.map { "<\($0)" } ?? "")
      }
    }.joined(separator: " ")
  }

  @Test(arguments: [
    ("a", "0"), ("-", "0"), ("a b<a c<b d<a", "0 .1<0 ..2<1 .3<0"), ("a b", "0 1"),
    // A child that started first, by the clocks.
    ("b<a a", "1 .0<1"),
    // Parents that are not recorded stand above their children, all of them together.
    ("a<x b<y c<x d<a", "(x) 0 .3<0 2 (y) 1"),
    // Ids that lead back to where they came from.
    ("a<a", "0"), ("a<b b<a", "0 .1<0"), ("a<c b<a c<b", "0 .1<0 ..2<1"), ("a<a b<a", "0 .1<0"),
    // One id twice: the last that had started is the parent.
    ("a a b<a", "0 1 .2<1"), ("a b<a a", "0 .1<0 2"), ("b<a a a", "1 .0<1 2"), ("a a<a", "0 .1<0"),
  ])
  func spansStandUnderTheirParents(spans: String, expected: String) {
    #expect(tree(spans) == expected)
  }

  @Test func deepAndWideTreesAreNoProblem() {
    let deep = (0..<3_000).map { "s\($0)" + ($0 > 0 ? "<s\($0 - 1)" : "") }.joined(separator: " ")
    #expect(tree(deep).hasSuffix("2999<2998"))
    let wide = "r " + (0..<3_000).map { "s\($0)<r" }.joined(separator: " ")
    #expect(tree(wide).hasSuffix(".3000<0"))
  }
}
