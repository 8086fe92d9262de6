import TapeArchive
import TapeJSON
import TapeTypes
import Testing

/// Proofs hold for what they are of, in any tree, and for nothing else.
@Suite struct ProofTests {
  @Test func everyCallIsProvenForEveryCheckpointSince() throws {
    var sealed = try SealedStore(seals: 0)
    var generator = Seeded(state: 31)
    var notes: [CheckpointNote] = []
    var sealedBy: [CallID: Int] = [:]
    for (index, count) in [3, 1, 4, 2].enumerated() {
      try sealed.seal(count, &generator)
      notes.append(try ProofMaker(store: sealed.store).checkpoint())
      for id in sealed.segments[index].calls { sealedBy[id] = index }
    }
    for (id, first) in sealedBy {
      for (index, note) in notes.enumerated() {
        guard index >= first else {
          #expect(throws: TapeError.self) { try ProofMaker(store: sealed.store).proof(of: id, in: note) }
          continue
        }
        let proof = try ProofMaker(store: sealed.store).proof(of: id, in: note)
        #expect(proof.problems == [])
        #expect(try CallProof(JSONValue(parsing: proof.json.pretty)) == proof)
        let bare = try ProofMaker(store: sealed.store).proof(of: id, in: note, bare: true)
        #expect(bare.problems == [] && bare.leaf == proof.leaf)
        #expect(!String(decoding: bare.json.compact, as: UTF8.self).contains("started_at"))
      }
    }
    for old in notes.indices {
      for new in old..<notes.count {
        let proof = try ProofMaker(store: sealed.store).consistency(from: notes[old], to: notes[new])
        #expect(proof.problems == [])
        #expect(try ConsistencyProof(JSONValue(parsing: proof.json.compact)) == proof)
      }
    }
    #expect(throws: TapeError.self) { try ProofMaker(store: sealed.store).consistency(from: notes[1], to: notes[0]) }
  }

  @Test func noMemberOfAProofCanBeChanged() throws {
    let sealed = try SealedStore()
    let id = sealed.segments[1].calls[0]
    for bare in [false, true] {
      let proof = try ProofMaker(store: sealed.store).proof(of: id, bare: bare)
      let members = try #require(proof.json.members)
      for (index, member) in members.enumerated() where member.key != "call_id" || !bare {
        for other in Self.changed(member.value) {
          // Which archive an unsigned checkpoint is of is shown by one that was kept, or by a signature.
          if member.key == "checkpoint",
            CheckpointNote(Array((other.string ?? "").utf8))?.checkpoint.root == proof.note.checkpoint.root,
            CheckpointNote(Array((other.string ?? "").utf8))?.checkpoint.size == proof.note.checkpoint.size
          {
            continue
          }
          var wrong = members
          wrong[index].value = other
          let read = try? CallProof(.object(wrong))
          #expect(read?.problems.isEmpty != true, "\(member.key) as \(other)")
        }
        var without = members
        without.remove(at: index)
        #expect(throws: (any Error).self, "without \(member.key)") { try CallProof(.object(without)) }
      }
      #expect(throws: (any Error).self) { try CallProof(.object(members + [.init("more", true)])) }
      #expect(throws: (any Error).self) { try CallProof(.object(members + [members[0]])) }
    }
  }

  /// The value with one character of a string, or one number, changed.
  private static func changed(_ value: JSONValue) -> [JSONValue] {
    switch value {
    case .string(let text):
      let bytes = Array(text.utf8)
      return stride(from: 0, to: bytes.count, by: max(1, bytes.count / 40)).map { index in
        var other = bytes
        other[index] = other[index] == 0x61 ? 0x62 : 0x61
        return .string(String(decoding: other, as: UTF8.self))
      }
    case .number(let text): return [.number(text + "0"), .number("-1"), .string(text)]
    case .array(let list):
      guard !list.isEmpty else { return [.array([.string("00")])] }
      return [
        .array(list.dropLast()), .array(list.reversed() == list ? [] : list.reversed()), .array(list + [list[0]]),
      ]
        + changed(list[0]).prefix(3).map { .array([$0] + list.dropFirst()) }
    case .null: return [.string("{}")]
    default: return [.null]
    }
  }

  /// Also where it counts more calls: then nothing is gone.
  @Test func aCheckpointOfAnotherStoreIsCalledThat() throws {
    let sealed = try SealedStore(seals: 1)
    var checkpoint = try ProofMaker(store: SealedStore().store).checkpoint().checkpoint
    checkpoint.origin = "example.com/log"
    let maker = ProofMaker(store: sealed.store)
    let note = CheckpointNote(checkpoint)
    let own = try maker.checkpoint()
    for proving in [
      { _ = try maker.proof(of: sealed.segments[0].calls[0], in: note) },
      { _ = try maker.consistency(from: own, to: note) }, { _ = try maker.consistency(from: note) },
    ] {
      #expect {
        try proving()
      } throws: {
        "\($0)".contains("is of example.com/log")
      }
    }
  }

  @Test func aCallThatIsNotSealedHasNoProofYet() throws {
    let sealed = try SealedStore(seals: 1)
    var generator = Seeded(state: 32)
    let writer = try JournalWriter(store: sealed.store, log: quiet)
    let open = makeOpen(&generator)
    let handle = writer.open(open)
    writer.end(handle, offsetNs: 1, cause: .endOfBody)
    try writer.close()
    let error = #expect(throws: TapeError.self) { try ProofMaker(store: sealed.store).proof(of: open.id) }
    #expect(error?.code == .failed && error?.description.contains("tapedeck seal") == true)
    let unknown = #expect(throws: TapeError.self) {
      try ProofMaker(store: sealed.store).proof(of: CallID(milliseconds: 4))
    }
    #expect(unknown?.code == .notFound)
  }

  @Test func aRequestThatIsNoTextIsProvenToo() throws {
    let sealed = try SealedStore(seals: 0)
    var generator = Seeded(state: 33)
    let writer = try JournalWriter(store: sealed.store, log: quiet)
    let open = makeOpen(&generator, body: [0xFF, 0x00, 0x80])
    let handle = writer.open(open)
    writer.end(handle, offsetNs: 1, cause: .endOfBody)
    try writer.close()
    _ = try Sealer(store: sealed.store, log: quiet).seal()
    let proof = try ProofMaker(store: sealed.store).proof(of: open.id)
    #expect(proof.json["request_base64"]?.string == "/wCA")
    #expect(try CallProof(JSONValue(parsing: proof.json.compact)).problems == [])
  }

  @Test func theOwnCheckpointHasThePeaksAndTheRoot() throws {
    let sealed = try SealedStore()
    let own = try #require(try sealed.store.ownCheckpoint()).checkpoint
    let made = try ProofMaker(store: sealed.store).checkpoint().checkpoint
    #expect(own.size == made.size && own.root == made.root && own.origin == made.origin)
    #expect(own.extensions.count == 2 && made.extensions.isEmpty)
  }
}
