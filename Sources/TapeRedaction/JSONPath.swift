package import TapeTypes

/// Which values of a JSON text: `messages[*].content`, `inputs.*`, `choices[0].message["a.b"]`.
package struct JSONPath: Sendable, Equatable {
  package enum Step: Sendable, Equatable {
    case member(String)
    case anyMember
    case element(Int)
    case anyElement
  }

  package private(set) var steps: [Step] = []

  /// - Throws: `TapeError(.usage)` that says where the text is no path.
  package init(parsing text: String) throws(TapeError) {
    let bytes = Array(text.utf8)
    var position = 0
    func wrong(_ what: String) -> TapeError {
      TapeError(.usage, "'\(text)' is no path: \(what) at character \(position + 1)")
    }
    // The root may be written too.
    if bytes.first == 0x24 {
      position = 1
      if bytes.count > 1, bytes[1] == 0x2E { position = 2 }
    }
    while position < bytes.count {
      if bytes[position] == 0x5B {
        guard let end = bytes[position...].firstIndex(of: 0x5D) else { throw wrong("[ without ]") }
        let inside = String(decoding: bytes[(position + 1)..<end], as: UTF8.self)
        if inside == "*" {
          steps.append(.anyElement)
        } else if let index = Int(inside), index >= 0 {
          steps.append(.element(index))
        } else if inside.utf8.count >= 2, let quote = inside.first, quote == "\"" || quote == "'", inside.last == quote
        {
          steps.append(.member(String(inside.dropFirst().dropLast())))
        } else {
          throw wrong("[\(inside)], where [*], [0] or [\"name\"] can be,")
        }
        position = end + 1
        if position < bytes.count, bytes[position] == 0x2E {
          position += 1
          guard position < bytes.count else { throw wrong("a name is missing") }
        }
        continue
      }
      let end = bytes[position...].firstIndex { $0 == 0x2E || $0 == 0x5B } ?? bytes.count
      let name = String(decoding: bytes[position..<end], as: UTF8.self)
      guard !name.isEmpty else { throw wrong("a name is missing") }
      steps.append(name == "*" ? .anyMember : .member(name))
      position = end
      if position < bytes.count, bytes[position] == 0x2E {
        position += 1
        guard position < bytes.count else { throw wrong("a name is missing") }
      }
    }
    guard !steps.isEmpty else { throw wrong("there is no step") }
  }
}
