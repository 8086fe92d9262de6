internal import TapeTypes

/// Prometheus' text format 0.0.4, family by family.
struct MetricsText {
  private(set) var text = ""

  enum Kind: String { case counter, gauge, histogram }

  typealias Labels = [(name: String, value: String)]

  /// Begins a family; its samples follow.
  mutating func family(_ name: String, _ kind: Kind, _ help: String) {
    text += "# HELP \(name) \(Self.escaped(help, quotes: false))\n# TYPE \(name) \(kind.rawValue)\n"
  }

  mutating func sample(_ name: String, _ value: String, _ labels: Labels = []) {
    text += name + Self.braced(labels) + " " + value + "\n"
  }

  mutating func sample(_ name: String, _ value: Int, _ labels: Labels = []) { sample(name, String(value), labels) }

  /// A family of one sample.
  mutating func single(_ name: String, _ kind: Kind, _ value: Int, _ help: String) {
    family(name, kind, help)
    sample(name, value)
  }

  /// - Parameter decimals: by how many places a unit of the histogram is smaller than the metric's, 9 for nanoseconds.
  mutating func histogram(_ name: String, _ histogram: Histogram, decimals: Int, _ labels: Labels = []) {
    var below = 0
    let shared = Self.listed(labels).map { $0 + "," }.joined()
    for (place, count) in histogram.counts.enumerated() {
      below += count
      let bound = place < histogram.bounds.count ? Self.decimal(histogram.bounds[place], decimals) : "+Inf"
      text += "\(name)_bucket{\(shared)le=\"\(bound)\"} \(below)\n"
    }
    sample(name + "_sum", Self.decimal(histogram.sum, decimals), labels)
    sample(name + "_count", below, labels)
  }

  private static func braced(_ labels: Labels) -> String {
    labels.isEmpty ? "" : "{" + listed(labels).joined(separator: ",") + "}"
  }

  private static func listed(_ labels: Labels) -> [String] {
    labels.map { "\($0.name)=\"\(escaped($0.value, quotes: true))\"" }
  }

  /// Names come from outside: what would end a value or a line is escaped, other control characters are replaced.
  static func escaped(_ value: String, quotes: Bool) -> String {
    var out = ""
    for scalar in value.unicodeScalars {
      switch scalar {
      case "\\": out += "\\\\"
      case "\n": out += "\\n"
      case "\"" where quotes: out += "\\\""
      case _ where scalar.value < 0x20 || scalar.value == 0x7F: out += "\u{FFFD}"
      default: out.unicodeScalars.append(scalar)
      }
    }
    return out
  }

  /// `value` · 10⁻ⁿ, exactly.
  static func decimal(_ value: Int64, _ decimals: Int) -> String {
    guard decimals > 0 else { return String(value) }
    var digits = String(value.magnitude)
    if digits.count <= decimals { digits = String(repeating: "0", count: decimals + 1 - digits.count) + digits }
    var fraction = digits.suffix(decimals)
    while fraction.last == "0" { fraction = fraction.dropLast() }
    let whole = (value < 0 ? "-" : "") + digits.dropLast(decimals)
    return fraction.isEmpty ? whole : whole + "." + fraction
  }
}
