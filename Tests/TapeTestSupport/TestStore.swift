package import Logging
package import TapeArchive
internal import TapeTypes

#if canImport(Glibc)
  internal import Glibc
#else
  internal import Darwin
#endif

/// A store in a temporary directory, gone when its owner is.
package final class TestStore: Sendable {
  package let path: String
  package let store: Store
  package let log: Logger

  package init() throws {
    var template = Array("/tmp/tapedeck-test-XXXXXX".utf8CString)
    guard let made = mkdtemp(&template) else { throw TapeError(.io, "cannot make a temporary directory") }
    path = String(cString: made)
    store = try Store(path: path + "/store", access: .writing)
    var log = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
    log.logLevel = .error
    self.log = log
  }

  deinit { remove(path) }

  /// A writer of its own; close it or its calls stay open.
  package func writer(rollBytes: Int? = nil) throws -> JournalWriter {
    var options = JournalOptions()
    if let rollBytes { options.rollBytes = rollBytes }
    return try JournalWriter(store: store, options: options, log: log)
  }

  /// Records calls with a writer that comes and goes; what has no end is lost then.
  package func record(_ calls: TestCall...) throws {
    let writer = try writer()
    for call in calls { call.record(with: writer) }
    guard writer.flush() == .written else { throw TapeError(.io, "the journal took no writes") }
    try writer.close()
  }

  private func remove(_ path: String) {
    if let directory = opendir(path) {
      while let entry = readdir(directory) {
        let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
          pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
        }
        if name != ".", name != ".." { remove(path + "/" + name) }
      }
      closedir(directory)
      rmdir(path)
    } else {
      unlink(path)
    }
  }
}
