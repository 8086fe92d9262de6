/// Where the calls of a file stand in the store's tree.
package struct TreePlace: Equatable, Sendable {
  /// The number of the first one; numbers count from 0 over all calls in the order of their sealing.
  package var firstLeaf: Int
  /// The tree of all calls before; nil where the file does not say it.
  package var before: CompactTree?

  package init(firstLeaf: Int, before: CompactTree? = nil) {
    self.firstLeaf = firstLeaf
    self.before = before
  }

  package init(after tree: CompactTree) { self.init(firstLeaf: tree.size, before: tree) }

  /// `# tree <first> <count>` and the peaks of the tree before, in hex.
  func line(count: Int) -> String {
    let peaks = before?.peaks.map { " \($0)" }.joined() ?? ""
    return "# tree \(firstLeaf) \(count)\(peaks)\n"
  }

  /// nil for another line.
  static func parse(_ line: UnsafeRawBufferPointer) -> (place: TreePlace, count: Int)? {
    var fields = JournalFields(line)
    guard fields.text().elementsEqual("#".utf8), fields.text().elementsEqual("tree".utf8), let first = fields.count(),
      let count = fields.count(), !first.addingReportingOverflow(count).overflow
    else { return nil }
    var peaks: [MerkleHash] = []
    while true {
      let word = fields.text()
      if word.isEmpty { break }
      guard peaks.count < Int.bitWidth, let hash = MerkleHash(hex: word) else { return nil }
      peaks.append(hash)
    }
    if peaks.isEmpty, first > 0 { return (TreePlace(firstLeaf: first), count) }
    guard let tree = CompactTree(size: first, peaks: peaks) else { return nil }
    return (TreePlace(after: tree), count)
  }
}
