internal import Crypto
internal import TapeTypes

/// What the writer keeps of a call that is being recorded.
///
/// Three views of how far the call is: what the client got (`seen`), what is on tape once
/// everything staged is written (`staged`), and what is on tape for sure (`safe`). A failed
/// write sets `staged` back to `safe`; where `staged` lags behind `seen`, a gap is due.
final class CallSlot {
  struct Progress {
    /// Frames that have ended.
    var frames = 0
    /// Bytes, also those of the frame that has not ended.
    var bytes = 0
    /// Bytes of the frame that has not ended.
    var pending = 0
    var hasOpen = false
    var hasHead = false
    var hasEnd = false
    var gapFrames = 0
    var gapBytes = 0
    /// 1 when the tail that was cut off is counted as a frame only here: all its bytes were on tape before.
    var tails = 0
  }

  /// Place in the writer's list.
  let index: Int
  /// The call's number, 0 when the slot is free.
  @exclusivity(unchecked) var number = 0
  @exclusivity(unchecked) var id = CallID(high: 0, low: 0)
  @exclusivity(unchecked) var seen = Progress()
  @exclusivity(unchecked) var staged = Progress()
  @exclusivity(unchecked) var safe = Progress()
  /// Kept until they are on tape.
  @exclusivity(unchecked) var open: CallOpen?
  @exclusivity(unchecked) var head: CallHead?
  @exclusivity(unchecked) var end: CallEnd?
  /// The end's own counts and hash stand as they are.
  @exclusivity(unchecked) var endIsGiven = false
  @exclusivity(unchecked) var isActive = false
  @exclusivity(unchecked) var isAbandoned = false
  /// The hash covers bytes that nobody got.
  @exclusivity(unchecked) var isTakenBack = false
  @exclusivity(unchecked) var isDirty = false
  @exclusivity(unchecked) var lastPartNs: Int64?
  @exclusivity(unchecked) var hash = SHA256()
  @exclusivity(unchecked) var framesSinceKey = 0
  @exclusivity(unchecked) var keyCount = 0
  @exclusivity(unchecked) private(set) var key = UnsafeMutableRawPointer.allocate(byteCount: 1024, alignment: 16)
  @exclusivity(unchecked) private var keyCapacity = 1024

  init(index: Int) { self.index = index }

  deinit { key.deallocate() }

  func begin(_ call: CallOpen, number: Int) {
    self.number = number
    id = call.id
    open = call
    isActive = true
    isAbandoned = false
    isTakenBack = false
    seen = Progress()
    seen.hasOpen = true
    staged = Progress()
    safe = Progress()
    (head, end, lastPartNs, endIsGiven) = (nil, nil, nil, false)
    hash = SHA256()
    framesSinceKey = 0
    keyCount = 0
  }

  /// True when everything the client got is staged or on tape.
  @inline(__always) var isWhole: Bool {
    staged.frames == seen.frames && staged.bytes == seen.bytes && staged.hasOpen
  }

  /// Things that could not be written yet and will be.
  var owes: Bool {
    !staged.hasOpen || (head != nil && !staged.hasHead) || (end != nil && !staged.hasEnd)
  }

  @inline(__always) func setKey(_ bytes: UnsafeRawBufferPointer) {
    framesSinceKey = 0
    if bytes.count > keyCapacity {
      key.deallocate()
      keyCapacity = max(bytes.count, keyCapacity * 2)
      key = .allocate(byteCount: keyCapacity, alignment: 16)
    }
    if let source = bytes.baseAddress { key.copyMemory(from: source, byteCount: bytes.count) }
    keyCount = bytes.count
  }
}
