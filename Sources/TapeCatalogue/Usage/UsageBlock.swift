/// The usage facts of many calls by columns, so that sums read a few bytes a call instead of its row.
///
/// Names are numbers into a list of the block's own. Where a call has no value, a column has `none`.
package struct UsageBlock: Sendable {
  /// No value. Nothing that is counted comes near it.
  @inlinable package static var none: Int { Int.min }

  /// What a column has of a call; nil for `none`.
  @inlinable package static func known(_ value: Int) -> Int? { value == none ? nil : value }

  package let count: Int
  /// For each name column the texts that it has.
  package private(set) var texts: [[String]] = []
  /// For each name column and call the place in `texts`, or `none`.
  package private(set) var names: [[Int]] = []
  /// For each number column and call the number, or `none`.
  package private(set) var numbers: [[Int]] = []

  package init(_ rows: [UsageRow]) {
    count = rows.count
    for column in 0..<(rows.first?.names.count ?? UsageRow.Name.allCases.count) {
      var places: [String: Int] = [:]
      var list: [String] = []
      names.append(
        rows.map { row in
          guard let text = row.names[column] else { return Self.none }
          if let place = places[text] { return place }
          places[text] = list.count
          list.append(text)
          return list.count - 1
        })
      texts.append(list)
    }
    for column in UsageRow.Number.allCases.indices {
      numbers.append(rows.map { $0.numbers[column] ?? Self.none })
    }
  }

  package subscript(_ name: UsageRow.Name) -> (texts: [String], places: [Int]) {
    (texts[name.rawValue], names[name.rawValue])
  }

  package subscript(_ number: UsageRow.Number) -> [Int] { numbers[number.rawValue] }
}

// MARK: As bytes

/// `u32 calls`, then the name columns, then the number columns. A number column is u8 width (0, 1, 2, 4 or 8), i64
/// base, and for each call an unsigned number of that width, little-endian: the difference to the base, or all ones for
/// no value; width 0 says that no call has one. A name column is u32 texts, for each text u32 bytes and its UTF-8, and
/// a number column with each call's place in the texts.
extension UsageBlock {
  package var bytes: [UInt8] {
    var out: [UInt8] = []
    out.append(number: UInt32(count))
    for (list, places) in zip(texts, names) {
      out.append(number: UInt32(list.count))
      for text in list {
        out.append(number: UInt32(text.utf8.count))
        out += text.utf8
      }
      Self.append(places, to: &out)
    }
    for column in numbers { Self.append(column, to: &out) }
    return out
  }

  private static func append(_ column: [Int], to out: inout [UInt8]) {
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
  ///   - wanted: the name columns that are read; of the others every call has no value. All numbers are read.
  /// - Returns: nil if the bytes are no block.
  package init?(_ bytes: UnsafeRawBufferPointer, names wanted: Set<UsageRow.Name>) {
    var reader = BlockReader(bytes: bytes)
    guard let count = reader.number(UInt32.self).map(Int.init), count <= bytes.count else { return nil }
    self.count = count
    for name in UsageRow.Name.allCases {
      guard let texts = reader.texts(skipping: !wanted.contains(name)),
        let places = reader.column(count, skipping: !wanted.contains(name)),
        places.allSatisfy({ $0 == Self.none || (0..<texts.count).contains($0) })
      else { return nil }
      self.texts.append(texts)
      names.append(places)
    }
    for _ in UsageRow.Number.allCases {
      guard let column = reader.column(count, skipping: false) else { return nil }
      numbers.append(column)
    }
    guard reader.isAtEnd else { return nil }
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

  mutating func texts(skipping: Bool) -> [String]? {
    guard let count = number(UInt32.self).map(Int.init), count <= bytes.count else { return nil }
    var texts: [String] = []
    if !skipping { texts.reserveCapacity(count) }
    for _ in 0..<count {
      guard let length = number(UInt32.self).map(Int.init), length <= bytes.count - position else { return nil }
      if !skipping {
        texts.append(String(decoding: bytes[position..<(position + length)], as: UTF8.self))
      }
      position += length
    }
    return texts
  }

  /// The numbers of a column; every one `none` when it is skipped.
  mutating func column(_ count: Int, skipping: Bool) -> [Int]? {
    guard let width = number(UInt8.self).map(Int.init), let base = number(Int64.self).map(Int.init),
      [0, 1, 2, 4, 8].contains(width), width * count <= bytes.count - position
    else { return nil }
    defer { position += width * count }
    guard !skipping else { return Array(repeating: UsageBlock.none, count: count) }
    return switch width {
    case 1: wide(UInt8.self, count, base)
    case 2: wide(UInt16.self, count, base)
    case 4: wide(UInt32.self, count, base)
    case 8: wide(UInt64.self, count, base)
    default: Array(repeating: UsageBlock.none, count: count)
    }
  }

  private func wide<Stored: FixedWidthInteger & UnsignedInteger>(_: Stored.Type, _ count: Int, _ base: Int) -> [Int] {
    let start = position
    return Array(unsafeUninitializedCapacity: count) { column, filled in
      for index in 0..<count {
        let offset = start + index * MemoryLayout<Stored>.size
        let stored = Stored(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: Stored.self))
        let value = stored == .max ? UsageBlock.none : base &+ Int(truncatingIfNeeded: stored)
        column.initializeElement(at: index, to: value)
      }
      filled = count
    }
  }
}

extension [UInt8] {
  fileprivate mutating func append(number: some FixedWidthInteger) {
    Swift.withUnsafeBytes(of: number.littleEndian) { append(contentsOf: $0) }
  }
}
