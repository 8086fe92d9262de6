import TapeArchive
import TapeIndexer
import TapeJSON
import TapeQuery
import TapeTestSupport
import TapeTypes

/// 2026-11-20T12:00:00Z
let noon: Int64 = 1_795_176_000_000_000_000
let second: Int64 = 1_000_000_000
let hour: Int64 = 3600 * second

/// A store with the given calls, indexed, and an engine over it.
func engine(_ calls: [TestCall]) throws -> (store: TestStore, engine: QueryEngine) {
  let test = try TestStore()
  let writer = try test.writer()
  for call in calls { call.record(with: writer) }
  _ = writer.flush()
  try writer.close()
  try Indexer(store: test.store, log: test.log).run()
  return (test, try QueryEngine(store: test.store))
}

/// A request of an identity in a thread.
func request(
  _ identity: String? = nil, email: String? = nil, thread: String? = nil, tags: [String] = [], key: String = "bot",
  metadata: String? = nil, question: String = "Hi", extra: String = ""
) -> String {
  var members = [#""key":"\#(key)""#, #""messages":[{"role":"user","content":"\#(question)"}]"#]
  if let identity {
    members.append(#""identity":{"id":"\#(identity)"\#(email.map { #","email":"\#($0)""# } ?? "")}"#)
  }
  if thread != nil || !tags.isEmpty {
    let list = tags.map { "\"\($0)\"" }.joined(separator: ",")
    members.append(#""thread":{"id":"\#(thread ?? "t")","tags":[\#(list)]}"#)
  }
  if let metadata { members.append(#""metadata":\#(metadata)"#) }
  return "{" + members.joined(separator: ",") + extra + "}"
}

extension JSONValue {
  /// The keys of an object, in their order.
  var keys: [String] { members?.map(\.key) ?? [] }

  /// A number's text, a string, `true`, `false` or `null`.
  var plain: String {
    switch self {
    case .number(let text), .string(let text): text
    default: compactString
    }
  }
}
