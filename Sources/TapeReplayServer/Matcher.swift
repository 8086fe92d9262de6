internal import Dispatch
internal import TapeArchive
internal import TapeHTTP
internal import TapeJSON
internal import TapeTypes

/// Finds recordings for requests and reads them, on threads of its own: the loop never waits for either.
///
/// Requests are looked at one after the other, in the order in which they came, so that it does not depend on chance
/// which of equal ones gets which recording. `recordings` is touched on that thread alone, and a reader on that of its
/// lane, hence `@unchecked`.
final class Matcher: @unchecked Sendable {
  enum Finding: Sendable {
    case recording(Recordings.Choice)
    case none(JSONValue)
    case health
  }

  private let recordings: Recordings
  private let rules: MatchRules
  let archive: ArchiveReader
  private let matching = DispatchQueue(label: "tapedeck.replay.match")
  /// What lies together is read by the same of the two.
  private let lanes: [ReadingLane]
  private let shelf: BlockShelf

  init(_ recordings: Recordings, _ archive: ArchiveReader, _ rules: MatchRules) {
    self.recordings = recordings
    self.archive = archive
    self.rules = rules
    let shelf = BlockShelf(archive)
    self.shelf = shelf
    lanes = (1...2).map { ReadingLane($0, archive, shelf) }
  }

  /// Calls `answer` on a thread of its own.
  func find(method: String, target: String, body: [UInt8], _ answer: @escaping @Sendable (Finding) -> Void) {
    matching.async { [self] in answer(find(method, target, body)) }
  }

  private func find(_ method: String, _ target: String, _ body: [UInt8]) -> Finding {
    let request = CanonicalRequest(body, rules)
    var usedUp: Recordings.Choice?
    switch recordings.next(request, method: method, target: target) {
    case .recording(let choice): return .recording(choice)
    case .usedUp(let last): usedUp = last
    case .none where target == "/healthz" && (method == "GET" || method == "HEAD"): return .health
    case .none: break
    }
    let none = NoRecording(recordings: recordings, archive: archive, rules: rules)
    return .none(none.answer(request, method: method, target: target, usedUp: usedUp))
  }

  /// Calls `answer` on a thread of its own.
  func read(_ choice: Recordings.Choice, _ answer: @escaping ReadingLane.Answer) {
    let location = choice.location
    let place = location.file.hasSuffix(".zst") ? location.offset >> 4 : 0
    lanes[(place ^ location.file.utf8.reduce(0) { $0 ^ Int($1) }) & 1].read(choice, answer)
  }

  /// Lets go of what was kept for a moment.
  func rest() { shelf.rest() }
}
