package import TapeTypes

extension Store {
  /// The names of the files in the archive, in order. Only regular files are the archive's: whatever else lies there
  /// under such a name could stop a reader for good (a pipe) or fail it (a directory).
  package func archiveFiles() throws(FileError) -> [String] {
    try files.entries(archivePath).filter(\.isRegular).map(\.name)
  }

  /// What has the name of a journal or a segment and is none.
  package func archiveIntruders() throws(FileError) -> [Damage] {
    try files.entries(archivePath).filter { entry in
      !entry.isRegular && (entry.name.hasPrefix("J-") || entry.name.hasPrefix("S-"))
    }.map { Damage(file: $0.name, offset: 0, calls: [], message: "this is no regular file, so it is left alone") }
  }

  /// True if there is a file of this name in the archive.
  func hasArchiveFile(_ name: String) throws(FileError) -> Bool {
    try files.status(archivePath + "/" + name)?.isRegular ?? false
  }
}

extension TapeError {
  /// One file cannot be read, which is no reason not to read the others.
  package var isDamage: Bool { code == .corrupt || code == .newerVersion }
}
