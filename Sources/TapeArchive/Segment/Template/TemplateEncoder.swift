internal import Crypto
internal import TapeTypes

/// Makes one block of `template/1`, call by call.
final class TemplateEncoder {
  private var head: [UInt8] = []
  private var text: [UInt8] = []
  /// Lines of columns that look like noise: behind all others, where they do not disturb the compressor.
  private var noise: [UInt8] = []
  private var noiseLengths: [[Int]] = []
  private var cuts = CutEncoder()
  private var times: [[Int64]] = []
  private var proofs: [UInt8] = []

  /// The call at work is one whose text must not become much longer than it is: five bytes for each line feed would
  /// be more than a frame of zstd may hold.
  private var isLarge = false
  private static let large = 16 << 20

  /// Bytes of text so far.
  var textBytes: Int { text.count + noise.count }
  /// A quarter of the text looks like noise.
  var isNoisy: Bool { noise.count * 3 >= text.count && !noise.isEmpty }

  func add(_ tombstone: Tombstone) { TombstoneLines.append(tombstone, to: &head) }

  /// - Parameter rawHash: SHA-256 of the response.
  func add(_ call: RecordedCall, rawHash: [UInt8]) {
    let id = Array(call.open.id.description.utf8)
    isLarge = call.raw.count + call.open.body.count > Self.large
    let columns = CallColumns(call)
    appendFacts(call, rawHash)
    if !call.open.body.isEmpty { call.open.body.withUnsafeBufferPointer { textLine(id, Array("/request".utf8), $0) } }
    let hasHoles = !columns.columns.isEmpty
    call.raw.withUnsafeBufferPointer { raw in
      var first: FrameShape?
      for (index, shape) in columns.shapes.enumerated() {
        if hasHoles {
          template(raw, shape, columns.holes[index], after: first)
          first = first ?? shape
        } else {
          head += Array("frame\n".utf8)
          textLine(id, Array("/frame".utf8), UnsafeBufferPointer(rebasing: raw[shape.example]))
        }
      }
    }
    order(columns.frames)
    for column in columns.columns { self.column(column, id, call) }
    if call.open.hasTimes { times.append(call.frameOffsetsNs) }
    proofs.append(varint: call.open.salt.count)
    proofs += call.open.salt
  }

  func finish() throws -> EncodedBlock {
    for lengths in noiseLengths { cuts.add(lengths: lengths) }
    var block = EncodedBlock()
    block[.head] = head
    block[.text] = text + noise
    block[.cuts] = try cuts.finish()
    block[.times] = try GroupedTimes.encode(times)
    block[.proofs] = proofs
    return block
  }

  // MARK: Head

  private func appendFacts(_ call: RecordedCall, _ rawHash: [UInt8]) {
    let timing = "\(call.frameOffsetsNs.first.map { "\($0)" } ?? "-") \(Self.longestGap(call).map { "\($0)" } ?? "-")"
    line("# \(call.open.id)", "\(call.open.startedAtNs) \(call.frameCount) \(call.raw.count) \(timing)")
    line("open", CallCoding.json(call.open, isNamed: false))
    if let response = call.head { line("head", CallCoding.json(response)) }
    if let end = call.end {
      // A hash that follows from the bytes would only be 32 bytes that no compressor can shorten.
      let hash = end.sha256 == rawHash ? "=" : end.sha256.map { Hex.string($0) }
      let isCounted = end.frames != call.frameCount || end.bytes != call.raw.count
      line("end", CallCoding.json(end, sha256: hash, isCounted: isCounted))
    } else if let loss = call.loss {
      line("end", CallCoding.json(loss))
    }
  }

  private func line(_ word: String, _ value: [UInt8]) {
    head += Array(word.utf8)
    head.append(0x20)
    value.withUnsafeBufferPointer { TapeText.append($0, .none, isLarge: isLarge, to: &head) }
    head.append(0x0A)
  }

  private func line(_ word: String, _ value: String) { line(word, Array(value.utf8)) }

  private static func longestGap(_ call: RecordedCall) -> Int64? {
    guard call.frameOffsetsNs.count > 1 else { return nil }
    var longest: Int64 = 0
    for (before, after) in zip(call.frameOffsetsNs, call.frameOffsetsNs.dropFirst()) {
      longest = max(longest, after.subtractingReportingOverflow(before).partialValue)
    }
    return longest
  }

