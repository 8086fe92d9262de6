package import TapeJSON
package import TapeTypes

/// The proof that one call is in the archive whose checkpoint it encloses: complete, so that it can be checked without
/// the archive. A JSON object, `tapedeck-proof/1`; see `schema/archive.md`.
package struct CallProof: Equatable, Sendable {
  package static let format = "tapedeck-proof/1"

  /// What of the call the proof shows, beside its leaf hash.
  package enum Content: Equatable, Sendable {
    /// Everything but the response's bytes and times, of which it has the hashes: so the leaf hash is that of this call.
    case call(Parts)
    /// What the leaf hash is made of: not whose it is.
    case hashes(LeafParts)
    /// There is only the leaf hash, as the call was erased, or removed by retention.
    case erased
    case removed
  }

  /// A call without the bytes and times of its response.
  package struct Parts: Equatable, Sendable {
    package var salt: [UInt8]
    /// Canonical JSON.
    package var open: [UInt8]
    package var body: [UInt8]
    package var head: [UInt8]?
    package var end: [UInt8]?
    package var raw: [UInt8]
    package var times: [UInt8]

    package var leafParts: LeafParts {
      LeafParts(salt: salt, meta: LeafHasher.metaHash([open, body, head, end]), raw: raw, times: times)
    }
  }

  package var id: CallID
  package var leaf: MerkleHash
  package var leafNumber: Int
  package var content: Content
  package var inclusion: [MerkleHash]
  package var note: CheckpointNote

  // MARK: Writing

  package var json: JSONValue {
    var members: [JSONValue.Member] = [
      .init("format", .string(Self.format)), .init("call_id", .string(id.description)),
      .init("leaf", .string(leaf.description)), .init("leaf_number", .int(leafNumber)),
    ]
    switch content {
    case .call(let parts):
      members += Self.members(parts.leafParts)
      members.append(.init("open", Self.text(parts.open)))
      if String(validating: parts.body, as: UTF8.self) != nil {
        members.append(.init("request", Self.text(parts.body)))
      } else {
        members.append(.init("request_base64", .string(Base64.string(parts.body))))
      }
      members.append(.init("head", parts.head.map(Self.text) ?? .null))
      members.append(.init("end", parts.end.map(Self.text) ?? .null))
    case .hashes(let parts):
      members += Self.members(parts)
      members.append(.init("meta_sha256", .string(Hex.string(parts.meta))))
    case .erased: members.append(.init("erased", true))
    case .removed: members.append(.init("removed", true))
    }
    members.append(.init("inclusion", .array(inclusion.map { .string($0.description) })))
    members.append(.init("checkpoint", Self.text(note.note.bytes)))
    return .object(members)
  }

  private static func members(_ parts: LeafParts) -> [JSONValue.Member] {
    [
      .init("salt", .string(Hex.string(parts.salt))), .init("raw_sha256", .string(Hex.string(parts.raw))),
      .init("times_sha256", .string(Hex.string(parts.times))),
    ]
  }

  private static func text(_ bytes: [UInt8]) -> JSONValue { .string(String(decoding: bytes, as: UTF8.self)) }

  // MARK: Reading

  /// Total: throws what is wrong with an object that is no proof.
  package init(_ value: JSONValue) throws {
    var keys = ProofKeys(value)
    guard try keys.text("format") == Self.format else { throw ProofKeys.wrong("format") }
    // As it is written here only: an id is read in either case.
    id = try keys.read("call_id") { value in
      value.string.flatMap { CallID($0) }.flatMap { .string($0.description) == value ? $0 : nil }
    }
    leaf = try keys.hash("leaf")
    leafNumber = try keys.read("leaf_number") { $0.integer }
    if value["erased"] != nil || value["removed"] != nil {
      let key = value["erased"] != nil ? "erased" : "removed"
      guard try keys.read(key, { $0.bool }) else { throw ProofKeys.wrong(key) }
      content = key == "erased" ? .erased : .removed
    } else {
      let salt = try keys.read("salt") { $0.string.flatMap { Hex.bytes($0.utf8) } }
      let raw = try keys.hash("raw_sha256").bytes
      let times = try keys.hash("times_sha256").bytes
      if value["meta_sha256"] != nil {
        let meta = try keys.hash("meta_sha256").bytes
        content = .hashes(LeafParts(salt: salt, meta: meta, raw: raw, times: times))
      } else {
        let open = try keys.text("open")
        let body =
          value["request_base64"] == nil
          ? Array(try keys.text("request").utf8)
          : try keys.read("request_base64") { $0.string.flatMap { Base64.exactBytes(Array($0.utf8)[...]) } }
        let head = try keys.optionalText("head")
        let end = try keys.optionalText("end")
        content = .call(
          Parts(
            salt: salt, open: Array(open.utf8), body: body, head: head.map { Array($0.utf8) },
            end: end.map { Array($0.utf8) }, raw: raw, times: times))
      }
    }
    inclusion = try keys.hashes("inclusion")
    note = try keys.note("checkpoint")
    try keys.expectNoMore()
  }

  package init(
    id: CallID, leaf: MerkleHash, leafNumber: Int, content: Content, inclusion: [MerkleHash], note: CheckpointNote
  ) {
    self.id = id
    self.leaf = leaf
    self.leafNumber = leafNumber
    self.content = content
    self.inclusion = inclusion
    self.note = note
  }

  // MARK: Checking

  /// What is wrong with the proof; nothing if it holds.
  package var problems: [String] {
    var problems: [String] = []
    switch content {
    case .call(let parts):
      if MerkleHash(parts.leafParts.leaf) != leaf {
        problems.append("the leaf hash is not that of the call it describes")
      }
      let open = (try? JSONValue(parsing: parts.open)).flatMap { CallCoding.open($0, body: [], salt: []) }
      if open?.id != id { problems.append("it describes another call than \(id)") }
    case .hashes(let parts):
      if MerkleHash(parts.leaf) != leaf { problems.append("the leaf hash is not made of the hashes it gives") }
    case .erased, .removed: break
    }
    let checkpoint = note.checkpoint
    if !MerkleProof.verifyInclusion(
      of: leaf, at: leafNumber, size: checkpoint.size, path: inclusion, root: checkpoint.root)
    {
      problems.append("the leaf is not number \(leafNumber) of the \(checkpoint.size) that the checkpoint is of")
    }
    return problems
  }
}

