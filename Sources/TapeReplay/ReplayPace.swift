/// When each frame of a replay is due.
public enum ReplayPace: Sendable, Equatable {
  /// As recorded: every frame at its own offset from the start of the call.
  case original
  /// All at once.
  case instant
  /// The recorded offsets divided by this factor, 0.001 to 1,000,000: 2 is twice as fast.
  case factor(Double)
  /// The first frame at once, then one frame each so many ns.
  case fixed(nanoseconds: Int64)

  /// Reads `original`, `instant`, `2x`, `0.5x` or `fixed:20ms` (`us`, `ms`, `s`); nil for anything else.
  public init?(_ text: String) {
    switch text {
    case "original": self = .original
    case "instant": self = .instant
    case _ where text.hasPrefix("fixed:"):
      guard let gap = Self.nanoseconds(String(text.dropFirst(6))) else { return nil }
      self = .fixed(nanoseconds: gap)
    case _ where text.hasSuffix("x"):
      guard let factor = Double(text.dropLast()), (0.001...1_000_000).contains(factor) else { return nil }
      self = .factor(factor)
    default: return nil
    }
  }

  /// Whether the recorded times matter.
  public var keepsRecordedTime: Bool {
    switch self {
    case .original, .factor: true
    case .instant, .fixed: false
    }
  }

  /// ns after the start of the replay at which frame `index` is due; 0 for a capture without clock.
  public func dueNs(frame index: Int, offsetNs: Int64?) -> Int64 {
    switch self {
    case .original: offsetNs ?? 0
    case .instant: 0
    case .factor(let factor): Self.clamped(Double(offsetNs ?? 0) / factor)
    case .fixed(let gap): Self.clamped(Double(gap) * Double(index))
    }
  }

  private static func clamped(_ value: Double) -> Int64 {
    value >= 9e18 ? Int64.max : Int64(value)
  }

  private static func nanoseconds(_ text: String) -> Int64? {
    for (suffix, unit) in [("ns", 1.0), ("us", 1e3), ("ms", 1e6), ("s", 1e9)] where text.hasSuffix(suffix) {
      guard let number = Double(text.dropLast(suffix.count)), number >= 0, number * unit <= 86_400e9 else { return nil }
      return Int64(number * unit)
    }
    return nil
  }
}
