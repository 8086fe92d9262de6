import TapeJSON

/// Arguments of one of Gemini's function calls that came value by value, each with its place among them.
///
/// Source: <https://docs.cloud.google.com/vertex-ai/generative-ai/docs/multimodal/function-calling#streaming-fc>.
struct PartialArguments: Sendable, Equatable {
  private enum Step: Sendable, Equatable {
    case key(String)
    /// An element; as many as came, whatever numbers they have.
    case index(String)
  }

  private enum Value: Sendable, Equatable {
    case text(WTF8Text)
    case json([UInt8])
  }

  private struct Leaf: Sendable, Equatable {
    var steps: [Step]
    var value: Value
  }

  private var leaves: [Leaf] = []
  private var places: [String: Int] = [:]
  /// Bytes of all pieces of texts.
  private(set) var count = 0

  /// One of `partialArgs`: a value, or a further piece of a text.
  mutating func add(_ part: JSONSlice, of cursor: JSONCursor) {
    guard let slice = cursor.text("jsonPath", of: part) else { return }
    let path = cursor.string(slice)
    let place = places[path] ?? leaves.count
    if place == leaves.count {
      places[path] = place
      leaves.append(Leaf(steps: Self.steps(path), value: .json([])))
    }
    if let text = cursor.text("stringValue", of: part) {
      var whole = WTF8Text()
      if case .text(let before) = leaves[place].value { whole = before }
      // Nobody else holds it while it grows.
      leaves[place].value = .json([])
      whole.append(text, of: cursor)
      count += text.range.count
      leaves[place].value = .text(whole)
    } else if let value = cursor.member("numberValue", of: part) ?? cursor.member("boolValue", of: part) {
      leaves[place].value = .json(Array(cursor.json(value)))
    } else if case .json(let before) = leaves[place].value, before.isEmpty {
      leaves[place].value = .json(Array("null".utf8))
    }
  }

  /// All of them as the object that they would have been, or no more than so many bytes of it.
  func string(limit: Int) -> String {
    let root = Node()
    for leaf in leaves {
      let node = leaf.steps.prefix(JSONValue.maximumDepth - 2).reduce(root) { $0.child($1) }
      switch leaf.value {
      case .text(let text): node.value = .string(text.string)
      case .json(let bytes): node.value = (try? JSONValue(parsing: bytes)) ?? .null
      }
    }
    return String(decoding: root.json.compact.prefix(limit), as: UTF8.self)
  }

  /// `$.a.b[0]` and `$['a']`; what is no such path is a name.
  private static func steps(_ path: String) -> [Step] {
    var rest = path.utf8.first == 0x24 ? path.utf8.dropFirst() : path.utf8[...]
    var steps: [Step] = []
    while let first = rest.first {
      if first == 0x2E {
        let name = rest.dropFirst().prefix { $0 != 0x2E && $0 != 0x5B }
        steps.append(.key(String(Substring(name))))
        rest = rest[name.endIndex...]
      } else if first == 0x5B, let end = rest.firstIndex(of: 0x5D) {
        let inside = rest[rest.index(after: rest.startIndex)..<end]
        let quote = inside.first == 0x27 || inside.first == 0x22 ? inside.first : nil
        let name = quote == nil || inside.last != quote || inside.count < 2 ? inside : inside.dropFirst().dropLast()
        steps.append(quote == nil ? .index(String(Substring(name))) : .key(String(Substring(name))))
        rest = rest[rest.index(after: end)...]
      } else {
        return [.key(path)]
      }
    }
    return steps.isEmpty ? [.key(path)] : steps
  }

  /// A value that is being put together.
  private final class Node {
    var value: JSONValue?
    private var children: [(step: Step, node: Node)] = []

    func child(_ step: Step) -> Node {
      if let known = children.last(where: { $0.step == step }) { return known.node }
      children.append((step, Node()))
      return children[children.count - 1].node
    }

    var json: JSONValue {
      guard let first = children.first?.step else { return value ?? .object([]) }
      if case .index = first { return .array(children.map { $0.node.json }) }
      return .object(
        children.map { child in
          switch child.step {
          case .key(let name), .index(let name): .init(name, child.node.json)
          }
        })
    }
  }
}
