package import TapeTypes

/// The usage facts of many calls by columns, so that sums read a few bytes a call instead of its row.
///
/// Names are numbers into a list of the block's own. Where a call has no value, a column has `none`.
public struct UsageBlock: Sendable {
  /// No value. Nothing that is counted comes near it.
  @inlinable public static var none: Int { Int.min }

  /// What a column has of a call; nil for `none`.
  @inlinable public static func known(_ value: Int) -> Int? { value == none ? nil : value }

  package private(set) var count: Int
  /// For each name column the texts that it has. Columns behind the fixed ones are what else was selected.
  package private(set) var texts: [TextList] = []
  /// For each name column, then for each number column: for each call the place in `texts`, the number, or `none`.
  private var values: [Int] = []

  package init(_ rows: [UsageRow]) {
    count = rows.count
    for column in 0..<(rows.first?.names.count ?? UsageRow.Name.allCases.count) {
      var list = TextNumbers()
      for row in rows { values.append(row.names[column].map { list.number($0) } ?? Self.none) }
      texts.append(list.texts)
    }
    for column in UsageRow.Number.allCases.indices { values += rows.map { $0.numbers[column] ?? Self.none } }
  }

  /// Reads the columns without copying them; those of no calls are not read.
  package func withColumns(_ body: (UsageColumns) throws -> Void) rethrows {
    try values.withUnsafeBufferPointer { values in
      guard count > 0, let base = values.baseAddress else { return }
      try body(UsageColumns(base: base, count: count, names: texts.count))
    }
  }

  private func column(_ index: Int) -> ArraySlice<Int> { values[(index * count)..<((index + 1) * count)] }
}

/// The columns of a block, while they are read: each has `count` numbers, or `UsageBlock.none`.
package struct UsageColumns {
  @usableFromInline let base: UnsafePointer<Int>
  package let count: Int
  @usableFromInline let names: Int

  init(base: UnsafePointer<Int>, count: Int, names: Int) {
    self.base = base
    self.count = count
    self.names = names
  }

  /// Places in the name column's texts.
  @inlinable package subscript(_ name: UsageRow.Name) -> UnsafePointer<Int> { self[name: name.rawValue] }

  /// The same of any name column, as `UsageBlock.texts` has them.
  @inlinable package subscript(name index: Int) -> UnsafePointer<Int> { base + index * count }

  @inlinable package subscript(_ number: UsageRow.Number) -> UnsafePointer<Int> {
    base + (names + number.rawValue) * count
  }
}

// MARK: As bytes

/// `data` is u32 calls, then the name columns but for the threads, then the number columns. A number column is u8 width
/// (0, 1, 2, 4 or 8), i64 base, and for each call an unsigned number of that width, little-endian: the difference to the
/// base, or all ones for no value; width 0 says that no call has one. A name column is u32 texts, for each text u32 bytes
/// and its UTF-8, and a number column with each call's place in the texts. `threads` is u32 calls and the name column of
/// the threads: nearly half of the bytes, and rarely asked for.
extension UsageBlock {
  package var bytes: (data: [UInt8], threads: [UInt8]) {
    var (data, threads): ([UInt8], [UInt8]) = ([], [])
    data.append(number: UInt32(count))
    threads.append(number: UInt32(count))
    for name in UsageRow.Name.allCases {
      if name == .thread { append(name, to: &threads) } else { append(name, to: &data) }
    }
    for number in UsageRow.Number.allCases { Self.append(column(texts.count + number.rawValue), to: &data) }
    return (data, threads)
  }

  private func append(_ name: UsageRow.Name, to out: inout [UInt8]) {
    out.append(number: UInt32(texts[name.rawValue].count))
    let texts = texts[name.rawValue]
    for place in texts.indices {
      texts.withBytes(of: place) { text in
        out.append(number: UInt32(text.count))
        out += text
      }
    }
    Self.append(column(name.rawValue), to: &out)
  }

  private static func append(_ column: ArraySlice<Int>, to out: inout [UInt8]) {
    let known = column.lazy.filter { $0 != none }
    guard let base = known.min(), let top = known.max() else {
      out.append(0)
      out.append(number: UInt64(0))
      return
    }
    let span = UInt64(bitPattern: Int64(top)) &- UInt64(bitPattern: Int64(base))
    let width = span < 0xFF ? 1 : span < 0xFFFF ? 2 : span < 0xFFFF_FFFF ? 4 : 8
    out.append(UInt8(width))
    out.append(number: UInt64(bitPattern: Int64(base)))
    for value in column {
      let stored = value == none ? UInt64.max : UInt64(bitPattern: Int64(value)) &- UInt64(bitPattern: Int64(base))
      for byte in 0..<width { out.append(UInt8(truncatingIfNeeded: stored >> (8 * UInt64(byte)))) }
    }
  }

  /// - Parameters:
  ///   - threads: nil if they are not read.
  ///   - wanted: the name columns that are read; of the others every call has no value. All numbers are read.
  /// - Returns: nil if the bytes are no block.
  package init?(
    _ data: UnsafeRawBufferPointer, threads: UnsafeRawBufferPointer?, names wanted: Set<UsageRow.Name>
  ) {
    self.init([])
    guard read(data, threads: threads, names: wanted) else { return nil }
  }

