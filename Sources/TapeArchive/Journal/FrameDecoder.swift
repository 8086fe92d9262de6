/// Puts one call's frames together again from its records.
final class FrameDecoder {
  /// What a record came to.
  enum Outcome {
    /// The frame's bytes are `frame`.
    case frame
    case nothing
    /// The record was read before, in an earlier journal of the writer.
    case duplicate
    /// Something before this record is missing; if `frame` is true it ended a frame all the same.
    case missing(String)
  }

  /// Frames that should have come and did not, or not so that they could be put together.
  private(set) var missing = 0
  /// Index of the frame that comes next.
  private(set) var nextFrame = 0
  /// Bytes of a frame that has not ended.
  private(set) var pending: [UInt8] = []
  private(set) var pendingOffsetNs: Int64?
  private var key: [UInt8] = []
  private var hasKey = false
  /// A piece of the current frame is missing: what comes of it is dropped.
  private var isTorn = false

  /// `frame n i ns at`: the frame's bytes go to `body`.
  func frame(
    index: Int, at: Int, payload: UnsafeRawBufferPointer, _ body: (UnsafeRawBufferPointer) throws -> Void
  ) rethrows -> Outcome {
    let isKey = at == 0 && payload.count <= JournalFormat.largestKey
    if index < nextFrame {
      if isKey { setKey(payload) }
      return .duplicate
    }
    let missing = skip(to: index)
    defer {
      pending.removeAll(keepingCapacity: true)
      nextFrame = index + 1
      isTorn = false
    }
    if isKey { setKey(payload) }
    guard at == pending.count, !isTorn else {
      self.missing += 1
      return .missing("the start of frame \(index)")
    }
    if at == 0 {
      try body(payload)
    } else {
      pending.append(contentsOf: payload)
      try pending.withUnsafeBytes(body)
    }
    return missing.map { .missing($0) } ?? .frame
  }

  /// `delta n i ns p s`.
  func delta(
    index: Int, prefix: Int, suffix: Int, payload: UnsafeRawBufferPointer,
    _ body: (UnsafeRawBufferPointer) throws -> Void
  ) rethrows -> Outcome {
    if index < nextFrame { return .duplicate }
    let missing = skip(to: index)
    nextFrame = index + 1
    pending.removeAll(keepingCapacity: true)
    guard hasKey, prefix >= 0, suffix >= 0, prefix <= key.count, suffix <= key.count - prefix else {
      self.missing += 1
      return .missing(missing ?? "the key frame of frame \(index)")
    }
    try join(prefix: prefix, payload, suffix: suffix, body)
    return missing.map { .missing($0) } ?? .frame
  }

  /// The first and last bytes of the key frame around those of the record.
  private func join(
    prefix: Int, _ middle: UnsafeRawBufferPointer, suffix: Int, _ body: (UnsafeRawBufferPointer) throws -> Void
  ) rethrows {
    let count = prefix + middle.count + suffix
    try withUnsafeTemporaryAllocation(byteCount: count, alignment: 16) { frame in
      key.withUnsafeBytes { key in
        frame.copyMemory(from: UnsafeRawBufferPointer(rebasing: key[..<prefix]))
        UnsafeMutableRawBufferPointer(rebasing: frame[prefix...]).copyMemory(from: middle)
        UnsafeMutableRawBufferPointer(rebasing: frame[(prefix + middle.count)...])
          .copyMemory(from: UnsafeRawBufferPointer(rebasing: key[(key.count - suffix)...]))
      }
      try body(UnsafeRawBufferPointer(frame))
    }
  }

  /// `part n i ns at`.
  func part(index: Int, at: Int, offsetNs: Int64?, payload: UnsafeRawBufferPointer) -> Outcome {
    if index < nextFrame || (index == nextFrame && at < pending.count) { return .duplicate }
    let missing = skip(to: index)
    guard at == pending.count, !isTorn else {
      isTorn = true
      return .missing("the start of frame \(index)")
    }
    pending.append(contentsOf: payload)
    pendingOffsetNs = offsetNs
    return missing.map { .missing($0) } ?? .nothing
  }

  /// `gap n i frames bytes`: a frame that was cut off by the gap goes to `body`.
  func gap(index: Int, frames: Int, _ body: (UnsafeRawBufferPointer) throws -> Void) rethrows -> Outcome {
    let (next, overflow) = index.addingReportingOverflow(frames)
    guard index >= nextFrame, !overflow else { return .duplicate }
    let missing = skip(to: index)
    let hadTail = try tail(body)
    nextFrame = next
    hasKey = false
    return missing.map { .missing($0) } ?? (hadTail ? .frame : .nothing)
  }

  /// What is there of a frame that never ended goes to `body`; false if there is none.
  func tail(_ body: (UnsafeRawBufferPointer) throws -> Void) rethrows -> Bool {
    guard !pending.isEmpty else { return false }
    try pending.withUnsafeBytes(body)
    pending.removeAll(keepingCapacity: true)
    nextFrame += 1
    return true
  }

  /// Nothing more comes: gives back the memory that frames needed.
  func forget() {
    key = []
    pending = []
    hasKey = false
  }

  /// Frames before `index` that never came: from there on the key may be another one.
  private func skip(to index: Int) -> String? {
    guard index > nextFrame else { return nil }
    missing += index - nextFrame
    defer {
      nextFrame = index
      pending.removeAll(keepingCapacity: true)
      hasKey = false
      isTorn = false
    }
    return index - nextFrame == 1 ? "frame \(nextFrame)" : "frames \(nextFrame) to \(index - 1)"
  }

  private func setKey(_ bytes: UnsafeRawBufferPointer) {
    key.removeAll(keepingCapacity: true)
    key.append(contentsOf: bytes)
    hasKey = true
  }
}
