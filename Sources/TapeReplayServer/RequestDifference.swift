package import TapeJSON

/// A place at which two requests are not the same.
package struct RequestDifference: Sendable, Equatable {
  /// `messages[0].content`; empty for the whole body.
  package let path: String
  /// nil where the request has nothing.
  package let request: String?
  /// nil where the recording has nothing.
  package let recording: String?

  /// In the order of the requests' members, canonical bodies given.
  package static func between(_ request: JSONValue, _ recording: JSONValue) -> [RequestDifference] {
    var found: [RequestDifference] = []
    compare(request, recording, "", &found)
    return found
  }

  /// How far two bodies are from each other: a part of one for texts that have words in common, else one a place.
  static func distance(_ differences: [RequestDifference]) -> Double {
    differences.reduce(0) { sum, difference in
      guard let request = difference.request, let recording = difference.recording else { return sum + 1 }
      let (a, b) = (Set(request.split(separator: " ")), Set(recording.split(separator: " ")))
      let all = a.union(b).count
      return sum + (all == 0 ? 1 : 1 - 0.9 * Double(a.intersection(b).count) / Double(all))
    }
  }

  var json: JSONValue {
    let (here, there) = Self.shortened(request, recording)
    return .object([
      .init("path", .string(path)), .init("request", .string(here)), .init("recording", .string(there)),
    ])
  }

  /// `messages[0].content is "Hi", on tape "Hello"`
  var sentence: String {
    let (here, there) = Self.shortened(request, recording)
    let place = path.isEmpty ? "the body" : path
    return switch (here, there) {
    case (let here?, nil): "\(place) is \(here), and not there on tape"
    case (nil, let there?): "\(place) is not there, on tape it is \(there)"
    default: "\(place) is \(here ?? "null"), on tape \(there ?? "null")"
    }
  }

  private static func compare(
    _ request: JSONValue, _ recording: JSONValue, _ path: String, _ found: inout [RequestDifference]
  ) {
    switch (request, recording) {
    case (.object(let ours), .object(let theirs)):
      // Both are in the order of their names, each name once.
      var (i, j) = (0, 0)
      while i < ours.count || j < theirs.count {
        let isOurs = j == theirs.count || i < ours.count && precedes(ours[i].key, theirs[j].key)
        let isTheirs = i == ours.count || j < theirs.count && precedes(theirs[j].key, ours[i].key)
        let place = step(path, member: isTheirs ? theirs[j].key : ours[i].key)
        switch (isOurs, isTheirs) {
        case (true, _): found.append(RequestDifference(path: place, request: text(ours[i].value), recording: nil))
        case (_, true): found.append(RequestDifference(path: place, request: nil, recording: text(theirs[j].value)))
        default: compare(ours[i].value, theirs[j].value, place, &found)
        }
        if !isTheirs { i += 1 }
        if !isOurs { j += 1 }
      }
    case (.array(let ours), .array(let theirs)):
      for index in 0..<max(ours.count, theirs.count) {
        let place = "\(path)[\(index)]"
        if index >= theirs.count {
          found.append(RequestDifference(path: place, request: text(ours[index]), recording: nil))
        } else if index >= ours.count {
          found.append(RequestDifference(path: place, request: nil, recording: text(theirs[index])))
        } else {
          compare(ours[index], theirs[index], place, &found)
        }
      }
    default:
      if request.compact != recording.compact {
        found.append(RequestDifference(path: path, request: text(request), recording: text(recording)))
      }
    }
  }

  private static func precedes(_ left: String, _ right: String) -> Bool {
    left.utf8.lexicographicallyPrecedes(right.utf8)
  }

  private static func step(_ path: String, member: String) -> String {
    let isPlain = !member.isEmpty && member.utf8.allSatisfy { $0 != 0x2E && $0 != 0x5B && $0 != 0x22 && $0 != 0x2A }
    if !isPlain { return "\(path)[\"\(member)\"]" }
    return path.isEmpty ? member : "\(path).\(member)"
  }

  private static func text(_ value: JSONValue) -> String { String(decoding: value.compact, as: UTF8.self) }

  private static let mostCharacters = 80

  /// Of long values the part where they begin to differ.
  private static func shortened(_ request: String?, _ recording: String?) -> (String?, String?) {
    var start = 0
    if let request, let recording, max(request.utf8.count, recording.utf8.count) > mostCharacters {
      let common = zip(request, recording).prefix { $0 == $1 }.count
      start = max(0, common - 20)
    }
    func short(_ text: String) -> String {
      let rest = text.dropFirst(start)
      let part = rest.prefix(mostCharacters)
      return (start > 0 ? "…" : "") + part + (part.endIndex < rest.endIndex ? "…" : "")
    }
    return (request.map(short), recording.map(short))
  }
}
