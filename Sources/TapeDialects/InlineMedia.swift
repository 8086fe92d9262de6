import Crypto
package import TapeJSON

/// The same value with base64 images, audio, files and data: URIs replaced by
/// `[image/png 1.2 MB sha256 0123456789ab]`.
package func withoutInlineMedia(_ value: JSONValue) -> JSONValue { InlineMedia.withoutMedia(value) }

/// The same text with data: URIs in it replaced.
package func withoutInlineMedia(_ text: String) -> String { InlineMedia.placeholders(in: text) }

/// An image, a recording or a file inside of a text or a value.
package struct InlineMedium: Sendable {
  package let type: String
  package let bytes: [UInt8]
  /// As it stands in the placeholder.
  package var digest: String { InlineMedia.digest(bytes) }
}

/// Whether base64 may be in a text, by a look at a few of its bytes; data: URIs may be shorter.
package func mayHaveBase64(_ text: inout String) -> Bool {
  text.withUTF8 { InlineMedia.mayHaveBase64(UnsafeRawBufferPointer($0)) }
}

/// What `withoutInlineMedia` would replace, in its order.
package func inlineMedia(in value: JSONValue) -> [InlineMedium] {
  var found: [InlineMedium] = []
  withoutActuallyEscaping({ found.append(InlineMedium(type: $0, bytes: $1)) }) { note in
    _ = InlineMedia.withoutMedia(value, found: note)
  }
  return found
}

/// Telling inline media from words, and naming them: type, decoded size, and the first 12
/// hex digits of the SHA-256 of the decoded bytes, so that equal media are seen to be equal.
enum InlineMedia {
  /// Members that hold base64 by their meaning, whatever it looks like.
  private static let dataKeys: Set<String> = [
    "file_data", "b64_json", "image_base64", "audio_base64", "partial_image_b64",
  ]
  /// A base64 text without a name that says so is replaced from this size, if its first bytes are those of a file.
  private static let minimumUnnamedBytes = 256
  /// So many characters of base64 in a row, and a text may have media in it without a word that says so.
  private static let minimumRun = 32
  /// JSON in a text in JSON in a text is looked into so far: each may be nested on its own.
  private static let maximumTexts = 3

  /// Gets the type and the bytes of what is replaced.
  typealias Finder = (String, [UInt8]) -> Void

  static func withoutMedia(_ value: JSONValue, found: Finder? = nil) -> JSONValue { replace(value, at: Place(), found) }

  /// Where a value stands, which may say that it is data, and of what type.
  private struct Place {
    /// What its member is called; elements have the name of their list.
    var name = ""
    /// The name of the object around it.
    var parent = ""
    var type: String?
    /// In so many texts, each of them JSON inside of the one before.
    var texts = 0

    /// `{"data":…,"format":"wav"}` and `{"type":"base64","media_type":…,"data":…}` are media too, and an answer's `audio`.
    var isData: Bool { dataKeys.contains(name) || (name == "data" && (type != nil || parent == "audio")) }
    /// Long base64 of this name is data: pieces of speech.
    var isSpeech: Bool { name == "audio" }
    var dataType: String { isSpeech || parent == "audio" ? "audio" : "application/octet-stream" }
  }

  private static func replace(_ value: JSONValue, at place: Place, _ found: Finder?) -> JSONValue {
    switch value {
    case .string(let text): return .string(placeholders(in: text, at: place, found))
    case .array(let elements): return .array(elements.map { replace($0, at: place, found) })
    case .object(let members):
      let format = value["format"]?.string.map { $0.contains("/") ? $0 : "audio/\($0)" }
      let named = ["media_type", "mime_type", "mimeType"].lazy.compactMap { value[$0]?.string }.first
      // What `extra._history` says of a field: the values stand where its path says.
      let path = value["path"]?.array?.suffix(2).map { $0.string ?? "" } ?? []
      return .object(
        members.map { member in
          var inner = Place(name: member.key, parent: place.name, type: named ?? format, texts: place.texts)
          if member.key == "values", path.count == 2 {
            inner = Place(name: path[1], parent: path[0], texts: place.texts)
          }
          return .init(member.key, replace(member.value, at: inner, found))
        })
    case .null, .bool, .number: return value
    }
  }

  /// The text with its media replaced.
  static func placeholders(in text: String) -> String { placeholders(in: text, at: Place(), nil) }

  private static func placeholders(in text: String, at place: Place, _ found: Finder?) -> String {
    var text = text
    let replaced: String? = text.withUTF8 { Self.replaced(in: UnsafeRawBufferPointer($0), at: place, found) }
    return replaced ?? text
  }

