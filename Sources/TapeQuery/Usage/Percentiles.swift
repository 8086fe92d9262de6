/// Nearest-rank percentiles without sorting all values.
enum Percentiles {
  /// For each percentage the smallest value that at least so many of the values do not exceed; nil for no values.
  ///
  /// - Parameter percents: rising.
  static func nearestRank(_ percents: [Int], of values: [Int]) -> [Int?] {
    var values = values
    return values.withUnsafeMutableBufferPointer { values in
      var settled = 0
      return percents.map { nearestRank($0, of: values, settled: &settled) }
    }
  }

  /// The same of one percentage, which leaves the values in another order.
  ///
  /// - Parameter settled: the place that the last percentage led to, which was no higher; 0 at first.
  static func nearestRank(_ percent: Int, of values: UnsafeMutableBufferPointer<Int>, settled: inout Int) -> Int? {
    guard !values.isEmpty else { return nil }
    let rank = (percent * values.count + 99) / 100
    let place = min(max(rank, 1), values.count) - 1
    // What stands before a place that is settled is smaller, and behind it larger.
    if place >= settled { place.select(in: values, from: settled) }
    settled = place
    return values[place]
  }
}

extension Int {
  /// Puts the value here that sorting would; smaller ones before it, larger ones behind.
  fileprivate func select(in values: UnsafeMutableBufferPointer<Int>, from start: Int) {
    var (low, high) = (start, values.count - 1)
    var rounds = 0
    while low < high {
      // Few are sorted sooner than they are parted.
      if high - low < 20 { return Self.sort(values, low...high) }
      rounds += 1
      // Some order was made to make this slow.
      if rounds > 100 {
        var rest = values[low...high]
        return rest.sort()
      }
      // The middle of three: the values are often sorted, or all the same.
      let middle = low + (high - low) / 2
      if values[middle] < values[low] { values.swapAt(middle, low) }
      if values[high] < values[low] { values.swapAt(high, low) }
      if values[high] < values[middle] { values.swapAt(high, middle) }
      let pivot = values[middle]
      var (left, right) = (low, high)
      while left <= right {
        while values[left] < pivot { left += 1 }
        while values[right] > pivot { right -= 1 }
        if left <= right {
          values.swapAt(left, right)
          left += 1
          right -= 1
        }
      }
      if self <= right {
        high = right
      } else if self >= left {
        low = left
      } else {
        return
      }
    }
  }
  private static func sort(_ values: UnsafeMutableBufferPointer<Int>, _ range: ClosedRange<Int>) {
    for place in range.dropFirst() {
      let value = values[place]
      var hole = place
      while hole > range.lowerBound, values[hole - 1] > value {
        values[hole] = values[hole - 1]
        hole -= 1
      }
      values[hole] = value
    }
  }
}
