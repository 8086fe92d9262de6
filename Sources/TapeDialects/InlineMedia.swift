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
  private static let dataKeys: Set<String> = ["file_data", "b64_json", "image_base64", "audio_base64"]
  /// A base64 text without a name that says so is replaced from this size, if its first bytes are those of a file.
  private static let minimumUnnamedBytes = 256

  /// Gets the type and the bytes of what is replaced.
  typealias Finder = (String, [UInt8]) -> Void

  static func withoutMedia(_ value: JSONValue, found: Finder? = nil) -> JSONValue {
    replace(value, isData: false, type: nil, found)
  }

  private static func replace(_ value: JSONValue, isData: Bool, type: String?, _ found: Finder?) -> JSONValue {
    switch value {
    case .string(let text): return .string(placeholders(in: text, isData: isData, type: type, found: found))
    case .array(let elements): return .array(elements.map { replace($0, isData: isData, type: type, found) })
    case .object(let members):
      // `{"data":…,"format":"wav"}` and `{"type":"base64","media_type":…,"data":…}` are media too.
      let format = value["format"]?.string.map { $0.contains("/") ? $0 : "audio/\($0)" }
      let type = value["media_type"]?.string ?? value["mime_type"]?.string ?? format
      return .object(
        members.map { member in
          let isData = dataKeys.contains(member.key) || (member.key == "data" && type != nil)
          return .init(member.key, replace(member.value, isData: isData, type: isData ? type : nil, found))
        })
    case .null, .bool, .number: return value
    }
  }

  /// The text with its media replaced.
  ///
  /// - Parameters:
  ///   - isData: the whole text is base64 by the name of its member.
  ///   - type: what the data is, if something beside it says so.
  static func placeholders(
    in text: String, isData: Bool = false, type: String? = nil, found: Finder? = nil
  ) -> String {
    var text = text
    let replaced: String? = text.withUTF8 { utf8 in
      let bytes = UnsafeRawBufferPointer(utf8)
      if isData || bytes.count >= minimumUnnamedBytes, let media = Base64.decode(bytes), !media.isEmpty {
        if let known = isData ? type ?? signature(media) ?? "application/octet-stream" : signature(media) {
          found?(known, media)
          return placeholder(known, media)
        }
      }
      return bytes.count >= 12 ? DataURIs.replaced(in: bytes, found) : nil
    }
    return replaced ?? text
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
