/// Values counted by size: how many are at most each bound, how many are larger, and their sum.
package struct Histogram: Sendable, Equatable {
  /// Rising; a value that equals one belongs to it.
  package let bounds: [Int64]
  /// One for each bound and one for what is larger than all of them.
  package private(set) var counts: [Int]
  package private(set) var sum: Int64 = 0

  package init(bounds: [Int64]) {
    self.bounds = bounds
    counts = Array(repeating: 0, count: bounds.count + 1)
  }

  package var count: Int { counts.reduce(0, &+) }

  package mutating func add(_ value: Int64) {
    // Most values are small, and the bounds are few: nothing is faster than looking at them in turn.
    var place = 0
    while place < bounds.count, value > bounds[place] { place &+= 1 }
    counts[place] &+= 1
    sum &+= value
  }

  /// Takes over what another one of the same bounds has counted.
  package mutating func add(_ other: Histogram) {
    for place in counts.indices { counts[place] &+= other.counts[place] }
    sum &+= other.sum
  }

  package mutating func clear() {
    for place in counts.indices { counts[place] = 0 }
    sum = 0
  }
}

extension Histogram {
  /// Nanoseconds with the bounds that OpenTelemetry's conventions for generative AI give for the duration of an
  /// operation, the time to its first chunk and the time for each further one: 10 ms and on by doubling, to 81.92 s.
  package static var operationNs: Histogram { Histogram(bounds: (0..<14).map { 10_000_000 << $0 }) }

  /// Tokens with the bounds of the same conventions: powers of 4 from 1 to 67,108,864.
  package static var tokens: Histogram { Histogram(bounds: (0..<14).map { 1 << ($0 * 2) }) }

  /// Nanoseconds of what a disk does: 0.5 ms to 10 s.
  package static var diskNs: Histogram {
    let bounds: [Int64] = [500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000, 200_000, 500_000]
    return Histogram(bounds: (bounds + [1_000_000, 2_000_000, 5_000_000, 10_000_000]).map { $0 * 1_000 })
  }
}
