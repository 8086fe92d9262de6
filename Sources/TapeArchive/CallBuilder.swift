internal import TapeTypes

/// Puts a recorded call together from the events of a journal.
struct CallBuilder {
  private(set) var call: RecordedCall?

  mutating func take(_ event: JournalEvent) {
    switch event {
    case .opened(let open, _): call = RecordedCall(open: open)
    case .head(_, let head): call?.head = head
    case .frame(_, let offsetNs, let bytes): frame(offsetNs, bytes)
    case .ended(_, let end): call?.end = end
    case .part, .gap, .lost, .sealed, .damage: break
    }
  }

  private mutating func frame(_ offsetNs: Int64?, _ bytes: UnsafeRawBufferPointer) {
    guard var call = self.call else { return }
    // Moved out and back, so that the array is not copied at every frame.
    self.call = nil
    call.raw.append(contentsOf: bytes)
    call.frameEnds.append(call.raw.count)
    if call.open.hasTimes { call.frameOffsetsNs.append(offsetNs ?? call.frameOffsetsNs.last ?? 0) }
    self.call = call
  }
}
