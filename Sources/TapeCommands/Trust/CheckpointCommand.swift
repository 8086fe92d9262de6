internal import ArgumentParser
internal import TapeArchive
internal import TapeTypes

/// `tapedeck checkpoint`
struct CheckpointCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "checkpoint", abstract: "State the archive's root, to be kept elsewhere.",
    discussion: """
      Prints a note of three lines: which archive, how many calls are sealed, and the root of the tree of all of \
      them (c2sp.org/tlog-checkpoint). Keep it where the archive cannot be reached from: `tapedeck verify \
      --checkpoint FILE` then tells of every call that was changed or removed since, the newest too.

      Example: tapedeck checkpoint --sign audit.key > 2026-11-23.checkpoint
      """)

  @Option(help: ArgumentHelp("Sign it with this key (Ed25519).", valueName: "keyfile")) var sign: String?
  @Option(help: ArgumentHelp("Make a signing key and print the verifier key that belongs to it.", valueName: "file"))
  var newKey: String?
  @Option(
    help: ArgumentHelp("The new key's name (default: the name that the store's checkpoints have).", valueName: "name"))
  var name: String?
  @OptionGroup var store: StoreOption

  func validate() throws {
    if newKey != nil, sign != nil { throw ValidationError("give --new-key or --sign, not both") }
    if name != nil, newKey == nil { throw ValidationError("--name is the name of a new key: give --new-key too") }
  }

  func run() throws {
    if let newKey { return try makeKey(newKey) }
    let key = try sign.map(TrustFiles.signingKey)
    let store = try store.open(.reading)
    var note = try ProofMaker(store: store).checkpoint()
    if let key { note = try note.signed(with: key) }
    StandardOutput.write(note.note.bytes)
    let files = try ArchiveReader(store: store).files()
    if files.contains(where: { $0.kind == .journal && $0.bytes > 0 }) {
      StandardOutput.note(
        "tapedeck: calls in journals are not in it yet; tapedeck seal puts those that have ended into the archive's tree"
      )
    }
  }

  private func makeKey(_ path: String) throws {
    let name = try self.name ?? store.open(.reading).origin()
    guard let key = NoteSigningKey(newWithName: name) else {
      throw TapeError(.usage, "--name '\(name)': a key's name has no spaces and no plus, and is not empty")
    }
    try TrustFiles.create(path, key.secretText + "\n")
    StandardOutput.write("\(key.verifier)\n")
  }
}
