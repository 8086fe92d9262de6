package import TapeTypes

/// What is derived from the arrival times of a call's frames; empty for captures without clock.
package struct CallTiming: Sendable, Equatable {
  package private(set) var offsets: [Int64] = []

  package init() {}

  package init(_ call: RecordedCall) { offsets = call.frameOffsetsNs }

  package mutating func add(_ offset: Int64?) {
    if let offset { offsets.append(offset) }
  }

  package var first: Int64? { offsets.first }

  package func offset(of frame: Int) -> Int64? { offsets.indices.contains(frame) ? offsets[frame] : nil }

  /// Between two frames that follow each other; nil with fewer than two.
  package var longestGap: Int64? {
    guard offsets.count > 1 else { return nil }
    var longest: Int64 = 0
    for index in 1..<offsets.count { longest = max(longest, offsets[index] - offsets[index - 1]) }
    return longest
  }
}