  /// nil if there are none.
  private static func replaced(in bytes: UnsafeRawBufferPointer, at place: Place, _ found: Finder?) -> String? {
    let isLong = bytes.count >= minimumUnnamedBytes
    // In a text the names may be anybody's: a word is none.
    let isNamed = place.isData && (place.texts == 0 || bytes.count >= minimumRun)
    if isNamed || isLong, let media = Base64.decode(bytes), !media.isEmpty {
      let isData = isNamed || (place.isSpeech && isLong)
      if let known = isData ? place.type ?? signature(media) ?? place.dataType : signature(media) {
        found?(known, media)
        return placeholder(known, media)
      }
    }
    if let replaced = replacedInJSON(bytes, in: place.texts + 1, found) { return replaced }
    return bytes.count >= 12 ? DataURIs.replaced(in: bytes, found) : nil
  }

  /// A text that is JSON, or has JSON on lines of its own: the text of a stream that nobody knows, arguments of a tool.
  private static func replacedInJSON(_ bytes: UnsafeRawBufferPointer, in texts: Int, _ found: Finder?) -> String? {
    guard texts <= maximumTexts, mayHaveBase64(bytes) else { return nil }
    if isJSON(bytes), let value = try? JSONValue(parsing: bytes) {
      var isChanged = false
      let changed = withoutActuallyEscaping(
        { (type: String, media: [UInt8]) in
          isChanged = true
          found?(type, media)
        }, do: { replace(value, at: Place(texts: texts), $0) })
      return isChanged ? changed.compactString : nil
    }
    let lines = bytes.split(separator: 0x0A, omittingEmptySubsequences: false).map(UnsafeRawBufferPointer.init)
    guard lines.count > 1, lines.contains(where: isJSON) else { return nil }
    let changed = lines.map { replaced(in: $0, at: Place(texts: texts - 1), found) }
    guard changed.contains(where: { $0 != nil }) else { return nil }
    return zip(lines, changed).map { $1 ?? String(decoding: $0, as: UTF8.self) }.joined(separator: "\n")
  }

  private static func isJSON(_ bytes: UnsafeRawBufferPointer) -> Bool {
    switch bytes.first(where: { $0 > 0x20 }) {
    case 0x7B, 0x5B: true
    default: false
    }
  }

  /// False if there is no base64 worth a look: a text for people is told by a few of its bytes.
  static func mayHaveBase64(_ bytes: UnsafeRawBufferPointer) -> Bool {
    var start = 0
    while start + minimumRun <= bytes.count {
      var position = start + minimumRun - 1
      while position >= start, Base64.value(bytes[position]) != nil { position -= 1 }
      if position < start { return true }
      start = position + 1
    }
    return false
  }

  static func placeholder(_ type: String, _ media: [UInt8]) -> String {
    "[\(type) \(size(media.count)) sha256 \(digest(media))]"
  }

  static func digest(_ media: [UInt8]) -> String {
    SHA256.hash(data: media).prefix(6).map { byte in
      let hex = String(byte, radix: 16)
      return byte < 16 ? "0" + hex : hex
    }.joined()
  }

  /// `999 B`, `1.2 kB`, `34 kB`, `1.2 MB`: decimal units, cut to two digits.
  static func size(_ bytes: Int) -> String {
    var unit = 1
    var names = ["B", "kB", "MB", "GB", "TB"][...]
    while bytes / unit >= 1_000, names.count > 1 {
      unit *= 1_000
      names.removeFirst()
    }
    let whole = bytes / unit
    let name = names.first ?? "B"
    return unit == 1 || whole >= 10 ? "\(whole) \(name)" : "\(whole).\(bytes % unit / (unit / 10)) \(name)"
  }

  /// The type that the first bytes of a file give away.
  private static func signature(_ media: [UInt8]) -> String? {
    let signatures: [([UInt8], String)] = [
      ([0x89, 0x50, 0x4E, 0x47], "image/png"), ([0xFF, 0xD8, 0xFF], "image/jpeg"), (Array("GIF8".utf8), "image/gif"),
      (Array("%PDF-".utf8), "application/pdf"), (Array("OggS".utf8), "audio/ogg"), (Array("ID3".utf8), "audio/mpeg"),
      (Array("fLaC".utf8), "audio/flac"), ([0x50, 0x4B, 0x03, 0x04], "application/zip"),
      ([0x1A, 0x45, 0xDF, 0xA3], "video/webm"),
    ]
    if let match = signatures.first(where: { media.starts(with: $0.0) }) { return match.1 }
    if media.starts(with: Array("RIFF".utf8)), media.count >= 12 {
      if media[8..<12].elementsEqual("WEBP".utf8) { return "image/webp" }
      if media[8..<12].elementsEqual("WAVE".utf8) { return "audio/wav" }
    }
    if media.count >= 8, media[4..<8].elementsEqual("ftyp".utf8) { return "video/mp4" }
    return nil
  }
}
