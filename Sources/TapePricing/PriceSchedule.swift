/// When and for which sizes of prompt the prices of a model are other ones, laid out for asking it of many calls.
struct PriceSchedule {
  /// Nothing but the tokens decides on the price.
  let isPlain: Bool
  /// The days from which overrides hold, rising; nil for always.
  private let overrides: [Int?]
  private let rows: [PriceTimes]
  /// For each row the sizes above which some rate is another.
  private let sizes: [[Int]]

  init(_ search: PriceSearch) {
    let found = search.search.found?.model.rows ?? []
    overrides = search.overrides.map(\.day)
    rows = found.map(\.validity)
    sizes = found.map(\.tierSizes)
    isPlain = overrides.isEmpty && rows.count <= 1 && sizes.allSatisfy(\.isEmpty)
  }

  /// A number for which rows of prices hold for a call, and between which sizes of theirs it lies.
  ///
  /// - Parameter time: ns since 1970.
  func place(prompt: Int, atNs time: Int64) -> Int {
    let override = overrides.lastIndex { PriceTimes(from: $0).holds(atNs: time) } ?? -1
    let row = rows.count > 1 ? rows.lastIndex { $0.holds(atNs: time) } ?? 0 : 0
    let tier = rows.isEmpty ? 0 : sizes[row].count { prompt > $0 }
    return (override + 1) << 40 | row << 20 | tier
  }
}
