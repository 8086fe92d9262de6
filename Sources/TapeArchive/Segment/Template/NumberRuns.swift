/// Integers as differences: `17 1x411` are 17 and 411 more that each are one larger.
enum NumberRuns {
  /// nil for what is no list of integers as JSON has them, or one that would be long this way.
  static func encode(_ column: ColumnValues) -> [UInt8]? {
    var out: [UInt8] = []
    var previous = 0
    var step = 0
    var count = 0
    var runs = 0
    func end() {
      guard count > 0 else { return }
      out.append(0x20)
      Decimal.append(step, to: &out)
      if count > 1 {
        out.append(0x78)
        Decimal.append(count, to: &out)
      }
      runs += 1
    }
    let most = column.lengths.count / 2 + 8
    var start = 0
    for length in column.lengths {
      guard length <= 18, let value = Decimal.parseSigned(column.bytes[start..<(start + length)]) else { return nil }
      // Both have at most 18 digits.
      let difference = value - previous
      if count > 0, difference == step {
        count += 1
      } else {
        end()
        guard runs <= most else { return nil }
        step = difference
        count = 1
      }
      previous = value
      start += length
    }
    end()
    return out
  }

  /// Runs of at least one number each, whose sums stay within 19 digits; nil for anything else.
  static func decode(_ text: ArraySlice<UInt8>) -> [(step: Int, count: Int)]? {
    var runs: [(step: Int, count: Int)] = []
    for word in text.split(separator: 0x20, omittingEmptySubsequences: false) {
      let parts = word.split(separator: 0x78, maxSplits: 1, omittingEmptySubsequences: false)
      guard let step = Decimal.parseSigned(parts[0]), let count = parts.count == 2 ? Decimal.parse(parts[1]) : 1,
        count > 0
      else { return nil }
      runs.append((step, count))
    }
    return runs
  }
}

/// The numbers that differences add up to.
struct NumberReader {
  private let runs: [(step: Int, count: Int)]
  private var run = 0
  private var taken = 0
  private var value = 0

  init(_ runs: [(step: Int, count: Int)]) { self.runs = runs }

  var isAtEnd: Bool { run == runs.count }

  /// nil behind the last, and where the sum is no 64-bit number.
  mutating func next() -> Int? {
    guard run < runs.count else { return nil }
    let (sum, overflow) = value.addingReportingOverflow(runs[run].step)
    guard !overflow else { return nil }
    value = sum
    taken += 1
    if taken == runs[run].count { (run, taken) = (run + 1, 0) }
    return value
  }

  /// The last of `count` numbers, if there are exactly so many; nil if not, or for none.
  mutating func last(_ count: Int) -> Int? {
    var left = count
    for run in runs {
      let (product, overflow) = run.step.multipliedReportingOverflow(by: run.count)
      let (sum, overflow2) = value.addingReportingOverflow(product)
      guard !overflow, !overflow2, run.count <= left else { return nil }
      value = sum
      left -= run.count
    }
    return left == 0 && count > 0 ? value : nil
  }
}
