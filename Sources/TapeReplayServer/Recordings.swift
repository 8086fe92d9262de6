package import TapeArchive
internal import TapeJSON
package import TapeReplay
package import TapeTypes

/// The recordings that requests can be answered from, in the order of their start.
///
/// Of each it keeps where it lies and digests of its request, less than 300 bytes, and while it is not sealed about three
/// more a frame; bodies and frames stay in the archive.
/// Used by one thread at a time.
package final class Recordings {
  /// One recording.
  struct Item {
    let id: CallID
    let startedAtNs: Int64
    let file: Int32
    let offset: Int
    let route: Int32
    let wantsStream: Bool
    /// What recordings that answer the same requests have in common.
    let key: RequestDigest
  }

  /// What was chosen for a request.
  package struct Choice: Sendable, Equatable {
    package let id: CallID
    package let location: CallLocation
    /// Where all of it lay when it was looked for, unless it was sealed.
    package let places: JournalPlaces?
    /// The sealed block that those who ask in the order of the recordings come to next.
    package let ahead: CallLocation?
  }

  /// Which requests share a turn: those that get the same recordings.
  private struct TurnKey: Hashable {
    let key: RequestDigest
    let routes: [Int32]
    let wantsStream: Bool
  }

  private struct Turn {
    /// The one that comes next; nil behind the last.
    var next: Int32?
    var last: Int32
    /// Only those that were asked to stream just as the request is, as there are some.
    let keepsStream: Bool
  }

  package let match: RequestMatch
  private let loops: Bool
  private(set) var items: [Item] = []
  private var places: [CallID: JournalPlaces] = [:]
  private var sketches: [UInt32] = []
  private(set) var routes: [RequestRoute] = []
  private var routesByName: [Substring: [Int32]] = [:]
  private var files: [String] = []
  /// For each key its first recording, and for each recording the next of its key.
  private var first: [RequestDigest: Int32] = [:]
  private var following: [Int32] = []
  private var turns: [TurnKey: Turn] = [:]
  /// How many were not over when they were looked for.
  package private(set) var leftOut = 0

  package var count: Int { items.count }

  /// Where chat completions were sent, without `/chat/completions`; nil if there were none.
  package var openAIPath: String? {
    for route in routes {
      for name in ["/chat/completions", "/responses", "/embeddings"] where route.path.hasSuffix(name) {
        if route.path.contains("/agents/") { continue }
        return String(route.path.dropLast(name.count))
      }
    }
    return nil
  }

  /// Reads the requests of an archive.
  ///
  /// - Parameters:
  ///   - ids: the calls that are wanted; nil for all.
  ///   - onDamage: what cannot be read and is left out.
  /// - Throws: `TapeError` `.io`.
  package convenience init(
    of archive: ArchiveReader, only ids: Set<CallID>?, match: RequestMatch, loops: Bool, rules: MatchRules,
    onDamage: (Damage) -> Void
  ) throws {
    self.init(match: match, loops: loops)
    try archive.forEachRequest(of: ids, onDamage: onDamage) { add($0, rules) }
    arrange()
  }

  init(match: RequestMatch, loops: Bool) {
    self.match = match
    self.loops = loops
  }

  // MARK: Filling

  private var fileNumbers: [String: Int32] = [:]
  private var routeNumbers: [RequestRoute: Int32] = [:]

  func add(_ request: RecordedRequest, _ rules: MatchRules) {
    guard request.hasEnded else {
      leftOut += 1
      return
    }
    let canonical = CanonicalRequest(request.body, rules)
    items.append(
      Item(
        id: request.id, startedAtNs: request.startedAtNs, file: number(ofFile: request.location.file),
        offset: request.location.offset,
        route: number(ofRoute: request.method, request.path),
        wantsStream: canonical.wantsStream, key: key(of: canonical)))
    if let places = request.places { self.places[request.id] = places }
    let hashes = canonical.sketch.hashes
    sketches += hashes + Array(repeating: .max, count: RequestSketch.size - hashes.count)
  }

  private func number(ofFile name: String) -> Int32 {
    if let known = fileNumbers[name] { return known }
    files.append(name)
    fileNumbers[name] = Int32(files.count - 1)
    return Int32(files.count - 1)
  }

  /// Most are equal to the one before: looking for secrets in each would take longer than all else.
  private func number(ofRoute method: String, _ target: String) -> Int32 {
    if let last = lastRoute, last.method == method, last.target == target { return last.number }
    let number = number(of: RequestRoute(method: method, target: target))
    lastRoute = (method, target, number)
    return number
  }

  private var lastRoute: (method: String, target: String, number: Int32)?

  private func number(of route: RequestRoute) -> Int32 {
    if let known = routeNumbers[route] { return known }
    routes.append(route)
    let number = Int32(routes.count - 1)
    routeNumbers[route] = number
    routesByName[Self.name(of: route), default: []].append(number)
    return number
  }

  /// The last part of its path: what fits has the same.
  private static func name(of route: RequestRoute) -> Substring {
    route.path[(route.path.lastIndex(of: "/") ?? route.path.startIndex)...]
  }

  private func key(of request: CanonicalRequest) -> RequestDigest {
    switch match {
    case .body: request.digest
    case .key: RequestDigest(kind: 3, Array((request.deployment ?? "").utf8))
    case .sequence: RequestDigest(kind: 4, [])
    }
  }

  /// Puts what was added in order. Once, before the first question.
  func arrange() {
    let order = items.indices.sorted { (items[$0].startedAtNs, items[$0].id) < (items[$1].startedAtNs, items[$1].id) }
    var sorted: [UInt32] = []
    sorted.reserveCapacity(sketches.count)
    for index in order { sorted += sketches[(index * RequestSketch.size)...].prefix(RequestSketch.size) }
    (sketches, items) = (sorted, order.map { items[$0] })
    following = Array(repeating: -1, count: items.count)
    for index in items.indices.reversed() {
      following[index] = first[items[index].key] ?? -1
      first[items[index].key] = Int32(index)
    }
    (fileNumbers, routeNumbers) = ([:], [:])
  }

  // MARK: Asking

  package enum Answer: Sendable, Equatable {
    case recording(Choice)
    /// All that fit have had their turn; the last of them.
    case usedUp(Choice)
    case none
  }

  /// The recording whose turn it is.
  package func next(_ request: CanonicalRequest, method: String, target: String) -> Answer {
    let fits = routes(fitting: RequestRoute(method: method, target: target))
    for fit in RequestRoute.Fit.allCases {
      guard let routes = fits[fit] else { continue }
      let place = TurnKey(key: key(of: request), routes: routes, wantsStream: request.wantsStream && match != .sequence)
      guard var turn = turns[place] ?? begin(place) else { continue }
      if turn.next == nil, loops, let again = begin(place) { turn = again }
      if turn.next == nil, match == .sequence { return .usedUp(choice(turn.last)) }
      let chosen = turn.next ?? turn.last
      turn.last = chosen
      turn.next = find(from: following[Int(chosen)], place, keepsStream: turn.keepsStream)
      turns[place] = turn
      return .recording(choice(chosen))
    }
    return .none
  }

  private func choice(_ index: Int32) -> Choice {
    let item = items[Int(index)]
    return Choice(id: item.id, location: location(of: item), places: places[item.id], ahead: ahead(of: Int(index)))
  }

  private func ahead(of index: Int) -> CallLocation? {
    guard index + Self.callsAhead < items.count else { return nil }
    let next = location(of: items[index + Self.callsAhead])
    return next.file.hasSuffix(".zst") && next != location(of: items[index]) ? next : nil
  }

  /// As many may be asked for while a block is decoded.
  private static let callsAhead = 24

  private func location(of item: Item) -> CallLocation {
    CallLocation(file: files[Int(item.file)], offset: item.offset)
  }

  private func routes(fitting route: RequestRoute) -> [RequestRoute.Fit: [Int32]] {
    var fits: [RequestRoute.Fit: [Int32]] = [:]
    for name in Set([Self.name(of: route), ""]) {
      for number in routesByName[name] ?? [] {
        if let fit = route.fit(routes[Int(number)]) { fits[fit, default: []].append(number) }
      }
    }
    return fits
  }

  private func begin(_ place: TurnKey) -> Turn? {
    guard let start = first[place.key] else { return nil }
    let keepsStream = match != .sequence && find(from: start, place, keepsStream: true) != nil
    guard let next = find(from: start, place, keepsStream: keepsStream) else { return nil }
    return Turn(next: next, last: next, keepsStream: keepsStream)
  }

  /// The first recording of a chain, from one on, that answers such requests.
  private func find(from start: Int32, _ place: TurnKey, keepsStream: Bool) -> Int32? {
    var index = start
    while index >= 0 {
      let item = items[Int(index)]
      if place.routes.contains(item.route), !keepsStream || item.wantsStream == place.wantsStream { return index }
      index = following[Int(index)]
    }
    return nil
  }

  // MARK: What is near

  /// Those that look most like a request, best first: of its own route before others, then by their sketches, then in
  /// the order of their start.
  func nearest(_ request: CanonicalRequest, _ route: RequestRoute, most: Int) -> [Choice] {
    let isFitting = routes.map { route.fit($0) != nil }
    var best: [(score: Int, index: Int)] = []
    for index in items.indices {
      let hashes = sketches[(index * RequestSketch.size)...].prefix(RequestSketch.size)
      let score = request.sketch.common(with: hashes) + (isFitting[Int(items[index].route)] ? 1000 : 0)
      if best.count == most, let worst = best.last, worst.score >= score { continue }
      let place = best.firstIndex { $0.score < score } ?? best.count
      best.insert((score, index), at: place)
      if best.count > most { best.removeLast() }
    }
    return best.map { choice(Int32($0.index)) }
  }
}
