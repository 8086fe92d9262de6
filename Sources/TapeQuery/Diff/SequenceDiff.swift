/// Which stretches two sequences have in common, in order: by the greedy algorithm of Myers, which finds the fewest
/// edits. Time and memory are bounded: where two stretches differ too much for that, elements that both have once are
/// taken for fixed points, and where there is none either, all of one is taken for replaced by all of the other.
///
/// Source: E. Myers, An O(ND) Difference Algorithm and Its Variations (1986); fixed points as in Bram Cohen's patience
/// diff.
struct SequenceDiff {
  /// `count` elements of the one from `a` on are those of the other from `b` on.
  struct Match: Equatable {
    var a: Int
    var b: Int
    var count: Int
  }

  /// Rising in both sequences, none touching the next.
  private(set) var matches: [Match] = []
  /// The fewest edits there are; false if a bound was met.
  private(set) var isSmallest = true

  private let a: [Int32]
  private let b: [Int32]
  private let maximumEdits: Int
  /// Comparisons that are left; when they are used up, fixed points alone are looked for.
  private var budget: Int

  /// - Parameters:
  ///   - maximumEdits: of one stretch; memory grows with its square.
  ///   - budget: of comparisons in all.
  init(_ a: [Int32], _ b: [Int32], maximumEdits: Int = 2_000, budget: Int = 20_000_000) {
    self.a = a
    self.b = b
    self.maximumEdits = maximumEdits
    self.budget = budget
    solve()
    matches = Self.joined(matches)
  }

  private struct Stretch {
    var a: Range<Int>
    var b: Range<Int>
    /// Fixed points may lie inside fixed points, but not without end.
    var depth: Int
  }

  private mutating func solve() {
    var open = [Stretch(a: 0..<a.count, b: 0..<b.count, depth: 0)]
    while let stretch = open.popLast() {
      let middle = withoutCommonEnds(stretch)
      if middle.a.isEmpty || middle.b.isEmpty || findShortestEdit(middle) { continue }
      isSmallest = false
      if middle.depth < 12 { open += betweenFixedPoints(middle) }
    }
  }

  private mutating func add(_ a: Int, _ b: Int, _ count: Int) {
    if count > 0 { matches.append(Match(a: a, b: b, count: count)) }
  }

  private mutating func withoutCommonEnds(_ stretch: Stretch) -> Stretch {
    var (inA, inB) = (stretch.a, stretch.b)
    while let first = inA.first, let other = inB.first, a[first] == b[other] {
      inA.removeFirst()
      inB.removeFirst()
    }
    add(stretch.a.lowerBound, stretch.b.lowerBound, inA.lowerBound - stretch.a.lowerBound)
    while let last = inA.last, let other = inB.last, a[last] == b[other] {
      inA.removeLast()
      inB.removeLast()
    }
    add(inA.upperBound, inB.upperBound, stretch.a.upperBound - inA.upperBound)
    return Stretch(a: inA, b: inB, depth: stretch.depth)
  }

  // MARK: Myers

  /// False if that takes more edits or comparisons than there may be; then nothing was added.
  private mutating func findShortestEdit(_ stretch: Stretch) -> Bool {
    let (n, m) = (stretch.a.count, stretch.b.count)
    let limit = min(n + m, maximumEdits)
    // For each diagonal x − y the furthest x; `reached` keeps them for every number of edits.
    var furthest = [Int32](repeating: 0, count: 2 * limit + 3)
    let zero = limit + 1
    var reached: [Int32] = []
    for edits in 0...limit {
      for k in stride(from: -edits, through: edits, by: 2) {
        let goesDown = k == -edits || (k != edits && furthest[zero + k - 1] < furthest[zero + k + 1])
        let start = edits == 0 ? 0 : Int(goesDown ? furthest[zero + k + 1] : furthest[zero + k - 1] + 1)
        var x = start
        while x < n, x - k < m, a[stretch.a.lowerBound + x] == b[stretch.b.lowerBound + x - k] { x += 1 }
        budget -= 1 + x - start
        furthest[zero + k] = Int32(x)
        reached.append(Int32(x))
        if x >= n, x - k >= m {
          addPath(stretch, edits, reached)
          return true
        }
      }
      if budget < 0 { return false }
    }
    return false
  }

