import CTapeShims
import Crypto
import TapeArchive
import TapeTypes

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

enum ImportHash {
  static func of(_ bytes: [UInt8]) -> [UInt8] { Array(SHA256.hash(data: bytes)) }
}

/// Reads a file that is to be imported, piece by piece, in bounded memory.
final class ImportFile {
  /// A longer line is refused: no capture has one, and memory stays bounded.
  static let longestLine = 256 << 20

  /// As people call it.
  let path: String
  private let source: String
  private let files = SystemFiles()
  private let descriptor: Int32
  private var offset = 0
  private var buffer: UnsafeMutableRawBufferPointer
  private var start = 0
  private var count = 0
  private var isAtEnd = false
  /// Called with how many bytes of the file were read.
  var onRead: ((Int) -> Void)?

  /// - Parameter path: `-` for standard input.
  init(path: String) throws {
    let name = path == "-" ? "standard input" : path
    self.path = name
    source = path == "-" ? "/dev/stdin" : path
    do {
      let status = try files.status(source)
      if status?.isDirectory == true { throw FileError("read", path, errno: EISDIR) }
      let isPipe = status.map { !$0.isRegular } ?? false
      descriptor = isPipe ? try ImportPipe.contents(of: source, name: name) : try files.open(source, .read)
    } catch let error as FileError {
      throw TapeError(.failed, "cannot import \(name): \(error.reason)")
    }
    buffer = .allocate(byteCount: 1 << 20, alignment: 16)
  }

  deinit {
    files.close(descriptor)
    buffer.deallocate()
  }

  func modifiedNs() throws -> Int64 { try files.status(source)?.modifiedNs ?? 0 }

  func rewind() { (offset, start, count, isAtEnd) = (0, 0, 0, false) }

  /// The next bytes, valid until the next call; nil at the end.
  func chunk() throws -> UnsafeRawBufferPointer? {
    let step = try read(into: buffer)
    return step == 0 ? nil : UnsafeRawBufferPointer(rebasing: buffer[..<step])
  }

  private func read(into target: UnsafeMutableRawBufferPointer) throws -> Int {
    do {
      let step = try files.read(descriptor, at: offset, into: target)
      offset += step
      onRead?(offset)
      return step
    } catch {
      throw TapeError(.io, "cannot read \(path): \(error.reason)")
    }
  }

  /// The next line without its line feed, valid until the next call; nil at the end.
  func line() throws -> UnsafeRawBufferPointer? {
    var searched = 0
    while true {
      if let base = buffer.baseAddress, searched < count,
        let found = memchr(base + start + searched, 0x0A, count - searched)
      {
        let length = UnsafeRawPointer(found) - UnsafeRawPointer(base + start)
        defer {
          start += length + 1
          count -= length + 1
        }
        return UnsafeRawBufferPointer(rebasing: buffer[start..<(start + length)])
      }
      searched = count
      if isAtEnd {
        guard count > 0 else { return nil }
        defer { count = 0 }
        return UnsafeRawBufferPointer(rebasing: buffer[start..<(start + count)])
      }
      try fill()
    }
  }

  private func fill() throws {
    guard count < Self.longestLine else { throw TapeError(.failed, "cannot import \(path): a line of over 256 MiB") }
    let size = count > buffer.count / 2 ? buffer.count * 2 : buffer.count
    if size > buffer.count {
      let grown = UnsafeMutableRawBufferPointer.allocate(byteCount: size, alignment: 16)
      grown.copyMemory(from: UnsafeRawBufferPointer(rebasing: buffer[start..<(start + count)]))
      buffer.deallocate()
      buffer = grown
    } else if start > 0, let base = buffer.baseAddress {
      base.copyMemory(from: base + start, byteCount: count)
    }
    start = 0
    let step = try read(into: UnsafeMutableRawBufferPointer(rebasing: buffer[count...]))
    count += step
    isAtEnd = step == 0
  }
}
