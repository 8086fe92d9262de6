internal import ArgumentParser
internal import TapeArchive
internal import TapeJSON
internal import TapeTypes

/// `tapedeck proof`
struct ProofCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "proof", abstract: "Export, or check, the proof that a call is in the archive.",
    discussion: """
      `proof CALL` prints a JSON object that shows that the call is one of those a checkpoint was made of. It has the \
      request and all that is known of the call, and the SHA-256 of the response, not the response; with --bare only \
      hashes. `proof --check FILE` needs nothing but the file. `proof --consistency OLD NEW` proves that nothing \
      of one checkpoint's archive was changed up to another (NEW may be left out: the archive as it is).

      Example: tapedeck proof @1 --checkpoint audit.checkpoint > call.proof
      Example: tapedeck proof --check call.proof
      """)

  @Argument(help: ArgumentHelp("The call.", valueName: "call")) var call: String?
  @Option(help: ArgumentHelp("Check this proof; - is stdin.", valueName: "file")) var check: String?
  @Option(
    name: .customLong("consistency"), parsing: .upToNextOption,
    help: ArgumentHelp("Prove that the archive of one checkpoint goes on in that of another.", valueName: "old new"))
  var consistency: [String] = []
  @Option(
    help: ArgumentHelp("The checkpoint to prove for, or that the proof has to be for.", valueName: "file"))
  var checkpoint: String?
  @Option(
    help: ArgumentHelp("Whose signature the checkpoint has to have: a verifier key, or its file.", valueName: "key"))
  var key: String?
  @Flag(help: "Without request and metadata: hashes only.") var bare = false
  @OptionGroup var store: StoreOption
  @OptionGroup var format: FormatOption

  func validate() throws {
    let ways = [call != nil, check != nil, !consistency.isEmpty].count { $0 }
    guard ways == 1 else { throw ValidationError("give a call, --check FILE, or --consistency OLD NEW") }
    guard consistency.count <= 2 else { throw ValidationError("--consistency takes an old and a new checkpoint") }
    if bare, call == nil { throw ValidationError("--bare is for the proof of a call") }
    if key != nil, check == nil { throw ValidationError("--key is for --check") }
    if checkpoint != nil, !consistency.isEmpty { throw ValidationError("--consistency takes its checkpoints itself") }
  }

  func run() throws {
    if let check { return try self.check(check) }
    if let old = consistency.first {
      let notes = try consistency.map(TrustFiles.checkpoint)
      let proof = try ProofMaker(store: store.open(.reading)).consistency(
        from: notes[0], to: notes.count > 1 ? notes[1] : nil)
      StandardOutput.write(json: proof.json.pretty)
      return StandardOutput.note("tapedeck: the archive of \(old) goes on unchanged in the other")
    }
    guard let call else { return }
    let store = try store.open(.reading)
    let id = try CallFinder(store: store).id(of: call)
    let note = try checkpoint.map(TrustFiles.checkpoint)
    let proof = try ProofMaker(store: store).proof(of: id, in: note, bare: bare)
    StandardOutput.write(json: proof.json.pretty)
  }

  // MARK: Checking

  private func check(_ path: String) throws {
    let value = try TrustFiles.proof(path)
    let key = try key.map(TrustFiles.verifierKey)
    let kept = try checkpoint.map(TrustFiles.checkpoint)
    do {
      if value["format"]?.string == ConsistencyProof.format {
        try report(ConsistencyProof(value), key, kept, path)
      } else {
        try report(CallProof(value), key, kept, path)
      }
    } catch let error as TapeError where error.code == .failed {
      throw TapeError(.failed, "\(path) is no proof that this program can check: \(error.description)")
    }
  }

  private func report(_ proof: CallProof, _ key: NoteVerifierKey?, _ kept: CheckpointNote?, _ path: String) throws {
    var problems = proof.problems
    let own = proof.note.checkpoint
    if let kept = kept?.checkpoint, kept.origin != own.origin || kept.size != own.size || kept.root != own.root {
      problems.append(
        kept.origin == own.origin && kept.size != own.size
          ? "it is for a checkpoint of \(own.size) calls, and the one given counts \(kept.size): make the proof for that "
            + "one with proof CALL --checkpoint, or prove that the two belong together with --consistency"
          : "it is for another checkpoint than the one given")
    }
    let covers =
      switch proof.content {
      case .call: "call"
      case .hashes: "leaf"
      case .erased: "erased"
      case .removed: "removed"
      }
    try print(
      [
        .init("call_id", .string(proof.id.description)), .init("leaf", .string(proof.leaf.description)),
        .init("leaf_number", .int(proof.leafNumber)), .init("covers", .string(covers)),
        .init("checkpoint", Self.json(own)),
      ], problems, [proof.note] + (kept.map { [$0] } ?? []), key, path
    ) {
      let what =
        switch proof.content {
        case .call: "call \(proof.id), with its request and the SHA-256 of its response,"
        case .hashes: "the leaf that is said to be call \(proof.id)"
        case .erased: "the leaf of call \(proof.id), which was erased,"
        case .removed: "the leaf of call \(proof.id), which retention removed,"
        }
      return "\(what) is number \(proof.leafNumber) of the \(own.size) calls of \(own.origin) with root \(own.root)"
    }
  }

  private func report(
    _ proof: ConsistencyProof, _ key: NoteVerifierKey?, _ kept: CheckpointNote?, _ path: String
  ) throws {
    var problems = proof.problems
    if let kept, ![proof.old, proof.new].contains(where: { $0.checkpoint == kept.checkpoint }) {
      problems.append("neither of its checkpoints is the one given")
    }
    let (old, new) = (proof.old.checkpoint, proof.new.checkpoint)
    try print(
      [.init("old", Self.json(old)), .init("new", Self.json(new))], problems, [proof.old, proof.new], key, path
    ) { "the \(old.size) calls of the old checkpoint are the first of the \(new.size) of the new one, unchanged" }
  }

  private static func json(_ checkpoint: Checkpoint) -> JSONValue {
    [
      "origin": .string(checkpoint.origin), "size": .int(checkpoint.size),
      "root": .string(checkpoint.root.description),
    ]
  }

  /// - Parameter notes: of which one has to be signed by the key.
  private func print(
    _ members: [JSONValue.Member], _ found: [String], _ notes: [CheckpointNote], _ key: NoteVerifierKey?,
    _ path: String, _ sentence: () -> String
  ) throws {
    var problems = found
    var signature: JSONValue = .null
    if let key {
      let verdicts = notes.map { $0.note.check(key) }
      let verdict: SignedNote.Verdict =
        verdicts.contains(.wrong) ? .wrong : verdicts.contains(.valid) ? .valid : .missing
      signature = .string(verdict.rawValue)
      if verdict == .missing { problems.append("its checkpoint has no signature by the key \(key.name)") }
      if verdict == .wrong { problems.append("its checkpoint is not what the key \(key.name) signed") }
    }
    let row = JSONValue.object(
      [.init("ok", .bool(problems.isEmpty))] + members
        + [.init("signature", signature), .init("problems", .array(problems.map { .string($0) }))])
    switch format.resolved {
    case .table, .markdown:
      if problems.isEmpty {
        let signed = key.map { ", signed by \($0.name)" } ?? ""
        StandardOutput.write(TerminalText.escaped("proven: \(sentence())\(signed)") + "\n")
      }
    case .json: StandardOutput.write(json: row.pretty)
    case .ndjson: StandardOutput.write(json: row.compact)
    case .csv: RowPrinter(format: .csv, columns: []).print([row])
    }
    for problem in problems {
      StandardOutput.note("tapedeck: \(TerminalText.escaped("\(path) proves nothing: \(problem)"))")
    }
    if !problems.isEmpty { throw ExitCode(2) }
  }
}
