import TapeJSON
import TapeSSE
package import TapeTypes

/// Puts a generation together frame by frame, also while the call goes on.
///
/// It judges by what is there: a body with SSE lines is an event stream whatever its
/// Content-Type says, and one without any is read as a whole (a JSON answer, an error page).
package struct Reconstructor: Sendable {
  /// A body that is no event stream is looked into up to this size.
  static let maximumWholeBody = 64 << 20

  private var head: CallHead?
  private var builder: GenerationBuilder
  /// nil: every frame is read in full.
  private(set) var shapes: ChunkShapes?
  private var frames = 0
  /// A frame with an SSE line has come.
  private var isEventStream = false
  /// The body so far, while no SSE line has come.
  private var body: [UInt8] = []
  private var bodyBytes = 0
  /// Events so far: frames with data.
  private var events = 0
  private var isDone = false
  private var unterminatedFrame: Int?

  /// - Parameters:
  ///   - head: nil if it has not come yet; then `setHead` when it has.
  ///   - withExtra: false leaves `Generation.extra` empty, for who has no use for it.
  ///   - recognising: false reads every frame in full, though it be as the one before.
  package init(open: CallOpen, head: CallHead?, withExtra: Bool = true, recognising: Bool = true) {
    self.head = head
    shapes = recognising ? ChunkShapes() : nil
    builder = GenerationBuilder(dialect: Dialect(path: open.path))
    builder.origin = ProviderNames.Origin(open)
    builder.extra.isKept = withExtra
  }

  package mutating func setHead(_ head: CallHead) { self.head = head }

  /// Takes the next frame, whole, also an unterminated tail. The bytes are not kept.
  package mutating func consume(frame: UnsafeRawBufferPointer, offsetNs: Int64?) {
    let index = frames
    frames += 1
    if shapes?.read(frame, index: index, into: &builder) == true {
      bodyBytes += frame.count
      events += 1
      return
    }
    let fields = FrameFields(frame, isFirst: index == 0)
    bodyBytes += frame.count
    guard isEventStream || fields.hasKnownLine else {
      if body.count + frame.count <= Reconstructor.maximumWholeBody { body.append(contentsOf: frame) }
      return
    }
    isEventStream = true
    body = []
    if looksWhole(frame, fields) {
      consume(wholeStream: frame, index: index)
    } else {
      consume(frame, fields, index: index, isFirst: index == 0)
    }
  }

  /// What the frames so far say, of a call that goes on: nothing is missing yet.
  ///
  /// - Parameters:
  ///   - withHistory: `extra` has the histories of its fields. They grow with the call, so who asks after every frame
  ///     does without.
  ///   - textLimit: texts have no more than so many bytes. They grow too.
  package func snapshot(withHistory: Bool = false, textLimit: Int = .max) -> Generation {
    var copy = self
    if !copy.isEventStream, let head, head.status >= 400 { copy.readWholeBody() }
    var result = copy.builder.generation(withHistory: withHistory, textLimit: textLimit)
    result.complete = copy.isComplete
    return result
  }

  /// The response has ended: what is missing now is a defect.
  ///
  /// - Parameter end: what the transport saw. Where the stream itself tells of no error, an incomplete
  ///   generation takes the transport's words for one.
  package mutating func finish(end: CallEnd?, loss: CallLoss? = nil) -> Generation {
    if let end {
      noteGap(frames: end.gapFrames, bytes: end.gapBytes, sawDone: end.sawDone)
    } else if let loss {
      noteGap(frames: loss.gapFrames, bytes: loss.gapBytes, sawDone: false)
    }
    if isEventStream { noteEndOfStream(end) } else { readWholeBody() }
    var result = builder.generation(withHistory: true)
    result.complete = isComplete
    if let end, let detail = end.detail, !result.complete, result.error == nil, end.cause != .clientClosed {
      result.error = GenerationError(message: detail, code: .string(end.cause.rawValue))
    }
    return result
  }

  /// What the archive could not take is missing here; the recorder saw whether `[DONE]` went by all the same.
  private mutating func noteGap(frames: Int, bytes: Int, sawDone: Bool) {
    guard frames > 0 || bytes > 0 else { return }
    if sawDone { isDone = true }
    builder.defects.add(
      .truncated, "\(frames) frames, \(bytes) bytes reached the client and not the tape: the disk took no writes")
  }

  private var isComplete: Bool { (isDone || builder.isFinal) && !builder.isCancelled && builder.error == nil }

  /// Nobody knows what would be the last event of such a stream.
  private var isUnknownStream: Bool { isEventStream && !builder.isSettled && builder.rawText.firstFrame != nil }

  // MARK: Frames of a stream

  private mutating func consume(_ frame: UnsafeRawBufferPointer, _ fields: FrameFields, index: Int, isFirst: Bool) {
    if !fields.isTerminated { unterminatedFrame = index }
    fields.withData(of: frame, isFirst: isFirst) { data in
      guard let data else { return }
      if isDone {
        builder.defects.add(.afterDone, frame: index, "an event came after [DONE]")
      } else if Reconstructor.isDoneSentinel(data) {
        isDone = true
        shapes = nil
        events += 1
      } else if fields.isTerminated {
        events += 1
        let isError = fields.event.map { "error" ~= UnsafeRawBufferPointer(rebasing: frame[$0]) } ?? false
        shapes?.willRead(into: &builder)
        let isRead = consume(data: data, isError: isError, index: index)
        // The first frame may begin with a byte order mark.
        if isRead, !isError, index > 0, fields.dataLines == 1 {
          // Where the pieces of a frame go must not change behind its back.
          if builder.hasMovedPieces { shapes = nil }
          shapes?.learn(frame, data: fields.firstData, index: index, from: &builder)
        }
      }
    }
  }

  /// False if the data is no chunk.
  private mutating func consume(data: UnsafeRawBufferPointer, isError: Bool, index: Int) -> Bool {
    if !builder.isSettled { builder.settle(by: data, frame: index) }
    let errorsBefore = builder.defects.count(of: .errorFrame)
    do throws(JSONError) {
      try builder.dialect.grammar.merge(data, frame: index, into: &builder)
      if isError, builder.defects.count(of: .errorFrame) == errorsBefore {
        let error = WholeBody.error(in: data, frame: index) ?? WholeBody.plainError(data, frame: index)
        builder.noteError(error, kind: .errorFrame, frame: index)
      }
      return true
    } catch {
      if isError {
        builder.noteError(WholeBody.plainError(data, frame: index), kind: .errorFrame, frame: index)
      } else {
        builder.noteBad(frame: index, "the data is not a JSON object: \(error.description)")
      }
      return false
    }
  }

  private static func isDoneSentinel(_ data: UnsafeRawBufferPointer) -> Bool {
    var end = data.count
    while end > 0, data[end - 1] == 0x20 { end -= 1 }
    return "[DONE]" ~= UnsafeRawBufferPointer(rebasing: data[..<end])
  }

  /// An event stream that was taped as one frame, because its Content-Type said something else.
  private func looksWhole(_ frame: UnsafeRawBufferPointer, _ fields: FrameFields) -> Bool {
    guard frames == 1, fields.dataLines > 1, let type = head?.mediaType else { return false }
    return type != "text/event-stream"
  }

  /// Every event of it counts for the one frame.
  private mutating func consume(wholeStream body: UnsafeRawBufferPointer, index: Int) {
    let (ends, _) = FrameSplitter.split(Array(body))
    var start = 0
    for end in ends {
      let frame = UnsafeRawBufferPointer(rebasing: body[start..<end])
      consume(frame, FrameFields(frame, isFirst: start == 0), index: index, isFirst: start == 0)
      start = end
    }
  }

  // MARK: The end

  private mutating func noteEndOfStream(_ end: CallEnd?) {
    if isUnknownStream, end?.cause == .endOfBody, unterminatedFrame == nil, builder.defects.count(of: .truncated) == 0 {
      isDone = true
    }
    noteHTTPError(body: UnsafeRawBufferPointer(start: nil, count: 0))
    if let unterminatedFrame {
      builder.defects.add(.truncated, frame: unterminatedFrame, "the last frame has no blank line behind it")
    }
    if events == 0, unterminatedFrame == nil {
      builder.defects.add(.empty, "the stream has no event in \(bodyBytes) bytes")
    } else if builder.isCancelled {
      if builder.error == nil { builder.defects.add(.noFinal, "the response was cancelled before its end") }
    } else if !isDone, !builder.isFinal {
      if builder.error == nil { builder.defects.add(.noFinal, "the stream ended without [DONE] or a final chunk") }
    } else if !builder.isFinal, builder.dialect == .orq, builder.error == nil {
      builder.defects.add(.noFinal, "[DONE] came without a final chunk")
    }
  }

  private mutating func noteHTTPError(body: UnsafeRawBufferPointer) {
    guard let head, head.status >= 400 else { return }
    let error =
      builder.error ?? WholeBody.error(in: body, frame: frames > 0 ? 0 : nil)
      ?? GenerationError(message: WholeBody.describe(body, size: bodyBytes, head: head), frame: nil)
    builder.defects.add(.httpError, "HTTP \(head.status): \(error.message)")
    if builder.error == nil { builder.error = error }
  }

  /// Reads a body that is no event stream: an error, a whole generation as JSON, or something else.
  private mutating func readWholeBody() {
    let body = body
    body.withUnsafeBytes { bytes in
      if let head, head.status >= 400 { return readErrorBody(bytes) }
      let isBlank = bytes.allSatisfy { $0 == 0x0A || $0 == 0x0D || $0 == 0x20 || $0 == 0x09 }
      if isBlank {
        let what = head == nil ? "there was no response" : "the response has no body"
        return builder.defects.add(.empty, bodyBytes == 0 ? what : "the body is blank")
      }
      let isRead = readJSONBody(bytes)
      if !isComplete {
        let what = WholeBody.mediaType(of: bytes, head: head)
        let missing = builder.isCancelled ? ", a response that was cancelled" : " without a choice"
        let why = !isRead ? ", not a JSON object" : builder.error == nil ? missing : ""
        builder.defects.add(
          .notSSE, frame: frames > 0 ? 0 : nil, "the body is no event stream: \(what), \(bodyBytes) bytes\(why)")
      }
    }
  }

  private mutating func readErrorBody(_ bytes: UnsafeRawBufferPointer) {
    noteHTTPError(body: bytes)
    if bytes.isEmpty {
      builder.defects.add(.empty, "the response has no body")
    } else if WholeBody.isObject(bytes) {
      WholeBody.keepFields(of: bytes, in: &builder)
    }
  }

  /// Reads a JSON body as one chunk; false if it is no JSON object.
  private mutating func readJSONBody(_ bytes: UnsafeRawBufferPointer) -> Bool {
    let chunks = WholeBody.chunks(bytes)
    if chunks.isEmpty { return false }
    for chunk in chunks {
      if !builder.isSettled, let shown = Dialect(shownBy: chunk) { builder.settle(on: shown) }
      do throws(JSONError) {
        try builder.dialect.grammar.merge(chunk, frame: 0, into: &builder)
      } catch {
        return false
      }
    }
    // That it is JSON says nothing: `{"detail":"Nope"}` with status 200 is no generation. Choices make it one, and
    // so do token counts in an answer of a kind that has no choices (embeddings).
    let isBilled = builder.dialect == .unknown && builder.usage != nil && !builder.hasChoiceList
    if !builder.choices.builders.isEmpty || isBilled { isDone = true }
    return true
  }
}

