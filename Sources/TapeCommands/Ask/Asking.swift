internal import ArgumentParser
internal import TapeArchive
internal import TapeQuery
internal import TapeTypes

/// What every question needs: the store opened for reading, and its catalogue.
struct Asking {
  let engine: QueryEngine

  /// - Throws: `TapeError` that says what is wrong with the store or its catalogue.
  init(_ option: StoreOption) throws {
    engine = try QueryEngine(store: option.open(.reading))
    if engine.isStale {
      StandardOutput.note(
        "tapedeck: the archive has calls that are not in the catalogue yet; run: tapedeck index\(option.flag)")
    }
  }

  /// Ends a command whose data was printed: says which of the calls are not whole, and exits with 2 if any is.
  func report(damageIn calls: [(id: CallID, damage: String)]) throws {
    for call in calls { StandardOutput.note("tapedeck: call \(call.id): \(call.damage)") }
    if !calls.isEmpty { throw ExitCode(2) }
  }

  /// The same for one call. A gap is no damage: the disk took no writes then, and the tape says so.
  func report(damageIn call: RecordedCall) throws {
    let (frames, bytes) = (
      call.end?.gapFrames ?? call.loss?.gapFrames ?? 0, call.end?.gapBytes ?? call.loss?.gapBytes ?? 0
    )
    if frames > 0 || bytes > 0 {
      let what = "\(frames) frames, \(bytes) bytes of it reached the client and not the tape"
      StandardOutput.note("tapedeck: call \(call.open.id): \(what)")
    }
    if let damage = engine.damage(of: call) { try report(damageIn: [(call.open.id, damage)]) }
  }

  /// The error of a look-up that found nothing.
  static func nothing(_ what: String) -> TapeError { TapeError(.notFound, what) }
}

extension StoreOption {
  /// ` --store DIR` if it was given, for commands that are suggested.
  var flag: String { store.map { " --store \($0)" } ?? "" }
}

/// The CALL argument.
struct CallArgument: ParsableArguments {
  @Argument(
    help: ArgumentHelp(
      "A call id or a prefix of one, a response id, a span id, or @1 (latest), @2, …", valueName: "call"))
  var call: String
}
