/// Sets of names as bits, so that those of a million calls are united by a machine instruction each.
package struct NameBits: Sendable {
  private var names: [String] = []
  /// What all names share that came when every other bit was taken.
  private static let more = "more"

  package init() {}

  /// A bit for each of the names.
  package mutating func bits(_ names: some Sequence<String>) -> UInt64 { names.reduce(0) { $0 | bit($1) } }

  private mutating func bit(_ name: String) -> UInt64 {
    let name = names.count < 63 || names.contains(name) ? name : Self.more
    if let known = names.firstIndex(of: name) { return 1 << UInt64(known) }
    names.append(name)
    return 1 << UInt64(names.count - 1)
  }

  /// The names of a set, sorted.
  package func names(_ bits: UInt64) -> [String] {
    names.indices.filter { bits & (1 << UInt64($0)) != 0 }.map { names[$0] }.sorted()
  }
}
