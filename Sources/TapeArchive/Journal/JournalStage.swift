internal import CTapeShims

/// The reused buffer in which records wait for the next write.
///
/// A record is made by `begin`, fields, `endLine`, payload bytes and `finish`, in this order.
struct JournalStage: ~Copyable {
  private(set) var count = 0
  private var base: UnsafeMutableRawPointer
  private var capacity: Int

  init(capacity: Int = 256 << 10) {
    base = .allocate(byteCount: capacity, alignment: 16)
    self.capacity = capacity
  }

  deinit { base.deallocate() }

  var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: base, count: count) }
  var mutableBytes: UnsafeMutableRawBufferPointer { UnsafeMutableRawBufferPointer(start: base, count: count) }

  /// Empties the buffer, and gives memory back after an unusually large batch.
  mutating func clear() {
    count = 0
    if capacity > 4 << 20 {
      base.deallocate()
      capacity = 256 << 10
      base = .allocate(byteCount: capacity, alignment: 16)
    }
  }

  /// Leaves room for the checksum and writes length and kind. Returns where the record starts.
  mutating func begin(_ kind: StaticString, payload: Int) -> Int {
    reserve(JournalFormat.longestLine + payload + 2)
    let start = count
    count += JournalFormat.checksumWidth
    decimal(UInt64(payload))
    space()
    raw(kind)
    return start
  }

  mutating func field(_ value: Int) {
    space()
    if value < 0 { byte(0x2D) }
    decimal(value.magnitude.asUInt64)
  }

  /// A time, or `-` where there is no clock.
  mutating func field(timeNs: Int64?) {
    guard let timeNs else {
      space()
      byte(0x2D)
      return
    }
    field(Int(timeNs))
  }

  mutating func field(text: some Collection<UInt8>) {
    space()
    reserve(text.count)
    for character in text { byte(character) }
  }

  mutating func field(hex: some Collection<UInt8>) {
    space()
    for value in hex {
      byte(Hex.digits[Int(value >> 4)])
      byte(Hex.digits[Int(value & 15)])
    }
  }

  mutating func endLine() { byte(0x0A) }

  mutating func append(_ payload: UnsafeRawBufferPointer) {
    guard let source = payload.baseAddress, payload.count > 0 else { return }
    reserve(payload.count)
    base.advanced(by: count).copyMemory(from: source, byteCount: payload.count)
    count += payload.count
  }

  mutating func append(_ payload: [UInt8]) { payload.withUnsafeBytes { append($0) } }

  /// Ends the record that starts at `start` and fills in its checksum.
  mutating func finish(_ start: Int, seed: UInt32) {
    reserve(1)
    byte(0x0A)
    Self.checksum(UnsafeMutableRawBufferPointer(start: base + start, count: count - start), seed: seed)
  }

  /// Writes the checksum of a whole record into its first nine bytes.
  static func checksum(_ record: UnsafeMutableRawBufferPointer, seed: UInt32) {
    guard let base = record.baseAddress else { return }
    let width = JournalFormat.checksumWidth
    var crc = tape_crc32c(seed, base + width, record.count - width)
    for position in stride(from: 7, through: 0, by: -1) {
      let digit = UInt8(truncatingIfNeeded: crc & 15)
      record[position] = digit < 10 ? 0x30 + digit : 0x61 + digit - 10
      crc >>= 4
    }
    record[8] = 0x20
  }

  private mutating func reserve(_ extra: Int) {
    guard count + extra > capacity else { return }
    let grown = max(capacity * 2, count + extra)
    let target = UnsafeMutableRawPointer.allocate(byteCount: grown, alignment: 16)
    target.copyMemory(from: base, byteCount: count)
    base.deallocate()
    base = target
    capacity = grown
  }

  private mutating func space() { byte(0x20) }

  private mutating func byte(_ value: UInt8) {
    base.storeBytes(of: value, toByteOffset: count, as: UInt8.self)
    count += 1
  }

  private mutating func raw(_ text: StaticString) {
    (base + count).copyMemory(from: text.utf8Start, byteCount: text.utf8CodeUnitCount)
    count += text.utf8CodeUnitCount
  }

  private mutating func decimal(_ value: UInt64) {
    var digits = 1
    var bound: UInt64 = 10
    while value >= bound {
      digits += 1
      let (next, overflow) = bound.multipliedReportingOverflow(by: 10)
      if overflow { break }
      bound = next
    }
    var rest = value
    for position in stride(from: digits - 1, through: 0, by: -1) {
      base.storeBytes(of: UInt8(0x30 + rest % 10), toByteOffset: count + position, as: UInt8.self)
      rest /= 10
    }
    count += digits
  }
}

extension UInt {
  fileprivate var asUInt64: UInt64 { UInt64(self) }
}
