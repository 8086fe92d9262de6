internal import Logging
internal import TapeTypes

extension Store {
  /// Removes what an interrupted seal or a process that died while it made a journal or the store left.
  func removeLeftovers(log: Logger) throws {
    for name in try files.list(path) where name.hasPrefix(Store.marker + ".") && name.hasSuffix(".tmp") {
      try files.unlink(path + "/" + name)
    }
    for name in try archiveFiles() where name.hasSuffix(".tmp") {
      let path = archivePath + "/" + name
      let descriptor = try files.open(path, .read)
      defer { files.close(descriptor) }
      // A journal that is being made is locked, but for the moment after it was opened: then its maker tries again.
      guard try files.lock(descriptor, .shared, wait: false) else { continue }
      log.notice("removing \(name), which was not finished")
      try files.unlink(path)
    }
  }
}