  /// Becomes another block, in the memory of this one: touching new memory for each would be a third of the work.
  ///
  /// - Returns: false if the bytes are no block; nothing may be read then.
  mutating func read(
    _ data: UnsafeRawBufferPointer, threads: UnsafeRawBufferPointer?, names wanted: Set<UsageRow.Name>
  ) -> Bool {
    var reader = BlockReader(bytes: data)
    guard let count = reader.number(UInt32.self).map(Int.init), count <= data.count else { return false }
    self.count = count
    texts.removeAll(keepingCapacity: true)
    let size = (UsageRow.Name.allCases.count + UsageRow.Number.allCases.count) * count
    // One at least, so that there is a base.
    if values.count <= size { values += repeatElement(0, count: size + 1 - values.count) }
    return values.withUnsafeMutableBufferPointer { values in
      guard var column = values.baseAddress else { return false }
      for name in UsageRow.Name.allCases {
        let isWanted = wanted.contains(name)
        let read =
          name == .thread
          ? Self.readThreads(threads, count, into: column) : reader.names(count, skipping: !isWanted, into: column)
        guard let read else { return false }
        texts.append(read)
        column += count
      }
      for _ in UsageRow.Number.allCases {
        guard reader.column(count, skipping: false, into: column) else { return false }
        column += count
      }
      return reader.isAtEnd
    }
  }

  private static func readThreads(
    _ bytes: UnsafeRawBufferPointer?, _ count: Int, into column: UnsafeMutablePointer<Int>
  ) -> TextList? {
    guard let bytes else {
      column.initialize(repeating: none, count: count)
      return TextList()
    }
    var reader = BlockReader(bytes: bytes)
    guard reader.number(UInt32.self).map(Int.init) == count,
      let texts = reader.names(count, skipping: false, into: column), reader.isAtEnd
    else { return nil }
    return texts
  }
}

private struct BlockReader {
  let bytes: UnsafeRawBufferPointer
  private var position = 0

  init(bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

  var isAtEnd: Bool { position == bytes.count }

  mutating func number<Number: FixedWidthInteger>(_: Number.Type) -> Number? {
    guard bytes.count - position >= MemoryLayout<Number>.size else { return nil }
    defer { position += MemoryLayout<Number>.size }
    return Number(littleEndian: bytes.loadUnaligned(fromByteOffset: position, as: Number.self))
  }

  mutating func texts(skipping: Bool) -> TextList? {
    guard let count = number(UInt32.self).map(Int.init), count <= bytes.count else { return nil }
    var texts = TextList()
    // Names are short; the room grows for those that are not.
    if !skipping { texts.reserve(texts: count, bytes: 16 * count) }
    for _ in 0..<count {
      guard let length = number(UInt32.self).map(Int.init), length <= bytes.count - position else { return nil }
      if !skipping { texts.append(UnsafeRawBufferPointer(rebasing: bytes[position..<(position + length)])) }
      position += length
    }
    return texts
  }

  /// A name column: its texts, and each call's place in them.
  mutating func names(_ count: Int, skipping: Bool, into column: UnsafeMutablePointer<Int>) -> TextList? {
    guard let texts = texts(skipping: skipping), self.column(count, skipping: skipping, into: column) else {
      return nil
    }
    if skipping { return texts }
    let places = UnsafeBufferPointer(start: column, count: count)
    return places.allSatisfy { $0 == UsageBlock.none || (0..<texts.count).contains($0) } ? texts : nil
  }

  /// The numbers of a column; every one `none` when it is skipped.
  ///
  /// - Returns: false if there is no such column.
  mutating func column(_ count: Int, skipping: Bool, into column: UnsafeMutablePointer<Int>) -> Bool {
    guard let width = number(UInt8.self).map(Int.init), let base = number(Int64.self).map(Int.init),
      [0, 1, 2, 4, 8].contains(width), width * count <= bytes.count - position
    else { return false }
    defer { position += width * count }
    switch skipping ? 0 : width {
    case 1: widen(UInt8.self, count, base, into: column)
    case 2: widen(UInt16.self, count, base, into: column)
    case 4: widen(UInt32.self, count, base, into: column)
    case 8: widen(UInt64.self, count, base, into: column)
    default: column.initialize(repeating: UsageBlock.none, count: count)
    }
    return true
  }

  private func widen<Stored: FixedWidthInteger & UnsignedInteger>(
    _: Stored.Type, _ count: Int, _ base: Int, into column: UnsafeMutablePointer<Int>
  ) {
    guard let start = bytes.baseAddress.map({ $0 + position }) else { return }
    for index in 0..<count {
      let stored = start.loadUnaligned(fromByteOffset: index &* MemoryLayout<Stored>.size, as: Stored.self)
      let number = Stored(littleEndian: stored)
      column[index] = number == .max ? UsageBlock.none : base &+ Int(truncatingIfNeeded: number)
    }
  }
}

extension [UInt8] {
  fileprivate mutating func append(number: some FixedWidthInteger) {
    Swift.withUnsafeBytes(of: number.littleEndian) { append(contentsOf: $0) }
  }
}
