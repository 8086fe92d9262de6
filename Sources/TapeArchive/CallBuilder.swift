internal import TapeTypes

/// Puts a recorded call together from the events of a journal.
struct CallBuilder {
  private(set) var call: RecordedCall?
  private let frames: Int
  private let bytes: Int

  /// - Parameters:
  ///   - frames: how many there will be, where that is known.
  ///   - bytes: how many of the response there will be.
  init(frames: Int = 0, bytes: Int = 0) {
    self.frames = frames
    self.bytes = bytes
  }

  mutating func take(_ event: JournalEvent) {
    switch event {
    case .opened(let open, _):
      call = RecordedCall(open: open)
      call?.reserve(frames: frames, bytes: bytes)
    case .head(_, let head): call?.head = head
    case .frame(_, let offsetNs, let bytes): call?.add(offsetNs, bytes)
    case .ended(_, let end): call?.end = end
    case .lost(_, let loss): call?.loss = loss
    case .part, .gap, .sealed, .damage: break
    }
  }
}

extension RecordedCall {
  fileprivate mutating func reserve(frames: Int, bytes: Int) {
    raw.reserveCapacity(bytes)
    frameEnds.reserveCapacity(frames)
    if open.hasTimes { frameOffsetsNs.reserveCapacity(frames) }
  }

  fileprivate mutating func add(_ offsetNs: Int64?, _ frame: UnsafeRawBufferPointer) {
    raw.append(contentsOf: frame)
    frameEnds.append(raw.count)
    if open.hasTimes { frameOffsetsNs.append(offsetNs ?? frameOffsetsNs.last ?? 0) }
  }
}