extension CallHead {
  /// The Content-Type without its parameters, in lower case; nil if there is none.
  var mediaType: String? {
    headers.first("content-type").map { value in
      var type = value.utf8.prefix { $0 != 0x3B }.drop { $0 == 0x20 }
      while type.last == 0x20 { type.removeLast() }
      return Substring(type).lowercased()
    }
  }
}

/// What an outline's reader has to know while it leaves out frames that say nothing new.
extension Reconstructor {
  /// Grows with every frame that adds something.
  var weight: Int { body.count + builder.weight }
  var textBytes: Int { builder.textBytes }
  var defects: Int { builder.defects.total }
  var hasEventStream: Bool { isEventStream }
  var hasMovedPieces: Bool { builder.hasMovedPieces }

  /// Frames that need not be read come next.
  mutating func skip(frames count: Int) { frames += count }

  /// - Parameter bodyBytes: of all frames, left out ones too.
  mutating func finish(end: CallEnd?, loss: CallLoss?, bodyBytes: Int) -> Generation {
    self.bodyBytes = bodyBytes
    return finish(end: end, loss: loss)
  }
}

/// The generation of a call that is on tape.
///
/// - Parameter withExtra: false leaves `Generation.extra` empty.
package func generation(of call: RecordedCall, withExtra: Bool = true) -> Generation {
  var reconstructor = Reconstructor(open: call.open, head: call.head, withExtra: withExtra)
  call.raw.withUnsafeBytes { raw in
    for index in 0..<call.frameCount {
      reconstructor.consume(
        frame: UnsafeRawBufferPointer(rebasing: raw[call.frameRange(index)]), offsetNs: call.frameOffsetNs(index))
    }
  }
  return call.end == nil && call.isLive
    ? reconstructor.snapshot(withHistory: true) : reconstructor.finish(end: call.end, loss: call.loss)
}
