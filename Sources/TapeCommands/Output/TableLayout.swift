/// Which columns of a table are shown, and how wide: all of them as wide as they are where that has room, else text is
/// cut, and then columns are left out. What is printed later of the same table keeps to it.
struct TableLayout: Equatable {
  /// Places in the list of columns, in its order.
  private(set) var shown: [Int]
  /// Of those that are shown.
  private(set) var widths: [Int]
  /// Titles of those that had no room.
  private(set) var leftOut: [String] = []
  /// There is a terminal.
  private let isLimited: Bool

  private static let between = 2

  /// - Parameters:
  ///   - needed: what each column needs, its title counted; nil for one that says nothing and is not shown.
  ///   - terminal: columns of the terminal; 0 for no limit.
  init(_ columns: [Column], needed: [Int?], terminal: Int) {
    shown = columns.indices.filter { needed[$0] != nil }
    widths = shown.map { needed[$0] ?? 0 }
    isLimited = terminal > 0
    guard isLimited else { return }
    var out: [Int] = []
    while width(ifCut: columns) > terminal {
      guard let last = shown.filter({ columns[$0].rank > 0 }).max(by: { columns[$0].rank < columns[$1].rank }) else {
        break
      }
      out.append(last)
      widths.remove(at: shown.firstIndex(of: last) ?? 0)
      shown.removeAll { $0 == last }
    }
    leftOut = out.sorted().map { columns[$0].title }
    cut(columns, to: terminal)
  }

  /// The same columns, with more room for those that cannot be cut.
  func widened(_ columns: [Column], needed: [Int?]) -> TableLayout {
    var layout = self
    for (place, column) in shown.enumerated() where columns[column].least == nil || !isLimited {
      layout.widths[place] = max(widths[place], needed[column] ?? 0)
    }
    return layout
  }

  private var total: Int { widths.reduce(0, +) + Self.between * max(0, widths.count - 1) }

  private func width(ifCut columns: [Column]) -> Int {
    let least = zip(shown, widths).map { min($1, columns[$0].least ?? $1) }
    return least.reduce(0, +) + Self.between * max(0, least.count - 1)
  }

  /// The widest text gives first.
  private mutating func cut(_ columns: [Column], to terminal: Int) {
    while total > terminal {
      let places = widths.indices.filter { place in columns[shown[place]].least.map { widths[place] > $0 } ?? false }
      guard let widest = places.max(by: { widths[$0] < widths[$1] }) else { return }
      let next = places.filter { $0 != widest }.map { widths[$0] }.max() ?? 0
      let least = columns[shown[widest]].least ?? 0
      // Down to the next widest at once, and on from there in turns.
      widths[widest] -= max(1, min(total - terminal, widths[widest] - max(next, least)))
    }
  }
}
