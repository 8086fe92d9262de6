package import TapeTypes

/// What a reader of live journals gets, in the order in which it was recorded.
///
/// Buffers are valid inside the callback only.
package enum JournalEvent {
  case opened(CallOpen, CallLocation)
  case head(CallID, CallHead)
  /// Bytes of a frame that has not ended. They come again as part of the whole frame.
  case part(CallID, offsetNs: Int64?, UnsafeRawBufferPointer)
  /// A whole frame.
  case frame(CallID, offsetNs: Int64?, UnsafeRawBufferPointer)
  /// Frames that the client got and the archive could not take.
  case gap(CallID, frames: Int, bytes: Int)
  case ended(CallID, CallEnd)
  /// The writer is gone and the call has no end. A tail that was cut off has come as a `frame` before.
  case lost(CallID, CallLoss?)
  /// The call is in a segment now, and its journal was gone before all of it was read here.
  case sealed(CallID)
  case damage(Damage)
}
