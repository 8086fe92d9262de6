internal import TapeJSON
internal import TapeQuery

#if canImport(Glibc)
  internal import Glibc
#else
  internal import Darwin
#endif

/// Prints calls as they end, for `calls --follow`.
struct CallsFollower {
  let engine: QueryEngine
  let filter: CallFilter
  var printer: RowPrinter

  /// Never returns but by an error or a reader that went away.
  ///
  /// - Parameter shown: the calls to begin with.
  mutating func run(_ shown: [JSONValue]) throws {
    var layout: TableLayout?
    func print(_ rows: [JSONValue]) {
      guard !rows.isEmpty else { return }
      layout = printer.print(rows, before: layout)
      printer.hasTitles = false
    }
    print(shown)
    var known = Set<String>()
    // What comes is new, or was open: both are among the latest, up to a bound that keeps this cheap.
    func ended() throws -> [JSONValue] {
      try engine.calls(filter, sort: .newest, limit: 10_000).filter { row in
        guard row["state"]?.string != "open", let id = row["call_id"]?.string else { return false }
        return known.insert(id).inserted
      }
    }
    _ = try ended()
    while true {
      usleep(300_000)
      let ended = try ended()
      print(ended.reversed())
    }
  }
}
