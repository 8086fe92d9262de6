internal import TapeArchive
internal import TapeJSON
internal import TapeReplay
internal import TapeTypes

/// The answer to a request that no recording fits: the nearest one, and in what it differs.
struct NoRecording {
  let recordings: Recordings
  let archive: ArchiveReader
  let rules: MatchRules

  /// So many are compared in full.
  private static let mostCompared = 8
  private static let mostDifferences = 10

  private struct Near {
    let call: CallOpen
    let differences: [RequestDifference]
  }

  func answer(_ request: CanonicalRequest, method: String, target: String, usedUp: Recordings.Choice?) -> JSONValue {
    let route = RequestRoute(method: method, target: target)
    var members: [JSONValue.Member] = []
    var message = "no recording matches \(route.description)"
    if let usedUp {
      message = "every recording that matches \(route.description) has been played; start again, or use --loop"
      if let call = try? archive.call(at: usedUp.location, id: usedUp.id) {
        members.append(.init("nearest", Self.json(call.open)))
      }
      members.append(.init("differences", []))
    } else if let near = nearest(request, route) {
      if near.differences.isEmpty {
        message += "; the nearest is call \(near.call.id)"
      } else {
        let first = near.differences[0].sentence
        let more = near.differences.count > 1 ? ", and \(near.differences.count - 1) more" : ""
        message += "; the nearest is call \(near.call.id), which differs: \(first)\(more)"
      }
      members.append(.init("nearest", Self.json(near.call)))
      members.append(.init("differences", .array(near.differences.prefix(Self.mostDifferences).map(\.json))))
      if near.differences.count > Self.mostDifferences {
        members.append(.init("more_differences", .int(near.differences.count - Self.mostDifferences)))
      }
    } else {
      members += [.init("nearest", .null), .init("differences", [])]
    }
    let start: [JSONValue.Member] = [
      .init("message", .string(message)), .init("code", usedUp == nil ? "no_recording" : "recordings_used_up"),
      .init("source", "tapedeck"), .init("match", .string(recordings.match.rawValue)),
    ]
    return .object([.init("error", .object(start + members))])
  }

  private func nearest(_ request: CanonicalRequest, _ route: RequestRoute) -> Near? {
    var best: (near: Near, distance: Double)?
    for choice in recordings.nearest(request, route, most: Self.mostCompared) {
      // What was erased or cannot be read is not near to anything.
      guard let call = try? archive.call(at: choice.location, id: choice.id) else { continue }
      let differences = differences(request, route, call.open)
      let distance = RequestDifference.distance(differences)
      if best.map({ distance < $0.distance }) ?? true {
        best = (Near(call: call.open, differences: differences), distance)
      }
    }
    return best?.near
  }

  private func differences(_ request: CanonicalRequest, _ route: RequestRoute, _ call: CallOpen) -> [RequestDifference]
  {
    var differences: [RequestDifference] = []
    let recorded = RequestRoute(method: call.method, target: call.path)
    if route.method != recorded.method {
      differences.append(RequestDifference(path: "(method)", request: route.method, recording: recorded.method))
    }
    if route.fit(recorded) == nil, route.path != recorded.path || route.query != recorded.query {
      let (here, there) = (route.target, recorded.target)
      differences.append(RequestDifference(path: "(path)", request: here, recording: there))
    }
    let other = CanonicalRequest(call.body, rules)
    switch (recordings.match, request.json, other.json) {
    case (.sequence, _, _): break
    case (.key, _, _):
      if request.deployment != other.deployment {
        differences.append(RequestDifference(path: "key", request: request.deployment, recording: other.deployment))
      }
    case (.body, let ours?, let theirs?): differences += RequestDifference.between(ours, theirs)
    case (.body, _, _):
      guard request.digest != other.digest else { break }
      let here = request.json.map { String(decoding: $0.compact, as: UTF8.self) } ?? "no JSON"
      let there = other.json.map { String(decoding: $0.compact, as: UTF8.self) } ?? "no JSON, \(call.body.count) bytes"
      differences.append(RequestDifference(path: "", request: here, recording: there))
    }
    return differences
  }

  private static func json(_ call: CallOpen) -> JSONValue {
    .object([
      .init("call_id", .string(call.id.description)), .init("started_at", .string(RFC3339.string(call.startedAtNs))),
      .init("method", .string(call.method)), .init("path", .string(call.path)),
    ])
  }
}
