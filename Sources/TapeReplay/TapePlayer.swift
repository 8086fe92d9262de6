internal import TapeArchive
internal import TapeQuery
@_exported public import TapeTypes

/// Finds recorded calls in a store, and plays them again as they arrived. Writes nothing.
///
/// A call id alone needs no catalogue. All other names do: `tapedeck index` brings it up to date.
public struct TapePlayer: Sendable {
  private let store: Store

  /// - Parameter store: Directory of the store.
  /// - Throws: `TapeError` if there is none.
  public init(store: String) throws { self.store = try Store(path: store, access: .reading) }

  /// The call as it is on tape: request, head, frames with their times, end.
  ///
  /// - Throws: `TapeError`: `.notFound`, `.erased`, `.corrupt`, `.io`.
  public func call(_ id: CallID) throws -> RecordedCall {
    guard let found = try ArchiveReader(store: store).find(id) else {
      throw TapeError(.notFound, "no call \(id) in \(store.path)")
    }
    return found.call
  }

  /// The call that `name` means: a call id or the beginning of one, a response id, a span id, or `@1` (latest), `@2` …
  ///
  /// - Throws: as `call(_:)` for an id; `.usage` for a name that several calls have, `.catalogueMissing`,
  ///   `.catalogueStale`.
  public func call(named name: String) throws -> RecordedCall {
    if let id = CallID(name) { return try call(id) }
    let engine = try QueryEngine(store: store)
    return try engine.recorded(engine.resolve(name))
  }

  /// The calls of a trace, a thread or the like, in the order of their start.
  ///
  /// - Throws: `TapeError`: `.catalogueMissing`, `.catalogueStale`, `.io`.
  public func calls(_ selection: CallSelection) throws -> [CallID] {
    try QueryEngine(store: store).entries(selection.filter, sort: .oldest).map(\.id)
  }

  /// The frames of a call, each when it is due.
  ///
  /// - Throws: as `call(_:)`.
  public func play(_ id: CallID, pace: ReplayPace = .original) throws -> PlayedFrames {
    PlayedFrames(try call(id), pace: pace)
  }

  /// The same for a call that has another name.
  ///
  /// - Throws: as `call(named:)`.
  public func play(named name: String, pace: ReplayPace = .original) throws -> PlayedFrames {
    PlayedFrames(try call(named: name), pace: pace)
  }
}

/// Which calls are meant.
public enum CallSelection: Sendable, Hashable {
  /// A trace id, of the stream's telemetry or of the request's `traceparent`.
  case trace(String)
  case thread(String)
  /// An identity's id or email.
  case identity(String)
  case deployment(String)
  case model(String)
  case state(CallState)
  case all

  fileprivate var filter: CallFilter {
    var filter = CallFilter()
    switch self {
    case .trace(let trace): filter.trace = trace
    case .thread(let thread): filter.thread = thread
    case .identity(let identity): filter.identity = identity
    case .deployment(let deployment): filter.deployment = deployment
    case .model(let model): filter.model = model
    case .state(let state): filter.state = state
    case .all: break
    }
    return filter
  }
}
