internal import TapeDialects
internal import TapeQuery
internal import TapeTypes

/// When the frames of a call came: how long was waited at each moment, higher for longer by powers of ten, with the first
/// content and the stalls marked. Positions are percent of the width, so that it fits any.
struct GapChart {
  private static let columns = 400
  private static let height = 96.0
  private static let stallNs: Int64 = 500_000_000

  private let offsets: [Int64]
  private let firstContentNs: Int64?
  /// From the start of the call to its end, ns.
  let lengthNs: Int64
  private let stalls: [TraceReport.Stall]

  init(call: RecordedCall) {
    offsets = call.frameOffsetsNs
    firstContentNs = generation(of: call, withExtra: false).firstContentFrame.flatMap { call.frameOffsetNs($0) }
    lengthNs = max(1, offsets.last ?? 0, call.open.hasTimes ? call.end?.offsetNs ?? 0 : 0)
    stalls = QueryEngine.stalls(of: call, atLeast: Self.stallNs)
  }

  /// nil for captures without clock.
  var svg: HTML? {
    guard !offsets.isEmpty else { return nil }
    var text =
      "<svg class=\"gaps\" width=\"100%\" height=\"\(Int(Self.height) + 18)\" role=\"img\" aria-label=\"\(label)\">"
    for stall in stalls.prefix(200) {
      text +=
        "<rect class=\"stall\" x=\"\(percent(stall.offsetNs - stall.gapNs))\" y=\"0\" "
        + "width=\"\(percent(stall.gapNs))\" height=\"\(Int(Self.height))\"><title>stalled "
        + "\(Show.duration(Double(stall.gapNs) / 1e6))</title></rect>"
    }
    text += bars
    if let firstContentNs {
      text +=
        "<line class=\"ttft\" x1=\"\(percent(firstContentNs))\" x2=\"\(percent(firstContentNs))\" y1=\"0\" "
        + "y2=\"\(Int(Self.height))\"/>"
    }
    text += "<line class=\"axis\" x1=\"0\" x2=\"100%\" y1=\"\(Int(Self.height))\" y2=\"\(Int(Self.height))\"/>"
    for quarter in 0...4 {
      let anchor = quarter == 0 ? "start" : quarter == 4 ? "end" : "middle"
      text +=
        "<text x=\"\(quarter * 25)%\" y=\"\(Int(Self.height) + 14)\" text-anchor=\"\(anchor)\">"
        + "\(Show.duration(Double(lengthNs) / 1e6 * Double(quarter) / 4))</text>"
    }
    return HTML(text + "</svg>")
  }

  private var label: String {
    let ttft = firstContentNs.map { ", first content at \(Show.duration(Double($0) / 1e6))" } ?? ""
    let stalled = stalls.isEmpty ? "no stalls" : "\(stalls.count) stalls of half a second or more"
    return "Time between frames over \(Show.duration(Double(lengthNs) / 1e6))\(ttft), \(stalled)"
  }

  /// The longest wait of each column; neighbours of the same height are one bar.
  private var bars: String {
    var heights = [Int](repeating: 0, count: Self.columns)
    var previous: Int64 = 0
    for offset in offsets {
      let height = Self.height(ofGap: offset - previous)
      let (first, last) = (column(previous), column(max(previous, offset - 1)))
      for column in first...max(first, last) { heights[column] = max(heights[column], height) }
      previous = max(previous, offset)
    }
    var text = ""
    var start = 0
    while start < heights.count {
      var end = start + 1
      while end < heights.count, heights[end] == heights[start] { end += 1 }
      if heights[start] > 0 {
        let scale = 100 / Double(Self.columns)
        text +=
          "<rect class=\"gap\" x=\"\(Show.plain(Double(start) * scale))%\" y=\"\(Int(Self.height) - heights[start])\" "
          + "width=\"\(Show.plain(Double(end - start) * scale))%\" height=\"\(heights[start])\"/>"
      }
      start = end
    }
    return text
  }

  private func column(_ ns: Int64) -> Int {
    min(Self.columns - 1, max(0, Int(Double(ns) / Double(lengthNs) * Double(Self.columns))))
  }

  /// Pixels: from a tenth of a millisecond to ten seconds, five powers of ten.
  private static func height(ofGap ns: Int64) -> Int {
    var (height, edge) = (2.0, 100_000.0)
    let gap = Double(max(0, ns))
    while gap >= edge * 10, height < Self.height - 4 {
      height += (Self.height - 4) / 5
      edge *= 10
    }
    let within = gap > edge ? (gap / edge - 1) / 9 : 0
    return Int(min(Self.height - 2, height + within * (Self.height - 4) / 5))
  }

  private func percent(_ ns: Int64) -> String { Show.plain(Double(ns) / Double(lengthNs) * 100) + "%" }
}
