/// How late frames were: exact up to 64 µs, then to a thirty-second part, in memory that does not grow.
package struct LatenessTally: Sendable, Equatable {
  private var counts: [Int] = []
  package private(set) var count = 0
  package private(set) var worstNs: Int64 = 0

  /// Each power of two is this many buckets; values below are their own.
  private static let steps = 32
  /// Of ns: what is less does not matter.
  private static let unitNs: Int64 = 1000

  package init() {}

  package mutating func add(_ latenessNs: Int64) {
    let late = max(0, latenessNs)
    let bucket = Self.bucket(Int(late / Self.unitNs))
    if bucket >= counts.count { counts += Array(repeating: 0, count: bucket + 1 - counts.count) }
    counts[bucket] += 1
    count += 1
    worstNs = max(worstNs, late)
  }

  package mutating func add(_ other: LatenessTally) {
    if other.counts.count > counts.count { counts += Array(repeating: 0, count: other.counts.count - counts.count) }
    for (bucket, more) in other.counts.enumerated() { counts[bucket] += more }
    count += other.count
    worstNs = max(worstNs, other.worstNs)
  }

  /// By nearest rank, the upper end of its bucket; nil of nothing.
  ///
  /// - Parameter part: 0.5 for the median.
  package func percentileNs(_ part: Double) -> Int64? {
    guard count > 0 else { return nil }
    let rank = max(1, Int((part * Double(count)).rounded(.up)))
    var seen = 0
    for (bucket, number) in counts.enumerated() {
      seen += number
      if seen >= rank { return min(worstNs, Int64(Self.end(ofBucket: bucket)) * Self.unitNs) }
    }
    return worstNs
  }

  private static func bucket(_ value: Int) -> Int {
    guard value >= 2 * steps else { return value }
    let shift = Int.bitWidth - 1 - value.leadingZeroBitCount - steps.trailingZeroBitCount
    return shift * steps + value >> shift
  }

  /// The first value that is in the next bucket.
  private static func end(ofBucket bucket: Int) -> Int {
    guard bucket >= 2 * steps else { return bucket + 1 }
    let shift = bucket / steps - 1
    return (bucket - shift * steps + 1) << shift
  }
}
