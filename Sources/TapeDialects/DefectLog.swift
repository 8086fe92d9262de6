/// The defects of one call. Of each kind the first ones are kept whole and the rest counted,
/// so that a stream of nothing but bad frames stays small.
struct DefectLog: Sendable, Equatable {
  static let maximumPerKind = 50

  private(set) var defects: [Defect] = []
  private var counts: [Defect.Kind: Int] = [:]

  func count(of kind: Defect.Kind) -> Int { counts[kind, default: 0] }

  /// How many were added.
  private(set) var total = 0

  mutating func add(_ kind: Defect.Kind, frame: Int? = nil, _ message: @autoclosure () -> String) {
    counts[kind, default: 0] += 1
    total += 1
    if counts[kind, default: 0] <= DefectLog.maximumPerKind { defects.append(Defect(kind, frame: frame, message())) }
  }

  /// The defects, and for each kind with more than the maximum one that says how many more.
  var all: [Defect] {
    defects
      + Defect.Kind.allCases.compactMap { kind in
        let more = counts[kind, default: 0] - DefectLog.maximumPerKind
        return more > 0 ? Defect(kind, "\(more) more of this kind") : nil
      }
  }
}
