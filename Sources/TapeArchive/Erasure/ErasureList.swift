internal import CTapeShims
package import TapeTypes

/// The calls that are to be erased and are not gone from everywhere yet: `archive/erasures`.
///
/// It is written before anything is erased, so that an erasure that was interrupted goes on, and that a call which
/// still streams is erased when it ends. It names calls by their id only: who they were of does not stand in it.
package struct ErasureList: Sendable, Equatable {
  package struct Entry: Sendable, Equatable {
    package var id: CallID
    /// Wall clock, ns since 1970.
    package var askedAtNs: Int64
    /// Token totals stay (`--keep-usage`).
    package var keepsUsage: Bool
    /// A tombstone is all that the archive has of it; what is left to clean is the catalogue.
    package var isOutOfArchive = false
  }

  static let name = "erasures"
  static let magic = "tapedeck-erasures/1"
  private static let magicName = "tapedeck-erasures/"
  private static let explanation = "Calls that are being erased: crc32c, when asked (ns), where from, what stays, id."
  private static let mostBytes = 1 << 30

  package private(set) var entries: [CallID: Entry] = [:]
  /// Lines that are not what was written; they are kept, and said, until someone looks at them.
  private(set) var badLines: [[UInt8]] = []

  package init() {}

  package var isEmpty: Bool { entries.isEmpty && badLines.isEmpty }

  package subscript(id: CallID) -> Entry? {
    get { entries[id] }
    set { entries[id] = newValue }
  }

  /// Calls of which the archive has more than a tombstone, or may have.
  var inArchive: [CallID] { entries.values.filter { !$0.isOutOfArchive }.map(\.id).sorted() }

  /// Takes a request in. Who asks twice, once without keeping the usage, wants it gone.
  mutating func add(_ id: CallID, askedAtNs: Int64, keepsUsage: Bool) {
    let asked = entries[id]
    entries[id] = Entry(
      id: id, askedAtNs: asked?.askedAtNs ?? askedAtNs, keepsUsage: keepsUsage && asked?.keepsUsage != false)
  }

  // MARK: The file

  /// What the file says; nothing if there is none.
  ///
  /// - Throws: `FileError`; `TapeError` `.newerVersion`.
  package init(_ store: Store) throws {
    let path = store.archivePath + "/" + Self.name
    guard try store.files.status(path) != nil else { return }
    let lines = try store.files.contents(path, limit: Self.mostBytes).split(separator: 0x0A)
    let first = lines.first.map { String(decoding: $0, as: UTF8.self) } ?? ""
    if first != Self.magic, first.hasPrefix(Self.magicName) {
      throw TapeError(
        .newerVersion,
        "\(path) is a \(first), this program knows \(Self.magic); nothing was changed, use a newer tapedeck")
    }
    for line in lines where line.first != 0x23 && !line.elementsEqual(Self.magic.utf8) {
      if let entry = Self.entry(line) { entries[entry.id] = entry } else { badLines.append(Array(line)) }
    }
  }

  private static func entry(_ line: ArraySlice<UInt8>) -> Entry? {
    let words = line.split(separator: 0x20, omittingEmptySubsequences: false)
    guard words.count == 5, let crc = Hex.bytes(words[0]), crc == checksum(line.dropFirst(9)),
      let asked = Int64(String(decoding: words[1], as: UTF8.self)),
      let id = CallID(String(decoding: words[4], as: UTF8.self))
    else { return nil }
    let (place, what) = (String(decoding: words[2], as: UTF8.self), String(decoding: words[3], as: UTF8.self))
    guard place == "archive" || place == "catalogue", what == "all" || what == "usage" else { return nil }
    return Entry(id: id, askedAtNs: asked, keepsUsage: what == "usage", isOutOfArchive: place == "catalogue")
  }

  private static func checksum(_ text: some Sequence<UInt8>) -> [UInt8] {
    let crc = CRC32C.of(Array(text))
    return (0..<4).map { UInt8(truncatingIfNeeded: crc >> (24 - 8 * $0)) }
  }

  /// Makes the file say this; without entries there is none.
  func write(to store: Store) throws(FileError) {
    let path = store.archivePath + "/" + Self.name
    guard !isEmpty else {
      guard try store.files.status(path) != nil else { return }
      try store.files.unlink(path)
      return try store.files.syncDirectory(store.archivePath)
    }
    var text = Array("\(Self.magic)\n# \(Self.explanation)\n".utf8)
    for entry in entries.values.sorted(by: { $0.id < $1.id }) {
      let (place, what) = (entry.isOutOfArchive ? "catalogue" : "archive", entry.keepsUsage ? "usage" : "all")
      let line = Array("\(entry.askedAtNs) \(place) \(what) \(entry.id)".utf8)
      text += Array(Hex.string(Self.checksum(line)).utf8) + [0x20] + line + [0x0A]
    }
    for line in badLines { text += line + [0x0A] }
    try store.files.replace(path, with: text, in: store.archivePath)
  }
}

extension ErasureList {
  /// What is asked for and not done; cheap where there is nothing.
  ///
  /// - Throws: `TapeError` `.io`, `.newerVersion`.
  package static func pending(in store: Store) throws -> [Entry] {
    do {
      return try Array(ErasureList(store).entries.values)
    } catch let error as FileError {
      // Done between asking and reading.
      if error.isMissing { return [] }
      throw TapeError(.io, "cannot read \(store.archivePath)/\(name): \(error.reason)")
    }
  }

  /// What to say about lines that cannot be read.
  var damage: [Damage] {
    badLines.isEmpty
      ? []
      : [
        Damage(
          file: Self.name, offset: 0, calls: [],
          message: "\(badLines.count) of its lines are not what was written: erase again what they asked for, then "
            + "remove them")
      ]
  }
}
