internal import TapeCatalogue
internal import TapeTypes

/// A filter on the columns of a block. Sums whose filter is one of these need no rows.
struct UsageFilter {
  private let from: Int?
  private let to: Int?
  private let minDuration: Int?
  private let names: [(column: UsageRow.Name, text: String)]
  private let hidesMocks: Bool

  /// nil if blocks have not what the filter asks for.
  init?(_ filter: CallFilter) {
    var rest = filter
    rest.from = nil
    rest.to = nil
    rest.minDurationNs = nil
    rest.state = nil
    rest.deployment = nil
    rest.model = nil
    rest.provider = nil
    rest.mock = .byDefault
    guard rest.isEmpty else { return nil }
    from = filter.from.map(Int.init)
    to = filter.to.map(Int.init)
    minDuration = filter.minDurationNs.map(Int.init)
    let wanted: [(UsageRow.Name, String?)] = [
      (.state, filter.state?.rawValue), (.deployment, filter.deployment), (.model, filter.model),
      (.provider, filter.provider),
    ]
    names = wanted.compactMap { column, text in text.map { (column, $0) } }
    hidesMocks = filter.mock != .include
  }

  /// The name columns that it looks at.
  var columns: Set<UsageRow.Name> { Set(names.map(\.column)) }

  /// The calls of a block that it lets through.
  ///
  /// - Parameter calls: what was there goes; its memory is used again.
  func select(from block: UsageBlock, _ columns: UsageColumns, into calls: inout [Int]) {
    calls.removeAll(keepingCapacity: true)
    var wanted: [(places: UnsafePointer<Int>, place: Int)] = []
    for (name, text) in names {
      guard let place = block.texts[name.rawValue].place(of: text) else { return }
      wanted.append((columns[name], place))
    }
    let (started, flags, durations) = (columns[.started], columns[.flags], columns[.duration])
    let hidden = hidesMocks ? UsageRow.mockFlag : 0
    for call in 0..<block.count {
      if flags[call] & hidden != 0 { continue }
      if let from, started[call] < from { continue }
      if let to, started[call] >= to { continue }
      if let minDuration, durations[call] < minDuration { continue }
      if wanted.isEmpty || wanted.allSatisfy({ $0.places[call] == $0.place }) { calls.append(call) }
    }
  }
}
