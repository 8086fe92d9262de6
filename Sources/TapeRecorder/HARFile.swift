import TapeArchive
import TapeJSON
import TapeTypes

/// Takes an HTTP Archive apart while it is read: its entries one by one, and what is around them. Memory holds one
/// entry, whatever the size of the file.
struct HARFile {
  /// What stands around the entries, pages among it, is no more than this.
  private static let mostAround = 64 << 20
  static let mostEntryBytes = 256 << 20

  private enum Place {
    case around
    /// In the list of entries; `needsComma` behind an entry.
    case entries(needsComma: Bool, isFirst: Bool)
    /// In an entry, so many levels deep.
    case entry(depth: Int)
    /// In an entry that is no object: a mistake, which its reader names.
    case word
  }

  private let deliver: ([UInt8]) throws -> Void
  private var place = Place.around
  private var around: [UInt8] = []
  private var entry: [UInt8] = []
  private var isInString = false
  private var isEscaped = false
  private var position = 0
  private var hasEntries = false
  /// Where the string that ended last began in `around`, to tell keys.
  private var lastString = 0..<0
  /// For each open object or list around the entries the key that it belongs to, in JSON's own writing.
  private var path: [[UInt8]] = []
  private var lastKey: [UInt8] = []

  /// - Parameter deliver: takes the JSON of each entry.
  init(deliver: @escaping ([UInt8]) throws -> Void) { self.deliver = deliver }

  /// Whether a file that begins so is meant to be an archive: an object whose first member is `log`.
  static func isOne(beginning bytes: UnsafeRawBufferPointer) -> Bool {
    var rest = bytes[...]
    if rest.starts(with: [0xEF, 0xBB, 0xBF]) { rest = rest.dropFirst(3) }
    for piece in ["{", "\"log\"", ":"] {
      rest = rest.drop { $0 == 0x20 || $0 == 0x09 || $0 == 0x0A || $0 == 0x0D }
      guard rest.starts(with: piece.utf8) else { return false }
      rest = rest.dropFirst(piece.utf8.count)
    }
    return true
  }

  /// - Throws: `TapeError` `.failed` for what is no archive, and what `deliver` throws.
  mutating func feed(_ bytes: UnsafeRawBufferPointer) throws {
    for byte in bytes {
      // A byte order mark is no JSON, and some tools write one.
      if position < 3, byte == [0xEF, 0xBB, 0xBF][position] {
        position += 1
        continue
      }
      try take(byte)
      position += 1
    }
  }

  /// - Throws: `TapeError` `.failed` when the file ended too early, or what is around the entries is not as it should be.
  func finish() throws {
    guard case .around = place else { throw TapeError(.failed, "it ends inside its entries") }
    let document: JSONValue
    do { document = try JSONValue(parsing: around) } catch {
      throw TapeError(
        .failed, isInString || !path.isEmpty ? "it ends too early" : "it is no JSON: \(error.description)")
    }
    guard let log = document["log"], log.members != nil else { throw TapeError(.failed, "it has no object 'log'") }
    guard let entries = log["entries"], entries.array != nil, hasEntries else {
      throw TapeError(.failed, "its log has no list 'entries'")
    }
    if let version = log["version"]?.string, !version.isEmpty, !version.hasPrefix("1.") {
      throw TapeError(.failed, "it is of version \(version.prefix(20)); this program reads 1.1, 1.2 and 1.3")
    }
  }

  private mutating func take(_ byte: UInt8) throws {
    switch place {
    case .around: try takeAround(byte)
    case .entries(let needsComma, let isFirst): try takeBetween(byte, needsComma, isFirst)
    case .entry(let depth): try takeEntry(byte, depth)
    case .word:
      if byte == 0x2C || byte == 0x5D {
        try end()
        try takeBetween(byte, true, false)
      } else {
        try append(byte)
      }
    }
  }

  private mutating func takeAround(_ byte: UInt8) throws {
    guard around.count < Self.mostAround else { throw TapeError(.failed, "it has over 64 MiB beside its entries") }
    around.append(byte)
    if isInString {
      takeInString(byte)
      if !isInString { lastString = lastString.lowerBound..<around.count }
      return
    }
    switch byte {
    case 0x22:
      isInString = true
      lastString = around.count - 1..<around.count
    case 0x3A: lastKey = Array(around[lastString])
    case 0x7B, 0x5B:
      guard path.count < JSONValue.maximumDepth else { throw TapeError(.failed, "it is nested too deep") }
      path.append(lastKey)
      lastKey = []
      if byte == 0x5B, path.count == 3, path[1].elementsEqual("\"log\"".utf8), path[2].elementsEqual("\"entries\"".utf8)
      {
        guard !hasEntries else { throw TapeError(.failed, "its log has 'entries' twice") }
        hasEntries = true
        place = .entries(needsComma: false, isFirst: true)
      }
    case 0x7D, 0x5D: if !path.isEmpty { path.removeLast() }
    default: break
    }
  }

  private mutating func takeBetween(_ byte: UInt8, _ needsComma: Bool, _ isFirst: Bool) throws {
    switch byte {
    case 0x20, 0x09, 0x0A, 0x0D: return
    case 0x2C where needsComma: place = .entries(needsComma: false, isFirst: false)
    case 0x5D where needsComma || isFirst:
      around.append(byte)
      path.removeLast()
      place = .around
    case _ where needsComma || byte == 0x2C || byte == 0x5D: throw TapeError(.failed, "its entries are no list of JSON")
    case 0x7B, 0x5B:
      try append(byte)
      place = .entry(depth: 1)
    default:
      try append(byte)
      place = .word
    }
  }

  private mutating func takeEntry(_ byte: UInt8, _ depth: Int) throws {
    try append(byte)
    if isInString { return takeInString(byte) }
    switch byte {
    case 0x22: isInString = true
    case 0x7B, 0x5B: place = .entry(depth: depth + 1)
    case 0x7D, 0x5D:
      place = .entry(depth: depth - 1)
      if depth == 1 { try end() }
    default: break
    }
  }

  private mutating func takeInString(_ byte: UInt8) {
    if isEscaped {
      isEscaped = false
    } else if byte == 0x5C {
      isEscaped = true
    } else if byte == 0x22 {
      isInString = false
    }
  }

  private mutating func append(_ byte: UInt8) throws {
    guard entry.count < Self.mostEntryBytes else { throw TapeError(.failed, "it has an entry of over 256 MiB") }
    entry.append(byte)
  }

  private mutating func end() throws {
    place = .entries(needsComma: true, isFirst: false)
    defer { entry.removeAll(keepingCapacity: entry.capacity < 1 << 20) }
    try deliver(entry)
  }
}
