package import TapeTypes

/// How one replay went.
package struct PlayReport: Sendable, Equatable {
  package enum Ending: Sendable, Equatable {
    case whole
    /// As it was recorded.
    case cut
    case clientLeft
  }

  package var id: CallID
  package var status: Int
  package var frames = 0
  /// Frames of the recording.
  package var ofFrames = 0
  package var bytes = 0
  package var ending = Ending.whole
  /// The bytes are those of the recording; nil where not all of them were played.
  package var isExact: Bool?
  package var lateness = LatenessTally()
  /// Began later than it was asked for, as the recording had to be read first.
  package var delayNs: Int64 = 0
  /// Frames that waited for the client, and are not counted as late.
  package var heldFrames = 0

  package init(id: CallID, status: Int) {
    self.id = id
    self.status = status
  }

  /// `replayed 01ARZ…: 200, 42 frames, 8123 bytes, sha256 ok, late p50 21 us, p99 80 us, max 120 us`
  package var line: String {
    var parts = ["\(status)", "\(frames) frames", "\(bytes) bytes"]
    switch ending {
    case .whole: break
    case .cut: parts.append("cut as recorded")
    case .clientLeft: parts.append("the client left, \(ofFrames - frames) frames to go")
    }
    switch isExact {
    case true?: parts.append("sha256 ok")
    case false?: parts.append("SHA256 DIFFERS from the recording's")
    case nil: break
    }
    if let late = lateness.text { parts.append(late) }
    if delayNs >= 1_000_000 { parts.append("began \(Self.time(delayNs)) late") }
    if heldFrames > 0 { parts.append("\(heldFrames) frames waited for the client") }
    return "replayed \(id): " + parts.joined(separator: ", ")
  }

  /// Three digits are enough, in the unit that suits.
  static func time(_ ns: Int64) -> String {
    switch ns {
    case ..<10_000_000: "\((ns + 500) / 1000) us"
    case ..<10_000_000_000: "\((ns + 500_000) / 1_000_000) ms"
    default: "\((ns + 500_000_000) / 1_000_000_000) s"
    }
  }
}

/// All replays of a server.
package struct ReplayTotals: Sendable, Equatable {
  package var requests = 0
  package var unmatched = 0
  package var unreadable = 0
  package private(set) var calls = 0
  package private(set) var frames = 0
  package private(set) var bytes = 0
  package private(set) var exact = 0
  package private(set) var inexact = 0
  package private(set) var left = 0
  package private(set) var lateness = LatenessTally()

  package init() {}

  package mutating func add(_ report: PlayReport) {
    calls += 1
    frames += report.frames
    bytes += report.bytes
    if report.isExact == true { exact += 1 }
    if report.isExact == false { inexact += 1 }
    if report.ending == .clientLeft { left += 1 }
    lateness.add(report.lateness)
  }

  package var line: String {
    var parts = ["\(calls) \(calls == 1 ? "call" : "calls")", "\(frames) frames", "\(bytes) bytes"]
    parts.append("sha256 ok for \(exact)")
    if inexact > 0 { parts.append("DIFFERENT for \(inexact)") }
    if left > 0 { parts.append("left by the client \(left)") }
    if unmatched > 0 { parts.append("\(unmatched) \(unmatched == 1 ? "request" : "requests") without a recording") }
    if unreadable > 0 { parts.append("\(unreadable) that could not be read") }
    if let late = lateness.text { parts.append(late) }
    return "replayed in all: " + parts.joined(separator: ", ")
  }
}

extension LatenessTally {
  /// nil of nothing.
  var text: String? {
    guard let median = percentileNs(0.5), let high = percentileNs(0.99) else { return nil }
    return "late p50 \(PlayReport.time(median)), p99 \(PlayReport.time(high)), max \(PlayReport.time(worstNs))"
  }
}
