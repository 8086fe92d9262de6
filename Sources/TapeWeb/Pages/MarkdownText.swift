/// The inside of a line of Markdown: code, emphasis, links. One pass over the bytes, with a stack of what is open, so that
/// no text takes longer than its length.
struct MarkdownText {
  private let bytes: [UInt8]
  private var position = 0
  private var out: [UInt8] = []
  /// Marks that may turn out to be an opening: where they stand in `out`.
  private var open: [(mark: String, place: Int)] = []
  /// Looking for the end of something that has none is done once.
  private var hasNo: Set<[UInt8]> = []

  static func html(_ text: String) -> String {
    var reader = MarkdownText(text)
    reader.read()
    return String(decoding: reader.out, as: UTF8.self)
  }

  private init(_ text: String) { bytes = Array(text.utf8) }

  private static let marks: [(mark: String, tag: String)] = [
    ("**", "strong"), ("__", "strong"), ("~~", "del"), ("*", "em"), ("_", "em"),
  ]

  private mutating func read() {
    while position < bytes.count {
      switch bytes[position] {
      case 0x5C where position + 1 < bytes.count && Self.isPunctuation(bytes[position + 1]):
        append(bytes[position + 1...position + 1])
        position += 2
      case 0x60: readCode()
      case 0x5B: readLink(isImage: false)
      case 0x21 where position + 1 < bytes.count && bytes[position + 1] == 0x5B: readLink(isImage: true)
      case 0x2A, 0x5F, 0x7E: readMark()
      case 0x68 where isWordStart: readAddress()
      default:
        append(bytes[position...position])
        position += 1
      }
    }
  }

  /// Escaped.
  private mutating func append(_ text: ArraySlice<UInt8>) {
    for byte in text {
      switch byte {
      case 0x26: out += "&amp;".utf8
      case 0x3C: out += "&lt;".utf8
      case 0x3E: out += "&gt;".utf8
      case 0x22: out += "&quot;".utf8
      case 0x27: out += "&#39;".utf8
      default: out.append(byte)
      }
    }
  }

  private mutating func readCode() {
    let run = bytes[position...].prefix { $0 == 0x60 }
    let start = position + run.count
    guard let end = find(Array(run), from: start, isWhole: true) else {
      append(run)
      position = start
      return
    }
    out += "<code>".utf8
    append(bytes[start..<end])
    out += "</code>".utf8
    position = end + run.count
  }

  private mutating func readMark() {
    let rest = bytes[position...]
    for (mark, tag) in Self.marks where rest.starts(with: mark.utf8) {
      let (before, after) = (
        position > 0 ? bytes[position - 1] : 0x20,
        position + mark.utf8.count < bytes.count ? bytes[position + mark.utf8.count] : 0x20
      )
      // Inside of a word an underscore is one.
      let isInWord = mark.hasPrefix("_") && Self.isWord(before) && Self.isWord(after)
      position += mark.utf8.count
      if before != 0x20, !isInWord, let opening = open.lastIndex(where: { $0.mark == mark }) {
        let place = open[opening].place
        out.replaceSubrange(place..<place + mark.utf8.count, with: Array("<\(tag)>".utf8))
        out += "</\(tag)>".utf8
        // What was opened inside and not closed stays as it is.
        open.removeSubrange(opening...)
      } else {
        if after != 0x20, !isInWord, open.count < 32 { open.append((mark, out.count)) }
        out += mark.utf8
      }
      return
    }
    append(bytes[position...position])
    position += 1
  }

  /// `[text](address)`, `![text](address)`
  private mutating func readLink(isImage: Bool) {
    let start = position + (isImage ? 2 : 1)
    guard let middle = find([0x5D, 0x28], from: start, within: 1_000),
      let end = find([0x29], from: middle + 2, within: 2_000)
    else {
      append(bytes[position..<start])
      position = start
      return
    }
    let address = bytes[(middle + 2)..<end].prefix { $0 != 0x20 }
    guard Self.isAllowed(address), !bytes[start..<middle].contains(0x5B) else {
      append(bytes[position..<start])
      position = start
      return
    }
    openLink(address)
    if isImage { out += "image: ".utf8 }
    append(bytes[start..<middle])
    out += "</a>".utf8
    position = end + 1
  }

  /// An address that stands in the text.
  private mutating func readAddress() {
    let rest = bytes[position...]
    guard rest.starts(with: "https://".utf8) || rest.starts(with: "http://".utf8) else {
      append(bytes[position...position])
      position += 1
      return
    }
    var address = rest.prefix { byte in
      byte > 0x20 && byte < 0x7F && ![0x22, 0x3C, 0x3E, 0x60, 0x5B, 0x5D, 0x28, 0x29, 0x2A].contains(byte)
    }
    while let last = address.last, [0x2E, 0x2C, 0x3A, 0x3B, 0x21, 0x3F, 0x27].contains(last) { address.removeLast() }
    openLink(address)
    append(address)
    out += "</a>".utf8
    position = address.endIndex
  }

  private mutating func openLink(_ address: ArraySlice<UInt8>) {
    out += "<a href=\"".utf8
    append(address)
    out += "\" rel=\"noopener noreferrer nofollow\" target=\"_blank\">".utf8
  }

  private static func isAllowed(_ address: ArraySlice<UInt8>) -> Bool {
    let text = String(decoding: address, as: UTF8.self).lowercased()
    return ["https://", "http://", "mailto:"].contains { text.hasPrefix($0) }
  }

  private var isWordStart: Bool { position == 0 || !Self.isWord(bytes[position - 1]) }

  /// Where some bytes come next; `isWhole`: not as part of a longer run of them.
  private mutating func find(
    _ wanted: [UInt8], from start: Int, isWhole: Bool = false, within most: Int = .max
  ) -> Int? {
    guard !hasNo.contains(wanted) else { return nil }
    var place = start
    while place + wanted.count <= bytes.count {
      if place - start > most { return nil }
      if bytes[place] == wanted[0], bytes[place...].starts(with: wanted) {
        let run = isWhole ? bytes[place...].prefix { $0 == wanted[0] }.count : wanted.count
        if run == wanted.count { return place }
        place += run
      } else {
        place += 1
      }
    }
    hasNo.insert(wanted)
    return nil
  }

  private static func isWord(_ byte: UInt8) -> Bool {
    switch byte {
    case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x80...: true
    default: false
    }
  }

  private static func isPunctuation(_ byte: UInt8) -> Bool {
    switch byte {
    case 0x21...0x2F, 0x3A...0x40, 0x5B...0x60, 0x7B...0x7E: true
    default: false
    }
  }
}
