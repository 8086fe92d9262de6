/// What somebody may have meant to type.
package enum Spelling {
  /// The name that looks most like `text`; nil if none is near.
  package static func nearest(to text: String, among names: some Sequence<String>) -> String? {
    let near = names.map { (name: $0, distance: distance($0, text)) }.min { $0.distance < $1.distance }
    guard let near, near.distance <= max(2, text.count / 2) else { return nil }
    return near.name
  }

  /// How many letters have to be put in, taken out or changed, in any case (Levenshtein).
  private static func distance(_ left: String, _ right: String) -> Int {
    let (a, b) = (Array(left.lowercased().utf8), Array(right.lowercased().utf8))
    var row = Array(0...b.count)
    for i in 0..<a.count {
      var previous = row[0]
      row[0] = i + 1
      for j in 0..<b.count {
        let cost = a[i] == b[j] ? previous : previous + 1
        previous = row[j + 1]
        row[j + 1] = min(cost, row[j] + 1, previous + 1)
      }
    }
    return row[b.count]
  }
}
