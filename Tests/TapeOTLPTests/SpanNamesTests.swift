import Foundation
import TapeTypes
import Testing

@testable import TapeOTLP

@Suite struct SpanNamesTests {
  private static let trace = "0af7651916cd43dd8448eb211c80319c"
  private static let span = "b7ad6b7169203331"
  private static let call = CallID(high: 1, low: 2)

  private func names(_ trace: String?, _ span: String?, traceparent: String? = nil, state: String? = nil) -> SpanNames {
    var headers: [HeaderField] = []
    if let traceparent { headers.append(HeaderField("Traceparent", traceparent)) }
    if let state { headers.append(HeaderField("tracestate", state)) }
    return SpanNames(call: Self.call, trace: trace, span: span, headers: headers)
  }

  private func hex(_ data: Data) -> String { data.map { String(format: "%02x", $0) }.joined() }

  @Test func w3cIdsAreKept() {
    let kept = names(Self.trace, Self.span)
    #expect(hex(kept.traceID) == Self.trace && hex(kept.spanID) == Self.span)
    #expect(kept.originalTraceID == nil && kept.originalSpanID == nil && kept.parentID == nil && kept.link == nil)
    #expect(names(Self.trace.uppercased(), Self.span.uppercased()).traceID == kept.traceID)
  }

  @Test(arguments: [
    "01K8ZTV7C2M3N4P5Q6R7S8T9V0", "0af76519-16cd-43dd-8448-eb211c80319c", "0af7651916cd43dd8448eb211c80319", "",
    "0af7651916cd43dd8448eb211c80319g", "00000000000000000000000000000000", "٠af7651916cd43dd8448eb211c8031",
  ]) func otherTraceIdsAreMappedTheSameWayEachTimeAndKept(original: String) {
    let mapped = names(original, Self.span)
    #expect(mapped.traceID.count == 16 && mapped.traceID.contains { $0 != 0 })
    #expect(mapped.originalTraceID == original)
    #expect(mapped.traceID == names(original, "other").traceID)
    #expect(mapped.traceID != names(original + "x", Self.span).traceID)
  }

  @Test(arguments: ["01K8ZTV7C2M3N4P5Q6R7S8T9V0", "b7ad6b71692033", "0000000000000000", "span 1"])
  func otherSpanIdsAreMappedTheSameWayEachTimeAndKept(original: String) {
    let mapped = names(Self.trace, original)
    #expect(mapped.spanID.count == 8 && mapped.originalSpanID == original && hex(mapped.traceID) == Self.trace)
    #expect(mapped.spanID == names("other", original).spanID)
  }

  @Test func theMappingIsTheBeginningOfAHash() {
    // echo -n 'tapedeck trace\nx' | sha256sum: other programs can do the same.
    #expect(hex(SpanNames.mapped("trace", "x", count: 16)) == hex(SpanNames.mapped("trace", "x", count: 32).prefix(16)))
    #expect(SpanNames.mapped("trace", "x", count: 8) != SpanNames.mapped("span", "x", count: 8))
  }

  @Test func aCallersSpanOfTheSameTraceIsTheParent() {
    let names = names(Self.trace, "1111111111111111", traceparent: "00-\(Self.trace)-\(Self.span)-01", state: "orq=1")
    #expect(names.parentID.map(hex) == Self.span && names.link == nil && names.traceState == "orq=1")
  }

  @Test func aCallersSpanOfAnotherTraceIsALink() {
    let other = "ffffffffffffffffffffffffffffffff"
    let names = names(other, "1111111111111111", traceparent: "00-\(Self.trace)-\(Self.span)-01")
    #expect(hex(names.traceID) == other && names.parentID == nil)
    #expect(names.link.map { hex($0.traceID) + hex($0.spanID) } == Self.trace + Self.span)
  }

  @Test func aCallWithoutTelemetryIsOfItsCallersTrace() {
    let names = names(nil, nil, traceparent: "00-\(Self.trace)-\(Self.span)-00")
    #expect(hex(names.traceID) == Self.trace && names.parentID.map(hex) == Self.span)
    #expect(names.spanID.count == 8 && names.originalTraceID == nil)
    #expect(names.spanID != SpanNames(call: CallID(high: 1, low: 3), trace: nil, span: nil, headers: []).spanID)
  }

  @Test func noSpanIsItsOwnParent() {
    #expect(names(Self.trace, Self.span, traceparent: "00-\(Self.trace)-\(Self.span)-01").parentID == nil)
  }

  @Test(arguments: ["00-\(trace)-\(span)", "garbage", "00-\(trace)-0000000000000000-01"])
  func aMalformedTraceparentNamesNobody(traceparent: String) {
    let names = names(Self.trace, "1111111111111111", traceparent: traceparent)
    #expect(names.parentID == nil && names.link == nil)
  }
}
