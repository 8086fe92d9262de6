internal import TapeArchive
internal import TapeTypes

/// A journal or segment as far as indexing it is concerned: cheaper to list than with `ArchiveReader.files`, which
/// also asks whether writers live, and done several times a second.
struct SourceFile {
  enum Kind: String {
    case journal, segment
    /// Has such a name and is no file. Its size is -1, which no file has that takes its place.
    case intruder
  }

  var name: String
  var kind: Kind
  var bytes: Int
  /// When it was last changed, ns since 1970; nil if that was not asked.
  var modifiedNs: Int64?

  /// What is in the archive now, by name.
  ///
  /// - Parameter known: sizes of files; segments among them are not asked again. Only erasing and repacking change one,
  ///   which changes the directory too.
  static func list(_ store: Store, known: [String: Int] = [:]) throws -> [SourceFile] {
    do {
      var files: [SourceFile] = []
      for name in try store.archiveFiles() {
        guard let kind = kind(of: name) else { continue }
        if kind == .segment, let bytes = known[name], bytes >= 0 {
          files.append(SourceFile(name: name, kind: kind, bytes: bytes))
          continue
        }
        // One that goes between listing and asking was sealed: it is no matter.
        guard let status = try store.files.status(store.archivePath + "/" + name) else { continue }
        files.append(
          SourceFile(name: name, kind: kind, bytes: status.bytes, modifiedNs: status.modifiedNs))
      }
      files += try store.archiveIntruders().map { SourceFile(name: $0.file, kind: .intruder, bytes: -1) }
      return files
    } catch {
      throw TapeError(.io, "cannot list the archive \(store.archivePath): \(error.reason) (\(error.call))")
    }
  }

  static func kind(of name: String) -> Kind? {
    if name.hasPrefix("J-"), name.hasSuffix(".tape") { return .journal }
    if name.hasPrefix("S-"), name.hasSuffix(".tape.zst") { return .segment }
    return nil
  }
}
