internal import TapeJSON
internal import TapeTypes

/// The checkpoint that a store keeps of itself, `archive/checkpoint`: what its tree was when it last sealed.
extension Store {
  package static let checkpointFile = "checkpoint"
  /// The line of the store's own checkpoint that has the tree's peaks, so that sealing can go on behind a segment that
  /// is gone; and the last one, that has the CRC32C of the text before it.
  static let peaksLine = "peaks"
  static let sumLine = "crc32c"

  /// Which log the checkpoints of this store are of: it was made at this moment.
  ///
  /// - Throws: `TapeError` `.corrupt`, `.io`.
  package func origin() throws -> String {
    do {
      // What cannot be read now says nothing of what is in it.
      let content = try files.contents(path + "/" + Self.marker, limit: 1 << 16)
      let marker = try? JSONValue(parsing: content)
      guard let created = marker?["created"]?.string else {
        throw TapeError(.corrupt, "\(path)/\(Self.marker) does not say when the store was created")
      }
      let origin = "tapedeck/" + created
      guard NoteKeyName.isValid(origin) else {
        throw TapeError(.corrupt, "\(path)/\(Self.marker) has a creation time that is none")
      }
      return origin
    } catch let error as FileError {
      throw TapeError(.io, "cannot read \(path)/\(Self.marker): \(error.reason)")
    }
  }

  /// What the store wrote of itself at its last seal; nil where nothing was sealed yet.
  ///
  /// - Throws: `TapeError` `.corrupt`, `.io`.
  package func ownCheckpoint() throws -> CheckpointNote? {
    let name = archivePath + "/" + Self.checkpointFile
    do {
      guard try files.status(name) != nil else { return nil }
      guard let note = CheckpointNote(try files.contents(name, limit: 1 << 20)), note.note.signatures.isEmpty,
        note.checkpoint.isWhole, try note.checkpoint.origin == origin()
      else {
        throw TapeError(
          .corrupt, "\(name) is not the checkpoint that was written; without it, the next seal writes a new one")
      }
      return note
    } catch let error as FileError {
      throw TapeError(.io, "cannot read \(name): \(error.reason)")
    }
  }

  /// Writes the store's own checkpoint. Under the store lock.
  func writeCheckpoint(of tree: CompactTree, origin: String) throws(FileError) {
    var checkpoint = Checkpoint(origin: origin, tree: tree)
    checkpoint.extensions = [([Self.peaksLine] + tree.peaks.map { Base64.string($0.bytes) }).joined(separator: " ")]
    checkpoint.extensions.append(Self.sumLine + " " + checkpoint.sum)
    try replaceArchiveFile(Self.checkpointFile, Array(checkpoint.text.utf8))
  }

  /// Gives a file of the archive this content, or leaves it as it was: whoever reads it sees one or the other.
  func replaceArchiveFile(_ name: String, _ content: [UInt8]) throws(FileError) {
    let target = archivePath + "/" + name
    let temporary = target + ".tmp"
    if try files.status(temporary) != nil { try files.unlink(temporary) }
    let descriptor = try files.open(temporary, .create)
    do throws(FileError) {
      try files.writeAll(descriptor, content)
      try files.sync(descriptor)
    } catch {
      files.close(descriptor)
      throw error
    }
    files.close(descriptor)
    try files.rename(temporary, to: target)
    try files.syncDirectory(archivePath)
  }
}

extension Checkpoint {
  /// CRC32C of the text.
  fileprivate var sum: String {
    Hex.string(withUnsafeBytes(of: CRC32C.of(Array(text.utf8)).bigEndian) { Array($0) })
  }

  /// True if the last line is the checksum of those before.
  fileprivate var isWhole: Bool {
    var start = self
    return start.extensions.popLast() == Store.sumLine + " " + start.sum
  }

  /// The tree that goes on from here, as a store says it of itself.
  var tree: CompactTree? {
    let words = extensions.first?.split(separator: " ") ?? []
    guard isWhole, words.first == Store.peaksLine[...] else { return nil }
    let peaks = words.dropFirst().compactMap { Base64.exactBytes(Array($0.utf8)[...]).flatMap { MerkleHash($0) } }
    guard let tree = CompactTree(size: size, peaks: peaks), tree.root == root else { return nil }
    return tree
  }
}
