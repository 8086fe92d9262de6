import TapeArchive
import TapeCatalogue
import TapeTestSupport
import TapeTypes
import Testing

/// Blocks of usage: what goes in comes out, and every call is in exactly one place.
struct UsageBlockTests {
  private func rows(_ count: Int) -> [UsageRow] {
    (0..<count).map { index in
      UsageRow(
        names: [
          "done", index % 3 == 0 ? nil : "user_\(index % 7)", "thread \(index)", #"["a","é"]"#, nil, "openai", "gpt",
          nil, "",
        ],
        numbers: [
          1_760_000_000_000_000_000 + index * 1_000_003, index % 4, index % 5 == 0 ? nil : index,
          Int.max - 1 - index,
          -index, nil, 7, index % 2 == 0 ? nil : index * 70_000, 0xFFFF + index % 2,
        ])
    }
  }

  private func decoded(
    _ data: [UInt8], _ threads: [UInt8]?, _ names: Set<UsageRow.Name> = Set(UsageRow.Name.allCases)
  ) -> UsageBlock? {
    data.withUnsafeBytes { data in
      guard let threads else { return UsageBlock(data, threads: nil, names: names) }
      return threads.withUnsafeBytes { UsageBlock(data, threads: $0, names: names) }
    }
  }

  private func values(_ block: UsageBlock, _ name: UsageRow.Name) -> [String?] {
    block.places(name).map { $0 == UsageBlock.none ? nil : block.texts[name.rawValue][$0] }
  }

