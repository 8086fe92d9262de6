package import TapeTypes

/// The generation of a sealed call, from its outline: equal to that of its frames, `extra` aside, which is empty.
///
/// nil where an outline does not tell: then the frames have to be asked.
package func generation(of outline: CallOutline) -> Generation? {
  var reader = OutlineReader(outline)
  return reader?.read()
}

/// Reads a call's templates instead of its frames.
///
/// The grammar is the one for frames. Each template is made a frame a few times, not once for every frame that it
/// stands for: with a mark in each hole whose values are joined, and the first time at the frame where the first of
/// them comes. A second frame with the same literals has to leave everything as it was, or all of them are read. At
/// the end the texts that consist of a column's marks alone get the joined values; a mark anywhere else, or a column
/// that is in no text or in two, and nothing is taken for granted.
struct OutlineReader {
  private let outline: CallOutline
  private var reconstructor: Reconstructor
  private let columns: [OutlineColumn]
  /// For each template whether its marks have been seen to go where they belong, hole by hole.
  private var hasShown: [[Bool]]
  private var frame: [UInt8] = []

  /// nil if a column has values that count one by one, and they are not known.
  init?(_ outline: CallOutline) {
    self.outline = outline
    reconstructor = Reconstructor(open: outline.open, head: outline.head, withExtra: false, recognising: false)
    let grammar = Dialect(path: outline.open.path).grammar
    var columns: [OutlineColumn] = []
    columns.reserveCapacity(outline.columns.count)
    for (index, column) in outline.columns.enumerated() {
      guard
        let read = OutlineColumn(column, mark: OutlineMarks.bytes(index), fate: grammar.fate(ofPath:))
      else { return nil }
      columns.append(read)
    }
    self.columns = columns
    hasShown = outline.templates.map { [Bool](repeating: false, count: $0.holes.count) }
  }

  mutating func read() -> Generation? {
    guard hasKnownLines, isKnownFirst else { return nil }
    var first = 0
    for run in outline.runs {
      guard read(run, from: first) else { return nil }
      first += run.count
    }
    guard first == outline.frames, isExact || reconstructor.hasEventStream else { return nil }
    var generation = reconstructor.finish(end: outline.end, loss: outline.loss, bodyBytes: outline.bytes)
    return isExact || OutlineMarks.replace(in: &generation, columns) ? generation : nil
  }

  // MARK: Runs

  /// False if the frames of the run have to be asked.
  private mutating func read(_ run: CallOutline.Run, from first: Int) -> Bool {
    let template = outline.templates[run.template]
    // Where a column's first value comes, its mark comes; until then its values are empty.
    var starts = [first]
    for column in template.holes {
      if case .joined(let start) = columns[column].values, start > first, start < first + run.count {
        starts.append(start)
      }
    }
    if starts.count > 2 { starts.sort() }
    for (index, start) in starts.enumerated() {
      let end = index + 1 < starts.count ? starts[index + 1] : first + run.count
      if start < end, !read(run.template, start..<end) { return false }
    }
    return true
  }

  private mutating func read(_ template: Int, _ frames: Range<Int>) -> Bool {
    let isKnown = outline.templates[template].holes.allSatisfy { columns[$0].isKnown }
    let (bytes, defects) = (reconstructor.textBytes, reconstructor.defects)
    let marked = fill(template, at: frames.lowerBound)
    consume()
    // The marks are where texts are joined, and nothing else came with them: the frame was not cut
    // off. A defect may quote any value, or say that the frame was not read.
    guard isKnown || (reconstructor.defects == defects && (marked == 0 || reconstructor.textBytes == bytes + marked))
    else { return false }
    guard frames.count > 1 else { return true }
    let once = reconstructor.weight
    _ = fill(template, at: frames.lowerBound + 1)
    consume()
    if reconstructor.weight == once {
      guard frames.count > 2 else { return true }
      reconstructor.skip(frames: frames.count - 3)
      // Usage and a missing end name the last frame that they are in.
      consume()
      return true
    }
    guard isKnown else { return false }
    for _ in 2..<frames.count { consume() }
    return true
  }

  /// Makes the frame at `index` of its template; returns how many bytes of marks are in it.
  private mutating func fill(_ number: Int, at index: Int) -> Int {
    let template = outline.templates[number]
    var marked = 0
    frame.removeAll(keepingCapacity: true)
    frame.append(contentsOf: template.literals[0])
    for (hole, column) in template.holes.enumerated() {
      switch columns[column].values {
      case .known(let bytes), .any(let bytes): frame.append(contentsOf: bytes)
      case .joined(let start):
        // Not a second time: what is appended would hide whether anything else changes.
        if index >= start, !hasShown[number][hole] {
          hasShown[number][hole] = true
          OutlineMarks.append(column, to: &frame)
          marked += OutlineMarks.size
        }
      }
      frame.append(contentsOf: template.literals[hole + 1])
    }
    return marked
  }

  private mutating func consume() {
    frame.withUnsafeBytes { reconstructor.consume(frame: $0, offsetNs: nil) }
  }

  // MARK: What has to hold

  private var isExact: Bool { columns.allSatisfy(\.isKnown) }

  /// The first frame of a body may begin with a byte order mark, and a body that is taped whole is split again: such
  /// a frame says nothing about others of its template.
  private var isKnownFirst: Bool {
    guard !isExact, let first = outline.runs.first else { return true }
    let hasMark = outline.templates[first.template].literals[0].starts(with: [0xEF, 0xBB, 0xBF])
    return !hasMark && outline.head.map { $0.mediaType == nil || $0.mediaType == "text/event-stream" } ?? true
  }

  /// Whether every hole outside of JSON whose values are not known is in a line that no event comes from.
  private var hasKnownLines: Bool {
    for template in outline.templates {
      for (hole, column) in template.holes.enumerated() where columns[column].isLine && !columns[column].isKnown {
        let literal = template.literals[hole]
        let start = literal.lastIndex { $0 == 0x0A || $0 == 0x0D }.map { $0 + 1 } ?? (hole == 0 ? 0 : literal.count)
        let line = literal[start...]
        guard line.first == 0x3A || line.starts(with: Array("id:".utf8)) || line.starts(with: Array("retry:".utf8))
        else { return false }
      }
    }
    return true
  }
}
