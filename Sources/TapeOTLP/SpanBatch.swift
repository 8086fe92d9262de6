package import Foundation
internal import SwiftProtobuf
package import TapeJSON
package import TapeTypes

/// Puts spans into requests of bounded size. Several requests one behind the other are one valid message too: lists of
/// protobuf messages join.
package struct SpanBatch {
  /// Collectors take far more; this keeps memory and what one refusal costs small.
  private static let mostSpans = 512
  private static let mostBytes = 1 << 20

  private let maker: SpanMaker
  private let service: String
  private let version: String
  private var spans: [Span] = []
  private var bytes = 0
  package var count: Int { spans.count }

  /// - Parameters:
  ///   - service: the resource's `service.name`.
  ///   - version: of this program, which is the instrumentation scope.
  ///   - hasContent: with prompts and completions.
  package init(service: String, version: String, hasContent: Bool) {
    self.service = service
    self.version = version
    maker = SpanMaker(hasContent: hasContent)
  }

  /// - Parameters:
  ///   - shown: the object of `show`.
  ///   - state: as the catalogue has it.
  /// - Returns: the request that is to go first, as it and this span would be too much together.
  package mutating func add(_ call: RecordedCall, shown: JSONValue, state: CallState) throws -> (
    body: Data, spans: Int
  )? {
    let span = maker.span(call, shown: shown, state: state)
    let size = try span.serializedData().count
    var full: (Data, Int)?
    if spans.count == Self.mostSpans || !spans.isEmpty && bytes + size > Self.mostBytes { full = try take() }
    spans.append(span)
    bytes += size
    return full
  }

  /// The request with the spans that wait; nil for none.
  package mutating func take() throws -> (body: Data, spans: Int)? {
    guard !spans.isEmpty else { return nil }
    defer { (spans, bytes) = ([], 0) }
    var resource = SpanAttributes()
    resource.add("service.name", service)
    var request = Opentelemetry_Proto_Collector_Trace_V1_ExportTraceServiceRequest()
    var ofResource = Opentelemetry_Proto_Trace_V1_ResourceSpans()
    ofResource.resource.attributes = resource.list
    var ofScope = Opentelemetry_Proto_Trace_V1_ScopeSpans()
    ofScope.scope.name = "tapedeck"
    ofScope.scope.version = version
    ofScope.spans = spans
    ofResource.scopeSpans = [ofScope]
    request.resourceSpans = [ofResource]
    return (try request.serializedData(), spans.count)
  }
}
