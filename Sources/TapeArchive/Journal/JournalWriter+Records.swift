internal import Crypto
internal import TapeTypes

/// How each record is staged.
extension JournalWriter {
  func markDirty(_ slot: CallSlot) {
    guard !slot.isDirty else { return }
    slot.isDirty = true
    dirty.append(slot)
  }

  func stageOpen(_ slot: CallSlot) {
    guard let call = slot.open else { return }
    markDirty(slot)
    let meta = CallCoding.json(call)
    let start = stage.begin("open", payload: meta.count + 1 + call.body.count)
    stage.field(slot.number)
    stage.field(text: call.id.description.utf8)
    stage.field(meta.count)
    stage.field(hex: call.salt)
    stage.endLine()
    stage.append(meta)
    stage.append([0x0A])
    stage.append(call.body)
    stage.finish(start, seed: journal.seed)
    slot.staged.hasOpen = true
  }

  func stageHead(_ slot: CallSlot, _ head: CallHead) {
    markDirty(slot)
    let json = CallCoding.json(head)
    let start = stage.begin("head", payload: json.count)
    stage.field(slot.number)
    stage.endLine()
    stage.append(json)
    stage.finish(start, seed: journal.seed)
    slot.staged.hasHead = true
  }

  @inline(__always)
  func stageFrame(_ slot: CallSlot, _ offsetNs: Int64?, _ bytes: UnsafeRawBufferPointer) {
    if slot.staged.pending == 0, slot.keyCount > 0, slot.framesSinceKey < JournalFormat.framesPerKey - 1 {
      let (prefix, suffix) = FrameDelta.shared(bytes, UnsafeRawBufferPointer(start: slot.key, count: slot.keyCount))
      let middle = bytes.count - prefix - suffix
      // A frame that shares little is the better key for those that follow it.
      if prefix + suffix >= 24, middle <= bytes.count / 4 * 3 {
        stageDelta(slot, offsetNs, UnsafeRawBufferPointer(rebasing: bytes[prefix..<(prefix + middle)]), prefix, suffix)
        slot.framesSinceKey += 1
        return
      }
    }
    stagePiece("frame", slot, offsetNs, bytes)
    if slot.staged.pending == 0, bytes.count <= JournalFormat.largestKey {
      slot.setKey(bytes)
    } else {
      slot.framesSinceKey += 1
    }
  }

  /// Bytes of a frame behind those that its parts have.
  @inline(__always)
  func stagePiece(_ kind: StaticString, _ slot: CallSlot, _ offsetNs: Int64?, _ bytes: UnsafeRawBufferPointer) {
    let start = stage.begin(kind, payload: bytes.count)
    stage.field(slot.number)
    stage.field(slot.staged.frames)
    stage.field(timeNs: offsetNs)
    stage.field(slot.staged.pending)
    stage.endLine()
    stage.append(bytes)
    stage.finish(start, seed: journal.seed)
  }

  @inline(__always)
  private func stageDelta(
    _ slot: CallSlot, _ offsetNs: Int64?, _ middle: UnsafeRawBufferPointer, _ prefix: Int, _ suffix: Int
  ) {
    let start = stage.begin("delta", payload: middle.count)
    stage.field(slot.number)
    stage.field(slot.staged.frames)
    stage.field(timeNs: offsetNs)
    stage.field(prefix)
    stage.field(suffix)
    stage.endLine()
    stage.append(middle)
    stage.finish(start, seed: journal.seed)
  }

  func stageGap(_ slot: CallSlot) {
    markDirty(slot)
    let frames = slot.seen.frames - slot.staged.frames
    let bytes = slot.seen.bytes - slot.staged.bytes
    guard frames > 0 || bytes > 0 else { return }
    let start = stage.begin("gap", payload: 0)
    stage.field(slot.number)
    stage.field(slot.staged.frames)
    stage.field(frames)
    stage.field(bytes)
    stage.endLine()
    stage.finish(start, seed: journal.seed)
    slot.staged.gapFrames += frames
    slot.staged.gapBytes += bytes
    slot.staged.frames = slot.seen.frames
    slot.staged.bytes = slot.seen.bytes
    slot.staged.pending = 0
    slot.keyCount = 0
  }

  func stageEnd(_ slot: CallSlot, _ end: CallEnd) {
    if !slot.isWhole { stageGap(slot) }
    markDirty(slot)
    if slot.staged.pending > 0 {
      stagePiece("frame", slot, slot.lastPartNs, UnsafeRawBufferPointer(start: nil, count: 0))
      slot.staged.frames += 1
      slot.staged.pending = 0
      slot.staged.tails = 1
    }
    var end = end
    if !slot.endIsGiven {
      end.frames = slot.staged.frames
      end.bytes = slot.staged.bytes
      end.gapFrames = slot.staged.gapFrames
      end.gapBytes = slot.staged.gapBytes
      end.sawDone = end.sawDone && (end.gapFrames > 0 || end.gapBytes > 0)
      let isWhole = end.gapFrames == 0 && end.gapBytes == 0 && !slot.isTakenBack
      end.sha256 = isWhole ? Array(slot.hash.finalize()) : nil
    } else if slot.staged.gapFrames > 0 || slot.staged.gapBytes > 0 {
      end.gapFrames += slot.staged.gapFrames
      end.gapBytes += slot.staged.gapBytes
      end.sha256 = nil
    }
    stageEnding(slot, CallCoding.json(end))
    slot.staged.hasEnd = true
  }

  func stageEnding(_ slot: CallSlot, _ json: [UInt8]) {
    let start = stage.begin("end", payload: json.count)
    stage.field(slot.number)
    stage.endLine()
    stage.append(json)
    stage.finish(start, seed: journal.seed)
  }

  /// Stages what is owed since writes failed: opens, heads, gaps and ends.
  func stageOwed() {
    for slot in slots where slot.isActive {
      if !slot.staged.hasOpen { stageOpen(slot) }
      if let head = slot.head, !slot.staged.hasHead { stageHead(slot, head) }
      if let end = slot.end {
        if !slot.staged.hasEnd { stageEnd(slot, end) }
      } else if !slot.isWhole, slot.seen.pending == 0 {
        stageGap(slot)
      }
    }
  }
}
