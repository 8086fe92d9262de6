/// One line of an event stream, without its line end: a comment, a field, or something to ignore.
struct FieldLine {
  enum Name { case data, event, id, retry, comment, other }

  let name: Name
  /// Where the value lies in the buffer that the line is in.
  let value: Range<Int>

  /// Reads the line in `range` of `bytes`, which is not empty. Names are compared as bytes: case and spaces count.
  init(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>) {
    var colons = ByteFinder(0x3A)
    let line = UnsafeRawBufferPointer(rebasing: bytes[range])
    let colon = colons.next(in: line, from: 0)
    name = FieldLine.name(line, length: colon)
    var start = min(colon + 1, line.count)
    // One space behind the colon belongs to the syntax.
    if start < line.count, line[start] == 0x20 { start += 1 }
    value = range.lowerBound + start..<range.upperBound
  }

  private static func name(_ line: UnsafeRawBufferPointer, length: Int) -> Name {
    switch length {
    case 0: .comment
    case 4 where matches(line, "data"): .data
    case 5 where matches(line, "event"): .event
    case 5 where matches(line, "retry"): .retry
    case 2 where matches(line, "id"): .id
    default: .other
    }
  }

  private static func matches(_ line: UnsafeRawBufferPointer, _ name: StaticString) -> Bool {
    for index in 0..<name.utf8CodeUnitCount where line[index] != name.utf8Start[index] { return false }
    return true
  }
}
