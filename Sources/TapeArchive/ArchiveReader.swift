public import TapeTypes

/// Reads calls back from wherever they lie.
public struct ArchiveReader: Sendable {
  let store: Store

  public init(store: Store) { self.store = store }

  // MARK: One call

  /// The call at a location, looked for elsewhere if it was sealed since.
  ///
  /// - Throws: `TapeError` `.notFound`, `.erased`, `.corrupt`, `.newerVersion`, `.io`.
  public func call(at location: CallLocation, id: CallID) throws -> RecordedCall {
    do {
      if let call = try read(location, id) { return call }
    } catch let error as FileError {
      throw ioError(error)
    } catch let error as TapeError where error.code == .notFound {
      // Sealed or repacked since.
    }
    guard let found = try find(id) else {
      throw TapeError(.notFound, "the archive \(store.archivePath) has no call \(id)")
    }
    return found.call
  }

  /// nil if the archive has no such call. Looks through every index: for where the catalogue cannot be asked.
  ///
  /// - Throws: `TapeError` `.erased`; `.corrupt` or `.newerVersion` if it is nowhere, and may be in a file that cannot
  ///   be read.
  public func find(_ id: CallID) throws -> (call: RecordedCall, location: CallLocation)? {
    do {
      var unreadable: TapeError?
      for name in try store.archiveFiles() where SegmentFormat.parse(fileName: name) != nil {
        do {
          if let found = try find(id, inSegment: name) { return found }
        } catch let error as TapeError where error.isDamage {
          unreadable = unreadable ?? error
        }
      }
      var location: CallLocation?
      let follower = JournalFollower(store: store)
      try follower.poll { event in
        if case .opened(let open, let place) = event, open.id == id { location = place }
      }
      if let location, let call = try read(location, id) { return (call, location) }
      if let unreadable { throw unreadable }
      return nil
    } catch let error as FileError {
      throw ioError(error)
    }
  }

  private func find(_ id: CallID, inSegment name: String) throws -> (call: RecordedCall, location: CallLocation)? {
    let segment = try SegmentReader(store: store, name: name)
    guard let entry = segment.entries.first(where: { $0.id == id }) else { return nil }
    return (try segment.call(at: entry.blockOffset, id: id), CallLocation(file: name, offset: entry.blockOffset))
  }

  private func ioError(_ error: FileError) -> TapeError {
    TapeError(.io, "cannot read the archive \(store.archivePath): \(error.reason) (\(error.doing))")
  }

  private func read(_ location: CallLocation, _ id: CallID) throws -> RecordedCall? {
    if SegmentFormat.parse(fileName: location.file) != nil {
      if let call = SegmentFile.quickly(store: store, name: location.file, at: location.offset, id: id) { return call }
      return try SegmentFile(store: store, name: location.file).call(at: location.offset, id: id)
    }
    guard let name = JournalFormat.parse(fileName: location.file) else { return nil }
    let place = JournalCalls.Place(sequence: name.sequence, offset: location.offset)
    return try JournalCalls(store: store, writer: name.writer).read([id: place])[id]
  }

  /// Calls that have ended, read together from where they lie in journals. Those that are not there any more, as they
  /// were sealed or erased since, are left out: they are to be asked for with `call(at:id:)`.
  ///
  /// - Throws: `TapeError` `.io`.
  package func calls(at places: [JournalPlaces]) throws -> [CallID: RecordedCall] {
    do {
      var found: [CallID: RecordedCall] = [:]
      for (writer, places) in Dictionary(grouping: places, by: \.writer) {
        let loader = JournalLoader(store: store, writer: writer)
        for start in stride(from: 0, to: places.count, by: JournalLoader.mostCalls) {
          let wanted = Array(places[start...].prefix(JournalLoader.mostCalls))
          for case (let places, let call?) in zip(wanted, try loader.load(wanted)) where places.fits(call) {
            found[places.id] = call
          }
        }
      }
      return found
    } catch {
      throw ioError(error)
    }
  }

  /// Every call that is read at little cost along with the one at `location`: those of its block, or those in the
  /// journals of its writer.
  ///
  /// - Throws: as `call(at:id:)`, and what `body` throws. Nothing is delivered when the file is gone.
  package func neighbours(of location: CallLocation, _ body: (RecordedCall, CallLocation) throws -> Void) throws {
    do {
      if SegmentFormat.parse(fileName: location.file) != nil {
        let segment = try SegmentFile(store: store, name: location.file)
        guard let block = segment.block(at: location.offset) else { return }
        for item in try segment.items(inBlock: block) {
          if let call = item.call { try body(call, location) }
        }
      } else if let name = JournalFormat.parse(fileName: location.file) {
        let sequences = try JournalListing(store: store).writers[name.writer] ?? []
        try journalCalls(name.writer, sequences, { _ in }, body)
      }
    } catch let error as FileError {
      throw ioError(error)
    } catch let error where error is BlockError || error is ZstdError {
      throw TapeError(.corrupt, "the segment \(store.archivePath)/\(location.file) is damaged: \(error)")
    } catch let error as TapeError where error.code == .notFound {
      return
    }
  }