  /// Walks back from the end to the start.
  private mutating func addPath(_ stretch: Stretch, _ edits: Int, _ reached: [Int32]) {
    func x(_ edits: Int, _ k: Int) -> Int { Int(reached[edits * (edits + 1) / 2 + (k + edits) / 2]) }
    var (toX, toY) = (stretch.a.count, stretch.b.count)
    for edit in stride(from: edits, to: 0, by: -1) {
      let k = toX - toY
      let goesDown = k == -edit || (k != edit && x(edit - 1, k - 1) < x(edit - 1, k + 1))
      let fromK = goesDown ? k + 1 : k - 1
      let fromX = x(edit - 1, fromK)
      let start = goesDown ? fromX : fromX + 1
      add(stretch.a.lowerBound + start, stretch.b.lowerBound + start - k, toX - start)
      (toX, toY) = (fromX, fromX - fromK)
    }
    add(stretch.a.lowerBound, stretch.b.lowerBound, toX)
  }

  // MARK: Fixed points

  /// The stretches between elements that both sides have exactly once, as far as those keep their order.
  private mutating func betweenFixedPoints(_ stretch: Stretch) -> [Stretch] {
    let places = Self.places(of: b, stretch.b)
    let points = Self.places(of: a, stretch.a).compactMap { value, place -> (a: Int, b: Int)? in
      guard place >= 0, let other = places[value], other >= 0 else { return nil }
      return (place, other)
    }
    var stretches: [Stretch] = []
    var (nextA, nextB) = (stretch.a.lowerBound, stretch.b.lowerBound)
    func close(_ toA: Int, _ toB: Int) {
      stretches.append(Stretch(a: nextA..<toA, b: nextB..<toB, depth: stretch.depth + 1))
    }
    let rising = Self.longestRising(points.sorted { $0.a < $1.a })
    if rising.isEmpty { return [] }
    for point in rising {
      close(point.a, point.b)
      add(point.a, point.b, 1)
      (nextA, nextB) = (point.a + 1, point.b + 1)
    }
    close(stretch.a.upperBound, stretch.b.upperBound)
    return stretches
  }

  /// Where each value is, -1 if more than once.
  private static func places(of values: [Int32], _ range: Range<Int>) -> [Int32: Int] {
    var places: [Int32: Int] = [:]
    for index in range { places[values[index]] = places[values[index]] == nil ? index : -1 }
    return places
  }

  /// The longest subsequence that rises in `b` too.
  private static func longestRising(_ points: [(a: Int, b: Int)]) -> [(a: Int, b: Int)] {
    // The last point of the best run of each length, and for each point the one before it in its run.
    var lasts: [Int] = []
    var before = [Int](repeating: -1, count: points.count)
    for index in points.indices {
      var (low, high) = (0, lasts.count)
      while low < high {
        let middle = (low + high) / 2
        if points[lasts[middle]].b < points[index].b { low = middle + 1 } else { high = middle }
      }
      if low > 0 { before[index] = lasts[low - 1] }
      if low == lasts.count { lasts.append(index) } else { lasts[low] = index }
    }
    var run: [(a: Int, b: Int)] = []
    var next = lasts.last ?? -1
    while next >= 0 {
      run.append(points[next])
      next = before[next]
    }
    return run.reversed()
  }

  private static func joined(_ matches: [Match]) -> [Match] {
    var joined: [Match] = []
    for match in matches.sorted(by: { $0.a < $1.a }) {
      if let last = joined.last, last.a + last.count == match.a, last.b + last.count == match.b {
        joined[joined.count - 1].count += match.count
      } else {
        joined.append(match)
      }
    }
    return joined
  }
}
