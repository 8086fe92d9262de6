import TapeJSON
import TapeTypes

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Marks that stand for a column's values while the grammar reads templates. No stream can have one by itself, or
/// guess one.
enum OutlineMarks {
  /// Bytes of a mark.
  static let size = nonceSize + 6
  private static let nonceSize = 26
  /// DEL is allowed in a JSON string, and hardly ever there.
  private static let first: UInt8 = 0x7F
  /// The same for the life of the process.
  private static let nonce: [UInt8] = {
    var random = SystemRandomNumberGenerator()
    return [first] + (1..<nonceSize).map { _ in UInt8.random(in: 0x61...0x7A, using: &random) }
  }()

  static func append(_ column: Int, to frame: inout [UInt8]) {
    frame.append(contentsOf: nonce)
    var rest = column
    for _ in 0..<6 {
      frame.append(0x30 + UInt8(truncatingIfNeeded: rest % 10))
      rest /= 10
    }
  }

  static func bytes(_ column: Int) -> [UInt8] {
    var bytes: [UInt8] = []
    append(column, to: &bytes)
    return bytes
  }

  // MARK: Replacing

  /// Puts the columns' texts where their marks are; false if one is anywhere but in a text of its own.
  static func replace(in generation: inout Generation, _ columns: [OutlineColumn]) -> Bool {
    var isUsed = [Bool](repeating: false, count: columns.count)
    var holds = true
    func replace(_ text: inout String?) {
      guard var found = text, holds else { return }
      replace(&found)
      text = found
    }
    func replace(_ text: inout String) {
      guard holds, hasMark(text) else { return }
      guard let column = column(in: text), columns.indices.contains(column), !isUsed[column],
        case .joined = columns[column].values
      else {
        holds = false
        return
      }
      isUsed[column] = true
      text = columns[column].text
    }
    for index in generation.choices.indices {
      replace(&generation.choices[index].content)
      replace(&generation.choices[index].reasoning)
      replace(&generation.choices[index].refusal)
      replace(&generation.choices[index].reasoningSignature)
      replace(&generation.choices[index].redactedReasoning)
      for call in generation.choices[index].toolCalls.indices {
        replace(&generation.choices[index].toolCalls[call].arguments)
      }
    }
    guard holds, !otherTexts(generation).contains(where: hasMark) else { return false }
    return zip(columns, isUsed).allSatisfy { column, isUsed in
      if case .joined = column.values { isUsed } else { true }
    }
  }

  private static func otherTexts(_ generation: Generation) -> [String] {
    var texts = [
      generation.responseID, generation.traceID, generation.spanID, generation.object, generation.model,
      generation.provider, generation.lastModel, generation.lastProvider, generation.created, generation.finalized,
      generation.integrationID, generation.systemFingerprint, generation.error?.message, generation.error?.source,
      generation.error?.code?.compactString, generation.usageUnknownReason, generation.usage?.contradiction,
    ]
    texts += generation.defects.map(\.message)
    texts += generation.retrievals.map(\.compactString)
    for choice in generation.choices {
      texts += [choice.type, choice.role, choice.finishReason]
      texts += choice.imageURLs
      for call in choice.toolCalls { texts += [call.id, call.type, call.name, call.thoughtSignature] }
    }
    return texts.compactMap { $0 }
  }

  private static func hasMark(_ text: String) -> Bool {
    var text = text
    return text.withUTF8 { bytes in
      var position = 0
      while position + size <= bytes.count, let base = bytes.baseAddress,
        let found = memchr(base + position, Int32(first), bytes.count - position)
      {
        position = UnsafeRawPointer(found) - UnsafeRawPointer(base)
        if bytes[position...].starts(with: nonce) { return true }
        position += 1
      }
      return false
    }
  }

  /// The column whose marks the text consists of; nil if there is anything else in it.
  private static func column(in text: String) -> Int? {
    let bytes = Array(text.utf8)
    guard bytes.count % size == 0 else { return nil }
    let mark = bytes[..<size]
    for start in stride(from: 0, to: bytes.count, by: size) where bytes[start..<start + size] != mark {
      return nil
    }
    guard mark.starts(with: nonce) else { return nil }
    return mark.dropFirst(nonceSize).reversed().reduce(0) { $0 * 10 + Int($1 &- 0x30) }
  }
}