  @Test(arguments: [0, 1, 2, 300, 2048])
  func whatGoesInComesOut(_ count: Int) throws {
    let rows = rows(count)
    let bytes = UsageBlock(rows).bytes
    let block = try #require(decoded(bytes.data, bytes.threads), "\(count) calls")
    #expect(block.count == count)
    for name in UsageRow.Name.allCases { #expect(values(block, name) == rows.map { $0.names[name.rawValue] }) }
    for number in UsageRow.Number.allCases {
      #expect(block.numbers(number) == rows.map { $0.numbers[number.rawValue] ?? UsageBlock.none })
    }
  }

  @Test func columnsThatAreNotWantedAreNotThere() throws {
    let block = try #require(decoded(UsageBlock(rows(10)).bytes.data, nil, [.model]))
    #expect(values(block, .model) == Array(repeating: "gpt", count: 10))
    #expect(values(block, .thread) == Array(repeating: nil, count: 10))
    #expect(values(block, .identity) == Array(repeating: nil, count: 10))
    #expect(block.numbers(.completion) == (0..<10).map { Int.max - 1 - $0 })
  }

  @Test func bytesThatAreNoBlockAreRefused() {
    let (data, threads) = UsageBlock(rows(20)).bytes
    for length in 0..<data.count { #expect(decoded(Array(data[..<length]), threads) == nil) }
    for length in 0..<threads.count { #expect(decoded(data, Array(threads[..<length])) == nil) }
    #expect(decoded(data + [0], threads) == nil)
    #expect(decoded(data, threads + [0]) == nil)
    #expect(decoded(data, UsageBlock(rows(19)).bytes.threads) == nil)
    for index in data.indices {
      var changed = data
      changed[index] ^= 0xFF
      _ = decoded(changed, threads)
    }
    for index in threads.indices {
      var changed = threads
      changed[index] ^= 0xFF
      _ = decoded(data, changed)
    }
  }
}

/// The tables that keep the blocks, while calls come, change and go.
struct UsagePackingTests {
  private let path: String
  private let directory: TestStore
  private let writer: CatalogueWriter

  init() throws {
    directory = try TestStore()
    path = directory.store.cataloguePath
    writer = try CatalogueWriter(path: path)
  }

  private func id(_ number: Int) -> CallID { CallID(high: UInt64(number + 1) << 16, low: 0) }

  private func put(_ numbers: some Sequence<Int>, state: String = "done", tokens: Int = 1) throws {
    try writer.transaction { transaction in
      for number in numbers {
        var row = CallRow()
        row.state = state
        row.startedNs = Int64(number)
        row.identityID = "user_\(number % 5)"
        row.totalTokens = tokens
        row.leafHash = "x"
        row.archiveFile = number % 2 == 0 ? "even" : "odd"
        try transaction.upsert(row, id: id(number), content: nil)
      }
    }
  }

  private func pack() throws { try writer.transaction { try $0.packUsage() } }

  /// Each call's number and tokens as the blocks have them, after a check that they have what the rows have.
  private func facts() throws -> (blocks: [Int], loose: Int) {
    let reader = try CatalogueReader(path: path)
    var expected: [[Int]] = []
    // A call starts at its number.
    try reader.query("SELECT started_ns, total_tokens FROM calls ORDER BY call_key") { row in
      expected.append((0..<2).map { row.integer($0) ?? -1 })
    }
    var found: [[Int]] = []
    try reader.snapshot { snapshot in
      try snapshot.usageBlocks(from: nil, to: nil, names: [.identity]) { block in
        let (started, total, places) = (block.numbers(.started), block.numbers(.total), block.places(.identity))
        for call in 0..<block.count {
          found.append([started[call], total[call]])
          #expect(block.texts[UsageRow.Name.identity.rawValue][places[call]] == "user_\(started[call] % 5)")
        }
      }
    }
    #expect(found.sorted { $0[0] < $1[0] } == expected)
    var sizes: [Int] = []
    try reader.query("SELECT calls FROM usage_blocks ORDER BY first_key") { sizes.append($0.integer(0) ?? 0) }
    let loose = try reader.snapshot { try $0.integer("SELECT count(*) FROM usage_loose") } ?? -1
    #expect(sizes.reduce(loose, +) == expected.count)
    return (sizes, loose)
  }

  @Test func theLatestStayLooseUntilThereAreEnoughForABlock() throws {
    try put(0..<255)
    try pack()
    #expect(try facts() == ([], 255))
    try put(255..<2047)
    try pack()
    #expect(try facts() == ([2047], 0))
    try put(2047..<5000)
    try pack()
    #expect(try facts() == ([2048, 2048, 904], 0))
    try put(5000..<5903)
    try pack()
    #expect(try facts() == ([2048, 2048, 904, 903], 0))
    try put(5903..<5904)
    try pack()
    #expect(try facts() == ([2048, 2048, 904, 903], 1))
  }

  @Test func smallBlocksGrowTogether() throws {
    for start in stride(from: 0, to: 256 * 9, by: 256) {
      try put(start..<(start + 256))
      try pack()
    }
    #expect(try facts() == ([2048, 256], 0))
  }

  @Test func aCallThatChangesTakesItsBlockApartAndPackingPutsItTogether() throws {
    try put(0..<4096)
    try pack()
    try put([7], tokens: 50)
    #expect(try facts() == ([2048], 2048))
    try pack()
    #expect(try facts() == ([2048, 2048], 0))
  }

  @Test func anOpenCallIsInNoBlockAndKeepsTheOrder() throws {
    try put(0..<3000)
    try put([3000], state: "open")
    try put(3001..<6000)
    try pack()
    #expect(try facts() == ([2048, 952, 2048, 951], 1))
    try put([3000])
    try pack()
    #expect(try facts() == ([2048, 953, 2048, 951], 0))
  }

  @Test func aCallBetweenTwoBlocksGoesToOneOfThem() throws {
    try put((0..<4096).map { $0 * 2 })
    try pack()
    try put([4095])
    try pack()
    let facts = try facts()
    #expect(facts.loose == 0 && facts.blocks.reduce(0, +) == 4097)
  }

  @Test func callsOfAFileThatWentAreGone() throws {
    try put(0..<4096)
    try pack()
    _ = try writer.transaction { try $0.removeCalls(in: "odd") }
    #expect(try facts() == ([], 2048))
    try pack()
    #expect(try facts() == ([2048], 0))
  }

  /// Whatever happens in whatever order: `facts` compares every call.
  @Test(arguments: 1...6) func anyOrderOfChangesKeepsEveryCallOnce(_ seed: UInt64) throws {
    var random = SeededNumbers(seed)
    for _ in 0..<40 {
      let start = Int.random(in: 0..<20_000, using: &random)
      let numbers = start..<(start + Int.random(in: 1..<900, using: &random))
      switch Int.random(in: 0..<10, using: &random) {
      case 0: try put(numbers, state: "open")
      case 1: _ = try writer.transaction { try $0.removeCalls(in: "odd") }
      case 2...4: try pack()
      default: try put(numbers, tokens: start)
      }
      _ = try facts()
    }
  }
}
