/// Puts the spans of a trace under their parents, whatever their ids say.
struct SpanTree {
  struct Span {
    var id: String?
    var parent: String?
    var startedNs: Int64
  }

  /// A line of the tree, in the order in which it is read: parents before children, those by their start.
  enum Node: Equatable {
    case span(index: Int, parent: Int?, depth: Int)
    /// A span that others name as their parent and that is no recorded call.
    case unrecorded(id: String)
  }

  let nodes: [Node]

  /// - Parameter spans: in the order of their start.
  init(_ spans: [Span]) {
    let parents = Self.parents(spans)
    var children = [[Int]](repeating: [], count: spans.count)
    var strangers: [String: [Int]] = [:]
    let known = Set(spans.compactMap { $0.id })
    for (index, parent) in parents.enumerated() {
      if let parent {
        children[parent].append(index)
      } else if let id = spans[index].parent, !known.contains(id) {
        strangers[id, default: []].append(index)
      }
    }
    var nodes: [Node] = []
    func add(_ root: Int) {
      var open = [(root, 0)]
      while let (index, depth) = open.popLast() {
        nodes.append(.span(index: index, parent: parents[index], depth: depth))
        open += children[index].reversed().map { ($0, depth + 1) }
      }
    }
    for index in spans.indices where parents[index] == nil {
      guard let id = spans[index].parent, let siblings = strangers[id] else {
        add(index)
        continue
      }
      guard siblings.first == index else { continue }
      nodes.append(.unrecorded(id: id))
      for sibling in siblings { add(sibling) }
    }
    self.nodes = nodes
  }

  /// For each span that of its parent. Of several with the parent's id the last that had started by then; none where
  /// the ids lead back to the span itself: there the one that started first is the root.
  private static func parents(_ spans: [Span]) -> [Int?] {
    var places: [String: [Int]] = [:]
    for (index, span) in spans.enumerated() {
      if let id = span.id { places[id, default: []].append(index) }
    }
    var parents = [Int?](repeating: nil, count: spans.count)
    for index in spans.indices.reversed() {
      guard let id = spans[index].parent, let candidates = places[id] else { continue }
      let others = candidates.filter { $0 != index }
      guard let parent = others.last(where: { $0 < index }) ?? others.first else { continue }
      var ancestor: Int? = parent
      while let next = ancestor, next != index { ancestor = parents[next] }
      if ancestor == nil { parents[index] = parent }
    }
    return parents
  }
}
