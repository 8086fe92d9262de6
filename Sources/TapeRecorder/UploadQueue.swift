internal import TapeLoop

/// A request body on its way upstream while it still comes in from the client. One thread's.
package final class UploadQueue {
  /// As a whole; nil for one that is sent in chunks.
  let length: Int?
  private var bytes: [UInt8]
  private var taken = 0
  private(set) var isEnded = false
  /// All that has come in.
  private(set) var total: Int
  /// libcurl has asked for more than there was.
  private(set) var isWaited = false
  /// When libcurl took some last, monotonic ns: it has sent most of what it took before.
  private(set) var takenNs = Int64.min
  /// The transfer that takes from it; told when there is more.
  var goOn: () -> Void = {}
  /// Called when there is room again.
  package var hasRoom: () -> Void = {}
  private static let fullBytes = 256 << 10

  package init(_ bytes: [UInt8], length: Int?) {
    self.bytes = bytes
    self.length = length
    total = bytes.count
  }

  /// - Returns: whether there is room for more.
  package func add(_ piece: [UInt8]) -> Bool {
    total += piece.count
    if taken >= bytes.count / 2 {
      bytes.removeFirst(taken)
      taken = 0
    }
    bytes += piece
    wake()
    return bytes.count - taken < Self.fullBytes
  }

  package func end() {
    isEnded = true
    wake()
  }

  private func wake() {
    guard isWaited else { return }
    isWaited = false
    goOn()
  }

  /// How many bytes were copied; 0 at the end, nil for none yet.
  func take(into buffer: UnsafeMutableRawBufferPointer) -> Int? {
    takenNs = MonotonicClock.nowNs
    let count = min(buffer.count, bytes.count - taken)
    guard count > 0 else {
      isWaited = !isEnded
      return isEnded ? 0 : nil
    }
    bytes.withUnsafeBytes { buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[taken..<taken + count])) }
    let wasFull = bytes.count - taken >= Self.fullBytes
    taken += count
    if wasFull, bytes.count - taken < Self.fullBytes { hasRoom() }
    return count
  }
}
