internal import Crypto
package import TapeTypes

/// What is kept of a segment that retention removes: which calls it had, and their leaf hashes, so that the tree and
/// all checkpoints stand. A file `S-….leaves` beside the segments; see `schema/archive.md`.
package struct LeafList: Equatable, Sendable {
  package struct Leaf: Equatable, Sendable {
    package var id: CallID
    package var hash: MerkleHash

    package init(id: CallID, hash: MerkleHash) {
      self.id = id
      self.hash = hash
    }
  }

  /// First word of the file. The number is the major version.
  package static let magic = "tapedeck-leaves/1"
  package static let suffix = ".leaves"
  private static let mostBytes = 1 << 30

  /// Name of the segment.
  package var segment: String
  /// When it was removed, ns since 1970.
  package var removedAtNs: Int64
  package var place: TreePlace
  package var leaves: [Leaf]

  package init(segment: String, removedAtNs: Int64, place: TreePlace, leaves: [Leaf]) {
    self.segment = segment
    self.removedAtNs = removedAtNs
    self.place = place
    self.leaves = leaves
  }

  /// The leaf list's name for a segment's, and back.
  package static func fileName(ofSegment name: String) -> String { name.dropLast(".tape.zst".utf8.count) + suffix }

  package static func segmentName(of fileName: String) -> String? {
    guard fileName.hasSuffix(suffix) else { return nil }
    let name = fileName.dropLast(suffix.utf8.count) + ".tape.zst"
    return SegmentFormat.parse(fileName: String(name)) == nil ? nil : String(name)
  }

  package var text: [UInt8] {
    var text = Array(
      "\(Self.magic) \(segment) \(removedAtNs)\n\(Self.explanation)\(place.line(count: leaves.count))".utf8)
    text.reserveCapacity(text.count + leaves.count * 92 + 80)
    for leaf in leaves { text += Array("\(leaf.id) \(leaf.hash)\n".utf8) }
    return text + Array("sha256 \(Hex.string(SHA256.hash(data: text)))\n".utf8)
  }

  private static let explanation = """
    # The segment named above was removed because its time had come. These were its calls, with their leaf hashes:
    # they keep the archive's tree and its checkpoints whole. See schema/archive.md of the tapedeck project.

    """

  /// Total: throws on what is no leaf list, whatever the bytes.
  ///
  /// - Throws: `TapeError` `.corrupt`, `.newerVersion`.
  package init(_ text: [UInt8], fileName: String) throws {
    func corrupt(_ what: String) -> TapeError { TapeError(.corrupt, "the leaf list \(fileName) is damaged: \(what)") }
    let trailer = "sha256 ".utf8.count + 64 + 1
    guard text.count > trailer else { throw corrupt("it is too short") }
    let body = Array(text.dropLast(trailer))
    let sum = Array("sha256 \(Hex.string(SHA256.hash(data: body)))\n".utf8)
    guard text.suffix(trailer).elementsEqual(sum) else { throw corrupt("its checksum is not that of its content") }
    var head: (segment: String, removedAtNs: Int64)?
    var place: (place: TreePlace, count: Int)?
    var leaves: [Leaf] = []
    try TextLines.forEach(body) { line in
      var fields = JournalFields(line)
      if head == nil {
        let magic = String(decoding: fields.text(), as: UTF8.self)
        guard magic == Self.magic else {
          throw magic.hasPrefix("tapedeck-leaves/")
            ? TapeError(.newerVersion, "the leaf list \(fileName) is a \(magic), this program knows \(Self.magic)")
            : corrupt("it does not begin as one does")
        }
        let segment = String(decoding: fields.text(), as: UTF8.self)
        guard segment == Self.segmentName(of: fileName), let removed = fields.int() else {
          throw corrupt("its first line does not fit its name")
        }
        head = (segment, Int64(removed))
      } else if line.first == 0x23 {
        if place == nil { place = TreePlace.parse(line) }
      } else {
        guard let id = fields.callID(), let hash = MerkleHash(hex: fields.text()), fields.text().isEmpty else {
          throw corrupt("a line that is no leaf")
        }
        leaves.append(Leaf(id: id, hash: hash))
      }
    }
    guard let head, let place, place.count == leaves.count else { throw corrupt("it has not the leaves it states") }
    self.init(segment: head.segment, removedAtNs: head.removedAtNs, place: place.place, leaves: leaves)
  }

  /// - Throws: `TapeError` `.corrupt`, `.newerVersion`, `.io`.
  package init(store: Store, name: String) throws {
    do {
      try self.init(store.files.contents(store.archivePath + "/" + name, limit: Self.mostBytes), fileName: name)
    } catch let error as FileError {
      throw TapeError(
        error.isMissing ? .notFound : .io, "cannot read the leaf list \(store.archivePath)/\(name): \(error.reason)")
    }
  }

  /// Writes the list beside its segment: temporary file, sync, read back, rename, sync of the directory. The segment is left to
  /// whoever removes it. Under the store lock.
  package func write(to store: Store) throws(FileError) {
    let path = store.archivePath + "/" + Self.fileName(ofSegment: segment)
    try store.files.replace(path, with: text, in: store.archivePath)
  }
}
