internal import TapeArchive
internal import TapeCatalogue
package import TapeJSON
internal import TapeTypes

extension QueryEngine {
  /// The object of `status`.
  package func status(counts: FileCounts = FileCounts()) throws -> JSONValue {
    let files = try archive.files()
    return try catalogue.snapshot { snapshot in
      try StoreStatus(store: store, files: files, snapshot: snapshot, counts: counts).json()
    }
  }

  /// True when the archive has bytes that are not in the catalogue and nobody is indexing them.
  ///
  /// Cheap: lists the archive and asks for the sizes of journals only, as segments never change.
  package var isStale: Bool {
    guard let names = try? store.archiveFiles(),
      let indexed = try? catalogue.snapshot({ try StoreStatus.indexed($0) })
    else { return false }
    let hasMore = names.contains { name in
      if name.hasPrefix("S-"), name.hasSuffix(".tape.zst") { return indexed[name] == nil }
      guard name.hasPrefix("J-"), name.hasSuffix(".tape") else { return false }
      guard let status = try? store.files.status(store.archivePath + "/" + name) else { return false }
      return status.bytes > (indexed[name] ?? 0)
    }
    return hasMore && CatalogueLock.holder(path: store.path + "/" + Catalogue.lockName) == nil
  }
}
