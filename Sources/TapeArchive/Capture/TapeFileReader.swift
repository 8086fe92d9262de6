internal import Crypto
internal import TapeJSON
package import TapeTypes

extension TapeFile {
  /// A call of a tape.
  package struct Entry: Sendable {
    package var call: RecordedCall
    package var place: Place?
  }

  /// Reads a tape line by line. Total: whatever the lines, it throws, or gives calls whose leaf hashes and proofs are
  /// right. Nothing may be done with them before `finish` has found the checksum over all lines to be right.
  package struct Reader {
    /// The checkpoint that the calls' proofs are of.
    package private(set) var note: CheckpointNote?
    private var hash = SHA256()
    private var hasBegun = false
    private var isOver = false
    private var calls = 0
    private var call: RecordedCall?
    private var parts = Parts()
    /// What lines of bytes belong to, and how many bytes there have to be.
    private var target = Target.none
    private var expected: Int?
    private var gathered: [UInt8] = []

    private enum Target { case none, checkpoint, request, frame(Int64?) }

    /// Of the call that is being read, what is not in it yet.
    private struct Parts {
      var id: CallID?
      var open: JSONValue?
      var salt: [UInt8]?
      var leaf: MerkleHash?
      var place: Place?
    }

    package init() {}

    /// Takes the next line, without its line feed.
    ///
    /// - Returns: the call that the line is behind of, if one has ended.
    /// - Throws: `TapeError` `.failed`, with what is wrong; `.newerVersion`.
    package mutating func take(_ line: UnsafeRawBufferPointer) throws -> Entry? {
      guard !isOver else { throw wrong("there is something behind its last line") }
      var fields = JournalFields(line)
      let word = String(decoding: fields.text().prefix(16), as: UTF8.self)
      if word == "sha256", hasBegun, parts.id == nil {
        guard fields.hex() == Array(hash.finalize()) else {
          throw wrong("its checksum is not that of its lines: it was changed since it was exported")
        }
        isOver = true
        return nil
      }
      hash.update(bufferPointer: line)
      hash.update(data: [0x0A])
      guard hasBegun else {
        try begin(word)
        return nil
      }
      if BarredText.isText(line) {
        guard case .none = target else {
          guard BarredText.unescape(line, to: &gathered) else { throw wrong("bytes that cannot be read") }
          return nil
        }
        throw wrong("bytes that belong to nothing")
      }
      try endBytes()
      switch word {
      case "", "#": return nil
      case "call" where fields.isCall(word), "end" where fields.isCall(word):
        let entry = try endCall()
        if word == "call" { parts.id = fields.callID() }
        guard word == "end" || parts.id != nil else { throw wrong("a call without id") }
        return entry
      default: try member(word, line, &fields)
      }
      return nil
    }

    /// - Throws: `TapeError` `.failed` unless a whole tape was taken.
    package func finish() throws {
      guard isOver else { throw wrong("its end is missing") }
    }

    private func wrong(_ what: String) -> TapeError { TapeError(.failed, what) }

    private mutating func begin(_ word: String) throws {
      guard word == TapeFile.magic else {
        throw word.hasPrefix(TapeFile.magicName)
          ? TapeError(.newerVersion, "it is a \(word), this program knows \(TapeFile.magic); use a newer tapedeck")
          : wrong("it does not begin as a tape does")
      }
      hasBegun = true
    }

    private mutating func member(
      _ word: String, _ line: UnsafeRawBufferPointer, _ fields: inout JournalFields
    ) throws {
      let json = line.dropFirst(word.utf8.count + 1)
      switch word {
      case "checkpoint" where calls == 0 && parts.id == nil: (target, expected) = (.checkpoint, nil)
      case "open": parts.open = try? JSONValue(parsing: Array(json))
      case "salt": parts.salt = fields.hex()
      case "request": try expect(fields.count(), .request)
      case "head":
        call?.head = (try? JSONValue(parsing: Array(json))).flatMap { CallCoding.head($0) }
        guard call?.head != nil else { throw wrong("a head that makes no sense") }
      case "frame":
        guard let time = fields.time() else { throw wrong("a frame without time") }
        try expect(fields.count(), .frame(time))
      case "end":
        let value = try? JSONValue(parsing: Array(json))
        call?.end = value.flatMap { CallCoding.end($0) }
        call?.loss = value.flatMap { CallCoding.loss($0) }
        guard call?.end != nil || call?.loss != nil else { throw wrong("an end that makes no sense") }
      case "leaf": parts.leaf = MerkleHash(hex: fields.text())
      case "proof": parts.place = try place(&fields)
      default: throw wrong("a line that begins with '\(word)'")
      }
    }

    private mutating func expect(_ count: Int?, _ target: Target) throws {
      guard let count else { throw wrong("bytes without their number") }
      (self.target, expected) = (target, count)
    }

    /// The bytes that stood behind bars are all there.
    private mutating func endBytes() throws {
      defer { (target, gathered) = (.none, []) }
      if case .none = target { return }
      guard expected == nil || expected == gathered.count else {
        throw wrong("\(gathered.count) bytes where \(expected ?? 0) should be")
      }
      switch target {
      case .none: break
      case .checkpoint:
        note = CheckpointNote(gathered)
        guard note != nil else { throw wrong("a checkpoint that is none") }
      case .request:
        guard let value = parts.open, let salt = parts.salt,
          let open = CallCoding.open(value, body: gathered, salt: salt), open.id == parts.id, call == nil
        else { throw wrong("a call whose beginning makes no sense") }
        call = RecordedCall(open: open)
      case .frame(let time):
        guard var call, (time != nil) == call.open.hasTimes else { throw wrong("a frame that belongs to no call") }
        self.call = nil
        call.raw += gathered
        call.frameEnds.append(call.raw.count)
        if let time { call.frameOffsetsNs.append(time) }
        self.call = call
      }
    }

    private func place(_ fields: inout JournalFields) throws -> Place {
      guard let number = fields.count() else { throw wrong("a proof without leaf number") }
      var path: [MerkleHash] = []
      while true {
        let word = fields.text()
        if word.isEmpty { return Place(leafNumber: number, path: path) }
        guard path.count < 64, let hash = MerkleHash(hex: word) else { throw wrong("a proof that makes no sense") }
        path.append(hash)
      }
    }

    private mutating func endCall() throws -> Entry? {
      guard let id = parts.id else { return nil }
      defer { (parts, call) = (Parts(), nil) }
      guard let call, let leaf = parts.leaf else { throw wrong("call \(id) is not whole") }
      guard MerkleHash(leafHash(of: call)) == leaf else {
        throw wrong("call \(id) is not the one whose leaf hash it has: it was changed")
      }
      if let place = parts.place {
        guard let checkpoint = note?.checkpoint,
          MerkleProof.verifyInclusion(
            of: leaf, at: place.leafNumber, size: checkpoint.size, path: place.path, root: checkpoint.root)
        else { throw wrong("the proof of call \(id) does not lead to the root of the tape's checkpoint") }
      }
      calls += 1
      return Entry(call: call, place: parts.place)
    }
  }
}

extension JournalFields {
  /// Tells the end of the tape (`end of tape, …`) from the end of a call (`end {…}`).
  fileprivate func isCall(_ word: String) -> Bool {
    var rest = self
    return word == "call" || rest.text().elementsEqual("of".utf8)
  }
}
