internal import TapeArchive
internal import TapeJSON
internal import TapeQuery
internal import TapeTypes

/// The calls that are looked at next.
struct Neighbours: Sendable {
  let older: String?
  let newer: String?
  /// The one before of the same thread, else of the same deployment.
  let alike: String?

  init(of entry: CallEntry, _ shown: JSONValue, _ engine: QueryEngine) throws {
    func next(_ sort: CallSort, _ filter: CallFilter = CallFilter()) throws -> String? {
      var id: String?
      try engine.forEachCall(filter, sort: sort, after: entry, limit: 1) { id = $0["call_id"]?.string }
      return id
    }
    var found: (older: String?, newer: String?, alike: String?)
    do {
      (found.older, found.newer) = (try next(.newest), try next(.oldest))
      var (thread, deployment) = (CallFilter(), CallFilter())
      thread.thread = shown.at("thread_id")?.string
      deployment.deployment = shown.at("deployment")?.string
      if thread.thread != nil { found.alike = try next(.newest, thread) }
      if found.alike == nil, deployment.deployment != nil { found.alike = try next(.newest, deployment) }
    } catch let error as TapeError where error.code == .notFound {
      // It is on tape and not in the catalogue yet.
    }
    (older, newer, alike) = found
  }
}