  // MARK: All calls

  /// Every call once (a sealed one from its segment), segments first, in start order within a file.
  ///
  /// Damage goes to `onDamage`, and reading goes on behind it.
  /// - Throws: `TapeError` `.io`, and what `body` throws.
  public func allCalls(
    onDamage: (Damage) -> Void = { _ in }, _ body: (RecordedCall, CallLocation) throws -> Void
  ) throws {
    do {
      // Journals are listed first: a call that is sealed meanwhile is then in a segment, or in a journal that is
      // still open here; never in neither.
      let journals = try JournalListing(store: store)
      for damage in try store.archiveIntruders() { onDamage(damage) }
      // The start of each leaf hash tells two calls of one id apart.
      var seen: [CallID: UInt64] = [:]
      for name in try store.archiveFiles() where SegmentFormat.parse(fileName: name) != nil {
        do {
          try SegmentReader(store: store, name: name).forEachItem(onDamage: onDamage) { item, location, leaf in
            let short = leaf.prefix(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
            if let other = seen[item.id] {
              if other != short {
                onDamage(
                  Damage(
                    file: name, offset: location.offset, calls: [item.id],
                    message: "another segment has a different call of this id"))
              }
              return
            }
            // Of an erased call a journal may have a copy for a while.
            seen[item.id] = short
            if let call = item.call { try body(call, location) }
          }
        } catch let error as TapeError where error.code == .corrupt || error.code == .newerVersion {
          onDamage(Damage(file: name, offset: 0, calls: [], message: error.description))
        }
      }
      for (writer, sequences) in journals.writers.sorted(by: { $0.key < $1.key }) {
        try journalCalls(writer, sequences, onDamage) { call, location in
          if seen[call.open.id] == nil { try body(call, location) }
        }
      }
    } catch let error as FileError {
      throw ioError(error)
    }
  }

  private func journalCalls(
    _ writer: CallID, _ sequences: [Int], _ onDamage: (Damage) -> Void,
    _ body: (RecordedCall, CallLocation) throws -> Void
  ) throws {
    guard let last = sequences.last else { return }
    let isAlive = try JournalListing.isAlive(writer, last: last, store: store)
    let scan = WriterScan(store: store, writer: writer)
    let ends = try JournalEnds(store: store, writer: writer, sequences: sequences)
    for sequence in sequences {
      try scan.read(
        sequence: sequence, hasPrevious: sequences.contains(sequence - 1), isFinal: sequence != last || !isAlive,
        end: ends[sequence])
    }
    for damage in scan.damage { onDamage(damage) }
    let live = scan.openTracks
    if !isAlive { try scan.finish() }
    let tracks = scan.takeReady() + (isAlive ? live : [])
    let loader = JournalLoader(store: store, writer: writer)
    for track in tracks.sorted(by: { ($0.startedAtNs, $0.number) < ($1.startedAtNs, $1.number) }) {
      guard var call = try loader.load([JournalPlaces(track, writer: writer)])[0] else { continue }
      call.isLive = isAlive && call.end == nil
      try body(call, track.location)
    }
  }

  /// Changes when the file is written again, as by erasing; nil if there is none of the name.
  package func status(ofFile name: String) -> FileStatus? {
    (try? store.files.status(store.archivePath + "/" + name)) ?? nil
  }

  /// What is in the archive's directory.
  public func files() throws -> [ArchiveFile] {
    do {
      let journals = try JournalListing(store: store)
      var live: Set<String> = []
      for (writer, sequences) in journals.writers {
        guard let last = sequences.last, try JournalListing.isAlive(writer, last: last, store: store) else { continue }
        live.insert(JournalFormat.fileName(writer: writer, sequence: last))
      }
      var files: [ArchiveFile] = []
      for name in try store.archiveFiles() {
        guard let status = try store.files.status(store.archivePath + "/" + name), status.isRegular else { continue }
        let writer = JournalFormat.parse(fileName: name)?.writer ?? SegmentFormat.parse(fileName: name)?.writer
        files.append(
          ArchiveFile(
            name: name, kind: .init(name: name), bytes: status.bytes, writer: writer, isLive: live.contains(name)))
      }
      return files
    } catch {
      throw ioError(error)
    }
  }
}