  /// - Parameter first: the first template of the call: what another begins with alike is not said again.
  private func template(
    _ raw: UnsafeBufferPointer<UInt8>, _ shape: FrameShape, _ holes: [Int], after first: FrameShape?
  ) {
    let escapes = TapeText.escapes(in: UnsafeBufferPointer(rebasing: raw[shape.example]))
    let shared = first.map { Self.shared(raw, $0.literals[0], shape.literals[0]) } ?? 0
    head += Array("frame".utf8)
    if shared > 0 {
      head.append(0x2B)
      Decimal.append(shared, to: &head)
    }
    head += escapes.suffix
    head.append(0x20)
    for (index, literal) in shape.literals.enumerated() {
      let rest = index == 0 ? (literal.lowerBound + shared)..<literal.upperBound : literal
      TapeText.append(UnsafeBufferPointer(rebasing: raw[rest]), escapes, isLarge: isLarge, to: &head)
      if index < holes.count { head += Array("␛<\(holes[index])>".utf8) }
    }
    head.append(0x0A)
  }

  /// How many bytes two literals begin with alike, up to the end of a character; 0 for few.
  private static func shared(_ raw: UnsafeBufferPointer<UInt8>, _ a: Range<Int>, _ b: Range<Int>) -> Int {
    var count = FrameDelta.shared(
      UnsafeRawBufferPointer(UnsafeBufferPointer(rebasing: raw[a])),
      UnsafeRawBufferPointer(UnsafeBufferPointer(rebasing: raw[b]))
    ).prefix
    while count > 0, count < b.count, raw[b.lowerBound + count] & 0xC0 == 0x80 { count -= 1 }
    return count >= 32 ? count : 0
  }

  /// The frames' templates in order, as run lengths; the longest run is what is left.
  private func order(_ frames: [Int32]) {
    guard !frames.isEmpty else { return }
    var runs: [(shape: Int, count: Int)] = []
    for shape in frames {
      if let last = runs.last, last.shape == Int(shape) {
        runs[runs.count - 1].count += 1
      } else {
        runs.append((Int(shape), 1))
      }
    }
    let longest = runs.indices.max { runs[$0].count < runs[$1].count } ?? 0
    head += Array("order".utf8)
    for (index, run) in runs.enumerated() {
      head.append(0x20)
      Decimal.append(run.shape, to: &head)
      if run.count == 1 { continue }
      head.append(0x78)
      if index == longest {
        head.append(0x2A)
      } else {
        Decimal.append(run.count, to: &head)
      }
    }
    head.append(0x0A)
  }

  // MARK: Columns

  private func column(_ column: ColumnValues, _ id: [UInt8], _ call: RecordedCall) {
    if column.isNumber, let runs = NumberRuns.encode(column) {
      head += Array("numbers ".utf8) + column.path + runs
      head.append(0x0A)
      return
    }
    let mode = column.bytes.withUnsafeBufferPointer { ColumnMode($0, column.lengths) }
    head += Array("\(mode.rawValue) ".utf8) + column.path
    head += Array(" \(Self.facts(column, call))\n".utf8)
    column.bytes.withUnsafeBufferPointer { bytes in
      switch mode {
      case .words:
        if !bytes.isEmpty { textLine(id, column.path, bytes) }
        cuts.add(words: column.lengths, of: bytes)
      case .lengths:
        if !bytes.isEmpty { textLine(id, column.path, bytes) }
        cuts.add(lengths: column.lengths)
      case .noise:
        if !bytes.isEmpty { Self.line(id, column.path, bytes, isLarge, to: &noise) }
        noiseLengths.append(column.lengths)
      }
    }
  }

  /// Letters for what the joined values can be taken for, and where the first one stands if that is not the call's
  /// first frame, and when it came after that one.
  private static func facts(_ column: ColumnValues, _ call: RecordedCall) -> String {
    let facts = ColumnFacts(column)
    guard let frame = column.firstFrame else { return "e" }
    let letters = facts.isPlain ? facts.hasRepeat ? "pr" : "p" : facts.hasRepeat ? "r" : "-"
    if frame == 0 { return letters }
    let after = call.frameOffsetsNs.first.map { "\(call.frameOffsetsNs[frame] &- $0)" } ?? "-"
    return "\(letters) \(frame) \(after)"
  }

  private func textLine(_ id: [UInt8], _ label: [UInt8], _ value: UnsafeBufferPointer<UInt8>) {
    Self.line(id, label, value, isLarge, to: &text)
  }

  private static func line(
    _ id: [UInt8], _ label: [UInt8], _ value: UnsafeBufferPointer<UInt8>, _ isLarge: Bool, to text: inout [UInt8]
  ) {
    let escapes = TapeText.escapes(in: value)
    text += id
    text.append(0x20)
    text += label
    text += escapes.suffix
    text.append(0x20)
    TapeText.append(value, escapes, isLarge: isLarge, to: &text)
    text.append(0x0A)
  }
}
