import TapeJSON
import TapeSSE
import TapeTestSupport
import TapeTypes

/// Makes an outline of a call as `CallOutline` describes it, with templates chosen by a seed: which values become
/// holes is a coding's business, and whoever reads outlines has to cope with any choice.
struct OutlineMaker {
  private let call: RecordedCall
  private var random: SeededNumbers
  /// Per cent of the places with more than one value, and of those with one, that become holes.
  private let holes: Int
  private let constantHoles: Int
  /// `type` and `index` members of an event stay where they are, and are in the paths of the others.
  private let splits: Bool
  private var isHole: [String: Bool] = [:]
  /// Places with more than one value.
  private var varying: Set<String> = []
  private var templates: [CallOutline.Template] = []
  private var templateOf: [[[UInt8]]: Int] = [:]
  private var columnOf: [String: Int] = [:]
  private var columns: [Values] = []

  private struct Values {
    var path: String
    var kind: CallOutline.Column.Kind
    var pieces: [(frame: Int, bytes: [UInt8])] = []
  }

  /// A value in a frame that may become a hole.
  private struct Place {
    var path: String
    var kind: CallOutline.Column.Kind
    var range: Range<Int>
  }

  init(_ call: RecordedCall, seed: UInt64, holes: Int? = nil, splits: Bool = false) {
    self.call = call
    self.splits = splits
    random = SeededNumbers(seed)
    let chosen = random.pick([100, 100, 95, 70, 30])
    constantHoles = holes == nil ? random.pick([0, 0, 0, 1, 10]) : 0
    self.holes = holes ?? chosen
    var values: [String: [UInt8]] = [:]
    for index in 0..<call.frameCount {
      let frame = Array(call.raw[call.frameRange(index)])
      for place in places(in: frame) {
        let bytes = Array(frame[place.range])
        if values.updateValue(bytes, forKey: place.path) ?? bytes != bytes { varying.insert(place.path) }
      }
    }
  }

  mutating func outline() -> CallOutline {
    var runs: [CallOutline.Run] = []
    for index in 0..<call.frameCount {
      let template = add(Array(call.raw[call.frameRange(index)]), index)
      if runs.last?.template == template {
        runs[runs.count - 1].count += 1
      } else {
        runs.append(.init(template: template, count: 1))
      }
    }
    var open = call.open
    open.salt = []
    var end = call.end
    end?.sha256 = nil
    return CallOutline(
      open: open, head: call.head, end: end, hashFollows: true, frames: call.frameCount, bytes: call.raw.count,
      firstFrameNs: call.frameOffsetsNs.first, longestGapNs: nil, templates: templates, runs: runs,
      columns: columns.map(column))
  }

  private mutating func add(_ frame: [UInt8], _ index: Int) -> Int {
    var literals: [[UInt8]] = []
    var inFrame: [Int] = []
    var start = 0
    for place in places(in: frame) where isHole(place.path) {
      let column = column(of: place)
      guard !inFrame.contains(column) else { continue }
      literals.append(Array(frame[start..<place.range.lowerBound]))
      columns[column].pieces.append((index, Array(frame[place.range])))
      inFrame.append(column)
      start = place.range.upperBound
    }
    literals.append(Array(frame[start...]))
    let key = literals + [inFrame.flatMap { [UInt8($0 & 0xFF), UInt8($0 >> 8)] }]
    if let known = templateOf[key] { return known }
    templateOf[key] = templates.count
    templates.append(.init(literals: literals, holes: inFrame))
    return templates.count - 1
  }

  private mutating func isHole(_ path: String) -> Bool {
    if let known = isHole[path] { return known }
    isHole[path] = random.chance(varying.contains(path) ? holes : constantHoles)
    return isHole[path] ?? false
  }

  private mutating func column(of place: Place) -> Int {
    if let known = columnOf[place.path] { return known }
    columnOf[place.path] = columns.count
    columns.append(Values(path: place.path, kind: place.kind))
    return columns.count - 1
  }

  // MARK: Places

  private func places(in frame: [UInt8]) -> [Place] {
    frame.withUnsafeBytes { bytes in
      let fields = FrameFields(bytes)
      var places: [Place] = []
      if fields.dataLines == 1 {
        let data = UnsafeRawBufferPointer(rebasing: bytes[fields.firstData])
        var cursor = JSONCursor(data)
        if let value = try? cursor.document() {
          collect(value, of: JSONCursor(data), "", &places)
          if splits { split(by: value, of: JSONCursor(data), &places) }
          for index in places.indices {
            let range = places[index].range
            places[index].range =
              range.lowerBound + fields.firstData.lowerBound..<range.upperBound
              + fields.firstData.lowerBound
          }
        }
      }
      return lines(in: bytes).filter { line in places.allSatisfy { !$0.range.overlaps(line.range) } }
        .filter { $0.range.upperBound <= fields.firstData.lowerBound || fields.dataLines == 0 } + places
    }
  }

  /// The rest of lines that begin with `id: ` or with a colon and a space.
  private func lines(in bytes: UnsafeRawBufferPointer) -> [Place] {
    var places: [Place] = []
    var start = 0
    for (index, byte) in bytes.enumerated() where byte == 0x0A || byte == 0x0D {
      for prefix in ["id: ", ": "] + (splits ? [] : ["event: "]) where bytes[start..<index].starts(with: prefix.utf8) {
        places.append(Place(path: "/" + prefix, kind: .text, range: start + prefix.utf8.count..<index))
        break
      }
      start = index + 1
    }
    return places
  }

