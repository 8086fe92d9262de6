package import TapeArchive
internal import TapeCatalogue
internal import TapeDialects
internal import TapeTypes

/// What a tombstone keeps of a call for `erase --keep-usage`: the row that the catalogue would have, without all that
/// is not usage.
package enum KeepUsage {
  package static let keeper: UsageKeeper = { call in
    var generation = generation(of: call)
    generation.noteArchiveDamage(integrityProblem(of: call), end: call.end)
    let summary = CallSummary(
      open: call.open, facts: RequestFacts(call.open), location: CallLocation(file: "", offset: 0), head: call.head,
      end: call.end, isLive: false, generation: generation, timing: CallTiming(call), frames: call.frameCount,
      bytes: call.raw.count, leafHash: nil)
    return summary.row().keptUsage
  }
}
