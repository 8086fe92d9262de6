internal import TapeArchive
internal import TapeTypes

/// Changes the price files of a store. While it lives nobody else does.
final class PriceFiles {
  private let store: Store
  private let descriptor: Int32

  /// - Throws: `TapeError` if the store cannot be written.
  init(_ store: Store) throws {
    let name = store.path + "/prices.lock"
    do throws(FileError) {
      let descriptor = try store.files.open(name, .readWrite)
      (self.store, self.descriptor) = (store, descriptor)
      _ = try store.files.lock(descriptor, .exclusive, wait: true)
    } catch { throw Self.failure("lock \(name)", error) }
  }

  deinit { store.files.close(descriptor) }

  /// Puts a whole file in the place of the one that is there, if any: all of it or nothing, also when power is lost.
  func replace(_ name: String, with bytes: [UInt8]) throws {
    let files = store.files
    let target = "\(store.path)/\(name)"
    let temporary = target + ".tmp"
    do throws(FileError) {
      if try files.status(temporary) != nil { try files.unlink(temporary) }
      let descriptor = try files.open(temporary, .create)
      defer { files.close(descriptor) }
      try files.writeAll(descriptor, bytes)
      try files.sync(descriptor)
      try files.rename(temporary, to: target)
      try files.syncDirectory(store.path)
    } catch { throw Self.failure("write \(target)", error) }
  }

  /// - Returns: whether there was one.
  @discardableResult
  func remove(_ name: String) throws -> Bool {
    let target = "\(store.path)/\(name)"
    do throws(FileError) {
      guard try store.files.status(target) != nil else { return false }
      try store.files.unlink(target)
      try store.files.syncDirectory(store.path)
      return true
    } catch { throw Self.failure("remove \(target)", error) }
  }

  private static func failure(_ what: String, _ error: FileError) -> TapeError {
    TapeError(error.isReadOnly ? .readOnly : .io, "cannot \(what): \(error.reason); no price is changed")
  }
}