  private func split(by event: JSONSlice, of cursor: JSONCursor, _ places: inout [Place]) {
    guard event.kind == .object else { return }
    let members = cursor.value(event).members ?? []
    func isIndex(_ key: some StringProtocol) -> Bool { key == "index" || key.hasSuffix("_index") }
    let indexes = members.filter { isIndex($0.key) && ($0.value.integer.map { 0..<10 ~= $0 } ?? false) }
    let type = members.last { $0.key == "type" }?.value.string ?? ""
    let prefix = type + indexes.map { "[\($0.value.compactString)]" }.joined()
    places.removeAll { place in
      let name = place.path.split(separator: ".").last ?? ""
      return name == "type" || name == "object"
        || (place.kind == .number && isIndex(name.drop { $0 == "#" || $0 == ":" }) && place.range.count == 1)
    }
    guard !prefix.isEmpty else { return }
    for index in places.indices {
      let isNumber = places[index].path.hasPrefix("#:")
      let path = isNumber ? places[index].path.dropFirst(2) : places[index].path[...]
      // A place that is a number in one frame and a text in another is two.
      places[index].path = prefix + (isNumber ? "#" : "") + ":" + path
    }
  }

  private func collect(_ value: JSONSlice, of cursor: JSONCursor, _ path: String, _ places: inout [Place]) {
    func add(_ name: String, _ value: JSONSlice) {
      var path = path + name
      if path.hasPrefix(".") { path.removeFirst() }
      switch value.kind {
      case .object, .array: collect(value, of: cursor, path, &places)
      case .string, .number:
        let twice = places.count { $0.path == path || $0.path.hasPrefix(path + "~") }
        if twice > 0 { path += "~\(twice + 1)" }
        // A place that is a number in one frame and a text in another is two.
        let kind: CallOutline.Column.Kind = value.kind == .string ? .text : .number
        places.append(Place(path: kind == .number ? "#:" + path : path, kind: kind, range: value.range))
      default: break
      }
    }
    var inner = JSONCursor(cursor.bytes, at: value)
    if value.kind == .object {
      try? inner.members { (key, value) throws(JSONError) in add("." + Self.word(cursor.raw(key)), value) }
    } else {
      try? inner.elements { (position, element) throws(JSONError) in
        add("[\(Self.number(of: element, cursor) ?? position)]", element)
      }
    }
  }

  private static func number(of element: JSONSlice, _ cursor: JSONCursor) -> Int? {
    cursor.value(element)["index"]?.integer
  }

  private static func word(_ bytes: UnsafeRawBufferPointer) -> String {
    bytes.map { byte in
      let isWord =
        byte == 0x5F || byte == 0x2D || (byte >= 0x30 && byte <= 0x39)
        || (byte | 0x20 >= 0x61 && byte | 0x20 <= 0x7A && byte < 0x80)
      return isWord ? String(UnicodeScalar(byte)) : "%" + TestCall.hex(UInt64(byte), 2)
    }.joined()
  }

  // MARK: Columns

  private func column(_ values: Values) -> CallOutline.Column {
    let filled = values.pieces.filter { !$0.bytes.isEmpty }
    let first = filled.first?.frame
    return CallOutline.Column(
      kind: values.kind, path: values.path, bytes: values.kind == .number ? [] : values.pieces.flatMap(\.bytes),
      isPlain: Self.isPlain(filled.map(\.bytes)), hasRepeat: Self.hasRepeat(filled.map(\.bytes)),
      count: values.pieces.count, firstFrame: first, firstNs: first.flatMap { call.frameOffsetNs($0) },
      lastValue: values.pieces.last?.bytes ?? [])
  }

  private static func hasRepeat(_ pieces: [[UInt8]]) -> Bool {
    var whole: [UInt8] = []
    for (index, piece) in pieces.enumerated() {
      if index > 0, piece == pieces[index - 1] || piece == whole { return true }
      whole += piece
    }
    return false
  }

  private static func isPlain(_ pieces: [[UInt8]]) -> Bool {
    let texts = pieces.map(read)
    guard let joined = read(pieces.flatMap { $0 }), texts.allSatisfy({ $0 != nil }) else { return false }
    var added = WTF8Text()
    for text in texts { if let text { added.append(text) } }
    guard added == joined else { return false }
    let decoded = texts.map { $0?.bytes ?? [] }
    guard decoded.count > 1 else { return true }
    if decoded.indices.dropFirst().allSatisfy({ decoded[$0].starts(with: decoded[$0 - 1]) }) { return false }
    return !decoded.dropLast().flatMap { $0 }.elementsEqual(decoded[decoded.count - 1])
  }

  private static func read(_ bytes: [UInt8]) -> WTF8Text? {
    ([0x22] + bytes + [0x22]).withUnsafeBytes { quoted in
      var cursor = JSONCursor(quoted)
      guard let slice = try? cursor.document(), slice.range.count == bytes.count else { return nil }
      var text = WTF8Text()
      text.append(slice, of: cursor)
      return text
    }
  }
}
