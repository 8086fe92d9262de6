#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Bytes on their way to one client: appended by the transfer, sent once a batch.
///
/// The memory is borrowed from a pool while there is something to send, so that an idle
/// stream costs none. The state lies behind a pointer since it is touched for every frame,
/// where the exclusivity checks of class properties would cost more than the work itself.
package final class OutBuffer {
  private struct State {
    var base: UnsafeMutableRawPointer?
    var capacity = 0
    /// First byte not sent.
    var head = 0
    /// Behind the last byte appended.
    var tail = 0
    /// Behind the last byte that is on tape: all before it may be sent.
    var committed = 0
    /// Where the size of the HTTP chunk that grows now is to be written; -1 for none.
    var chunk = -1
    var isChunked = false
  }

  private let state: UnsafeMutablePointer<State>
  private let pool: BufferPool

  /// Six digits of size and CRLF.
  private static let chunkHeader = 8
  /// A chunk is closed before its size would need a seventh digit.
  private static let maxChunk = 0x800000

  package init(pool: BufferPool) {
    self.pool = pool
    state = .allocate(capacity: 1)
    state.initialize(to: State())
  }

  deinit {
    releaseMemory()
    state.deallocate()
  }

  /// Bytes appended but not sent.
  package var unsent: Int { state.pointee.tail - state.pointee.head }

  package var isEmpty: Bool { unsent == 0 }

  /// There are bytes that may be sent.
  package var hasCommitted: Bool { state.pointee.committed > state.pointee.head }

  /// From here on what is appended is the body in HTTP/1.1 chunks, one a batch.
  package func beginChunked() { state.pointee.isChunked = true }

  /// Closes the body: with the last chunk if it is chunked and `isClean`.
  ///
  /// - Parameter trailers: lines behind the last chunk.
  package func endBody(isClean: Bool, trailers: [UInt8] = []) {
    closeChunk()
    guard state.pointee.isChunked else { return }
    state.pointee.isChunked = false
    guard isClean else { return }
    append("0\r\n")
    append(trailers)
    append("\r\n")
  }

  /// Adds a zero, to be sent at once, in front of the size of the chunk that comes next, where it changes nothing.
  ///
  /// - Returns: false if the body is not chunked, or something is waiting to be sent.
  package func padChunkSize() -> Bool {
    guard state.pointee.isChunked, isEmpty else { return false }
    reserve(1)
    guard let base = state.pointee.base else { return false }
    base.storeBytes(of: 0x30, toByteOffset: state.pointee.tail, as: UInt8.self)
    state.pointee.tail += 1
    state.pointee.committed = state.pointee.tail
    return true
  }

  package func append(_ text: StaticString) {
    append(UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
  }

  package func append(_ bytes: [UInt8]) {
    bytes.withUnsafeBytes { append($0) }
  }

  package func append(_ bytes: UnsafeRawBufferPointer) {
    guard let source = bytes.baseAddress, bytes.count > 0 else { return }
    reserve(bytes.count + Self.chunkHeader + 2)
    guard let base = state.pointee.base else { return }
    if state.pointee.isChunked {
      if state.pointee.chunk >= 0, state.pointee.tail - state.pointee.chunk > Self.maxChunk { closeChunk() }
      if state.pointee.chunk < 0 {
        state.pointee.chunk = state.pointee.tail
        state.pointee.tail += Self.chunkHeader
      }
    }
    memcpy(base + state.pointee.tail, source, bytes.count)
    state.pointee.tail += bytes.count
  }

  /// All appended bytes may be sent.
  package func commit() {
    closeChunk()
    state.pointee.committed = state.pointee.tail
  }

  /// Forgets what is appended but not committed: it is not on tape.
  package func dropUncommitted() {
    state.pointee.chunk = -1
    state.pointee.tail = max(state.pointee.committed, state.pointee.head)
  }

  /// Hands the committed bytes to `send`, which returns how many it took.
  package func drain(_ send: (UnsafeRawBufferPointer) -> Int) {
    guard let base = state.pointee.base else { return }
    let count = state.pointee.committed - state.pointee.head
    if count > 0 {
      state.pointee.head += send(UnsafeRawBufferPointer(start: base + state.pointee.head, count: count))
    }
    if state.pointee.head == state.pointee.tail { releaseMemory() }
  }

  /// Forgets everything.
  package func reset() {
    releaseMemory()
    state.pointee.isChunked = false
  }

  private func closeChunk() {
    guard state.pointee.chunk >= 0, let base = state.pointee.base else { return }
    var size = state.pointee.tail - state.pointee.chunk - Self.chunkHeader
    let header = (base + state.pointee.chunk).assumingMemoryBound(to: UInt8.self)
    for digit in stride(from: 5, through: 0, by: -1) {
      let nibble = UInt8(size & 15)
      header[digit] = nibble < 10 ? 0x30 + nibble : 0x57 + nibble
      size >>= 4
    }
    header[6] = 0x0D
    header[7] = 0x0A
    state.pointee.chunk = -1
    // `append` kept room for this.
    base.storeBytes(of: 0x0D, toByteOffset: state.pointee.tail, as: UInt8.self)
    base.storeBytes(of: 0x0A, toByteOffset: state.pointee.tail + 1, as: UInt8.self)
    state.pointee.tail += 2
  }

  /// Makes room for `count` bytes behind the tail.
  private func reserve(_ count: Int) {
    if state.pointee.base == nil {
      (state.pointee.base, state.pointee.capacity) = pool.take(atLeast: count)
      return
    }
    guard state.pointee.tail + count > state.pointee.capacity, let base = state.pointee.base else { return }
    let used = unsent
    let isChunkOpen = state.pointee.chunk >= 0
    if state.pointee.head < used || used + count > state.pointee.capacity {
      let (larger, capacity) = pool.take(atLeast: max(state.pointee.capacity * 2, used + count))
      memcpy(larger, base + state.pointee.head, used)
      pool.give(base, state.pointee.capacity)
      state.pointee.base = larger
      state.pointee.capacity = capacity
    } else {
      memcpy(base, base + state.pointee.head, used)
    }
    if isChunkOpen { state.pointee.chunk -= state.pointee.head }
    state.pointee.committed -= state.pointee.head
    state.pointee.tail = used
    state.pointee.head = 0
  }

  private func releaseMemory() {
    if let base = state.pointee.base { pool.give(base, state.pointee.capacity) }
    state.pointee.base = nil
    state.pointee.capacity = 0
    state.pointee.head = 0
    state.pointee.tail = 0
    state.pointee.committed = 0
    state.pointee.chunk = -1
  }
}

/// Blocks of memory of one size, the most recently used (and cached) first. One thread's.
package final class BufferPool {
  private static let blockBytes = 32 << 10
  private static let keptBlocks = 64
  private var blocks: [UnsafeMutableRawPointer] = []

  package init() {}

  deinit { for block in blocks { block.deallocate() } }

  fileprivate func take(atLeast count: Int) -> (UnsafeMutableRawPointer, Int) {
    if count <= Self.blockBytes, let block = blocks.popLast() { return (block, Self.blockBytes) }
    let capacity = max(count, Self.blockBytes)
    return (.allocate(byteCount: capacity, alignment: 16), capacity)
  }

  fileprivate func give(_ block: UnsafeMutableRawPointer, _ capacity: Int) {
    if capacity == Self.blockBytes, blocks.count < Self.keptBlocks {
      blocks.append(block)
    } else {
      block.deallocate()
    }
  }
}
