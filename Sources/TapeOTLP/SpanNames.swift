internal import Crypto
package import Foundation
internal import TapeDialects
package import TapeTypes

/// Where a span stands: its ids as OTLP has them, and what they were where they are something else on tape.
package struct SpanNames: Sendable, Equatable {
  /// 16 bytes, not all 0.
  package var traceID: Data
  /// 8 bytes, not all 0.
  package var spanID: Data
  /// The span of the caller, where it is of the same trace.
  package var parentID: Data?
  /// The span of the caller, where it is of another trace.
  package var link: Link?
  /// The `tracestate` of the caller, for a parent or a link.
  package var traceState = ""
  /// Ids of the stream that are no W3C ids.
  package var originalTraceID: String?
  package var originalSpanID: String?

  package struct Link: Sendable, Equatable {
    package var traceID: Data
    package var spanID: Data
  }

  /// - Parameters:
  ///   - trace: what the stream gave as trace id, and as span id; nil for nothing.
  ///   - headers: of the request: its `traceparent` names the caller's span.
  package init(call: CallID, trace: String?, span: String?, headers: [HeaderField]) {
    let caller = headers.first("traceparent").flatMap(Traceparent.init)
    let callerTrace = caller.flatMap { Self.w3c($0.traceID, count: 16) }
    let callerSpan = caller.flatMap { Self.w3c($0.parentSpanID, count: 8) }
    if let trace {
      let id = Self.w3c(trace, count: 16)
      originalTraceID = id == nil ? trace : nil
      traceID = id ?? Self.mapped("trace", trace, count: 16)
    } else {
      traceID = callerTrace ?? Self.mapped("trace of call", call.description, count: 16)
    }
    if let span {
      let id = Self.w3c(span, count: 8)
      originalSpanID = id == nil ? span : nil
      spanID = id ?? Self.mapped("span", span, count: 8)
    } else {
      spanID = Self.mapped("span of call", call.description, count: 8)
    }
    guard let callerTrace, let callerSpan else { return }
    traceState = headers.first("tracestate") ?? ""
    if callerTrace != traceID {
      link = Link(traceID: callerTrace, spanID: callerSpan)
    } else if callerSpan != spanID {
      parentID = callerSpan
    }
  }

  /// The bytes of an id as W3C Trace Context has it: so many as hex, not all 0. Upper case is taken too: the bytes are
  /// the same.
  static func w3c(_ text: String, count: Int) -> Data? {
    let digits = Array(text.utf8)
    guard digits.count == count * 2 else { return nil }
    var bytes = Data()
    for index in stride(from: 0, to: digits.count, by: 2) {
      guard let high = digit(digits[index]), let low = digit(digits[index + 1]) else { return nil }
      bytes.append(high << 4 | low)
    }
    return bytes.contains { $0 != 0 } ? bytes : nil
  }

  private static func digit(_ byte: UInt8) -> UInt8? {
    switch byte {
    case 0x30...0x39: byte - 0x30
    case 0x41...0x46, 0x61...0x66: (byte | 0x20) - 0x61 + 10
    default: nil
    }
  }

  /// The beginning of a SHA-256: the same for the same id, in every export.
  static func mapped(_ what: String, _ id: String, count: Int) -> Data {
    var bytes = Data(SHA256.hash(data: Array("tapedeck \(what)\n\(id)".utf8)).prefix(count))
    // All 0 is no id; nobody will see this happen.
    if !bytes.contains(where: { $0 != 0 }) { bytes[bytes.startIndex] = 1 }
    return bytes
  }
}
