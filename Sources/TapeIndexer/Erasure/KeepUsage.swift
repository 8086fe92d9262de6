package import TapeArchive
internal import TapeCatalogue

/// What a tombstone keeps of a call for `erase --keep-usage`: the row that the catalogue would have, without all that
/// is not usage.
package enum KeepUsage {
  package static let keeper: UsageKeeper = { call in
    let nowhere = CallLocation(file: "", offset: 0)
    return CallSummary(call, nowhere, leafHash: nil, problem: integrityProblem(of: call)).row().keptUsage
  }
}