/// The proof that the archive of one checkpoint is the beginning of that of another. A JSON object,
/// `tapedeck-consistency/1`.
package struct ConsistencyProof: Equatable, Sendable {
  package static let format = "tapedeck-consistency/1"

  package var old: CheckpointNote
  package var new: CheckpointNote
  package var path: [MerkleHash]

  package init(old: CheckpointNote, new: CheckpointNote, path: [MerkleHash]) {
    self.old = old
    self.new = new
    self.path = path
  }

  package var json: JSONValue {
    [
      "format": .string(Self.format), "old": .string(String(decoding: old.note.bytes, as: UTF8.self)),
      "new": .string(String(decoding: new.note.bytes, as: UTF8.self)),
      "consistency": .array(path.map { .string($0.description) }),
    ]
  }

  /// Total: throws what is wrong with an object that is no proof.
  package init(_ value: JSONValue) throws {
    var keys = ProofKeys(value)
    guard try keys.text("format") == Self.format else { throw ProofKeys.wrong("format") }
    old = try keys.note("old")
    new = try keys.note("new")
    path = try keys.hashes("consistency")
    try keys.expectNoMore()
  }

  /// What is wrong with the proof; nothing if it holds.
  package var problems: [String] {
    if old.checkpoint.origin != new.checkpoint.origin { return ["the two checkpoints are of different archives"] }
    let holds = MerkleProof.verifyConsistency(
      from: old.checkpoint.size, oldRoot: old.checkpoint.root, to: new.checkpoint.size, root: new.checkpoint.root,
      path: path)
    return holds
      ? []
      : [
        "it does not show that the \(old.checkpoint.size) calls of the old checkpoint are the first of the "
          + "\(new.checkpoint.size) of the new one"
      ]
  }
}

/// Reads the members of a proof, each once and none that nobody asked for: nothing would prove those.
struct ProofKeys {
  private let value: JSONValue
  private var read: Set<String> = []

  init(_ value: JSONValue) { self.value = value }

  static func wrong(_ key: String) -> TapeError { TapeError(.failed, "'\(key)' is missing or not what it should be") }

  mutating func read<T>(_ key: String, _ convert: (JSONValue) -> T?) throws -> T {
    read.insert(key)
    guard let result = value[key].flatMap(convert) else { throw Self.wrong(key) }
    return result
  }

  mutating func text(_ key: String) throws -> String { try read(key) { $0.string } }

  /// nil for null; the key has to be there.
  mutating func optionalText(_ key: String) throws -> String? {
    try read(key) { value -> String?? in value.isNull ? .some(nil) : value.string.map { .some($0) } }
  }

  mutating func hash(_ key: String) throws -> MerkleHash {
    try read(key) { $0.string.flatMap { MerkleHash(hex: $0.utf8) } }
  }

  mutating func hashes(_ key: String) throws -> [MerkleHash] {
    try read(key) { value in
      guard let list = value.array, list.count <= 128 else { return nil }
      let hashes = list.compactMap { $0.string.flatMap { MerkleHash(hex: $0.utf8) } }
      return hashes.count == list.count ? hashes : nil
    }
  }

  mutating func note(_ key: String) throws -> CheckpointNote {
    try read(key) { $0.string.flatMap { CheckpointNote(Array($0.utf8)) } }
  }

  func expectNoMore() throws {
    let keys = value.members?.map(\.key) ?? []
    if let extra = keys.first(where: { !read.contains($0) }) {
      throw TapeError(.failed, "'\(extra)' is no part of a proof, and nothing proves it")
    }
    guard Set(keys).count == keys.count else { throw TapeError(.failed, "it says something twice") }
  }
}
