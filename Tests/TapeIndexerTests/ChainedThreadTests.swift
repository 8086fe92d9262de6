import TapeArchive
import TapeCatalogue
import TapeTestSupport
import TapeTypes
import Testing

/// Calls that go on from one another by response id: the same threads in whatever order they come and go.
@Suite struct ChainedThreadTests {
  /// `response<previous`, `=thread` where the request names one; the dialect is the Responses API's unless it begins
  /// with `!`.
  private struct Link {
    var row = CallRow()
    let id: CallID

    init(_ number: Int, _ text: String) {
      let isOther = text.hasPrefix("!")
      let named = text.drop { $0 == "!" }.split(separator: "=", omittingEmptySubsequences: false)
      let names = named[0].split(separator: "<", omittingEmptySubsequences: false).map(String.init)
      id = CallID(high: UInt64(number + 1) << 20, low: 0)
      row.state = "done"
      row.dialect = isOther ? "openai_chat" : "openai_responses"
      row.startedNs = Int64(number)
      row.responseID = names[0].isEmpty ? nil : names[0]
      row.threadID = named.count > 1 ? String(named[1]) : nil
      if row.threadID == nil, names.count > 1 { row.previousResponseID = names[1] }
      row.archiveFile = "\(number)"
    }
  }

  private static let chains: [(calls: [String], threads: [String?])] = [
    // One goes on from the other.
    (["a", "b<a", "c<b"], ["a", "a", "a"]),
    // Nobody goes on from it.
    (["a"], [nil]),
    // A branch, and the like.
    (["a", "b<a", "c<a", "d<b", "e<c", "x"], ["a", "a", "a", "a", "a", nil]),
    // A thread that a request names goes on.
    (["a=t", "b<a", "c<b", "d<c=u", "e<d"], ["t", "t", "t", "u", "u"]),
    // The call that it goes on from is not there, or gave no response.
    (["b<a", "c<b", "d<b"], ["a", "a", "a"]), (["<a", "b"], ["a", nil]),
    // Two gave the same: the first counts, and neither names a thread of its own.
    (["a", "a", "b<a", "a=t"], ["a", "a", "a", "t"]), (["a=t", "a", "b<a"], ["t", "a", "t"]),
    // Every answer has the same id.
    (["a", "a<a", "a<a"], ["a", "a", "a"]),
    // Ids of another API are none that can be gone on from.
    (["!a", "b<a"], [nil, "a"]),
  ]

  private func threads(_ path: String) throws -> [String: String?] {
    var found: [String: String?] = [:]
    for row in try rows(path, "SELECT archive_file, thread_id FROM calls") {
      guard case .text(let file) = row[0] else { continue }
      if case .text(let thread) = row[1] { found[file] = thread } else { found[file] = .some(nil) }
    }
    return found
  }

  private func expected(_ chain: (calls: [String], threads: [String?])) -> [String: String?] {
    Dictionary(uniqueKeysWithValues: chain.threads.enumerated().map { ("\($0)", $1) })
  }

  @Test(arguments: chains.indices)
  func theOrderInWhichCallsComeMakesNoDifference(number: Int) throws {
    let chain = Self.chains[number]
    var random = SeededNumbers(7)
    for _ in 0..<12 {
      let test = try TestStore()
      let writer = try CatalogueWriter(path: test.store.cataloguePath)
      for link in chain.calls.enumerated().map({ Link($0, $1) }).shuffled(using: &random) {
        try writer.transaction { transaction in
          // A call that goes on is written before its response has an id, and several times.
          var begun = link.row
          begun.responseID = nil
          begun.state = "open"
          try transaction.upsert(begun, id: link.id, content: nil)
          try transaction.upsert(link.row, id: link.id, content: nil)
          try transaction.upsert(link.row, id: link.id, content: nil)
          try transaction.packUsage()
        }
      }
      #expect(try threads(test.store.cataloguePath) == expected(chain))
    }
  }

  @Test func whatIsLeftIsAsIfTheOthersHadNeverBeenThere() throws {
    var random = SeededNumbers(3)
    for _ in 0..<40 {
      let chain = random.pick(Self.chains.filter { $0.calls.count > 2 })
      let links = chain.calls.enumerated().map { Link($0, $1) }
      let gone = Set(links.indices.filter { _ in random.chance(40) })
      let (some, all) = (try TestStore(), try TestStore())
      let few = try CatalogueWriter(path: some.store.cataloguePath)
      let many = try CatalogueWriter(path: all.store.cataloguePath)
      for (index, link) in links.enumerated() {
        try many.transaction { try $0.upsert(link.row, id: link.id, content: nil) }
        if !gone.contains(index) { try few.transaction { try $0.upsert(link.row, id: link.id, content: nil) } }
      }
      for index in gone.shuffled(using: &random) {
        try many.transaction { transaction in
          if index % 2 == 0 {
            #expect(try transaction.removeCalls(in: "\(index)") == 1)
          } else {
            try transaction.bury(links[index].id, startedNs: 0, erasedNs: 1, file: "\(index)", kept: nil)
          }
        }
      }
      #expect(
        try threads(all.store.cataloguePath) == threads(some.store.cataloguePath), "\(chain.calls) without \(gone)")
    }
  }

  /// No stream can make these, but an archive may have anything.
  @Test func callsThatGoOnFromEachOtherEnd() throws {
    let test = try TestStore()
    let writer = try CatalogueWriter(path: test.store.cataloguePath)
    for (number, text) in ["a<c", "b<a", "c<b", "d<d", "a<d", "c=t", "c"].enumerated() {
      let link = Link(number, text)
      try writer.transaction { try $0.upsert(link.row, id: link.id, content: nil) }
    }
    #expect(try threads(test.store.cataloguePath).count == 7)
  }

  @Test func sumsKnowTheThread() throws {
    let test = try TestStore()
    let writer = try CatalogueWriter(path: test.store.cataloguePath)
    for (number, text) in ["a", "b<a"].enumerated() {
      let link = Link(number, text)
      try writer.transaction { try $0.upsert(link.row, id: link.id, content: nil) }
    }
    var named: [Int] = []
    try CatalogueReader(path: test.store.cataloguePath).snapshot { snapshot in
      try snapshot.usageBlocks(from: nil, to: nil, names: [.thread]) { block in
        named += block.places(.thread).map { block.texts[UsageRow.Name.thread.rawValue][$0] == "a" ? 1 : 0 }
      }
    }
    #expect(named == [1, 1])
  }
}
