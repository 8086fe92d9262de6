internal import TapeJSON
internal import TapeQuery
internal import TapeTypes

/// Some of the frames of a call, each with the time that it was waited for.
struct FrameTable {
  let call: RecordedCall
  let first: Int

  func fill(_ data: inout PageData) {
    let count = Pages.CallQuestion.framesAtOnce
    let start = min(first, max(0, call.frameCount - 1)) / count * count
    let end = min(start + count, call.frameCount)
    let longest = max(1, longestGap(start..<end))
    let id = call.open.id.description
    var rows: [PageData] = []
    QueryEngine.forEachFrame(of: call, in: start..<end) { frame in
      var row = PageData()
      let number = frame["sequence"]?.integer ?? 0
      row["number"] = String(number)
      row[flag: "isMeant"] = number == first && first > 0
      row["at"] = frame["offset_ns"]?.integer.map { Show.duration(Double($0) / 1e6) }
      let gap = frame["gap_ns"]?.integer
      row["gap"] = gap.map { Show.duration(Double($0) / 1e6) }
      row["share"] = gap.map { Show.plain(100 * Double($0) / Double(longest)) }
      row[flag: "isStall"] = (gap ?? 0) >= 500_000_000
      row["bytes"] = Show.count(frame["bytes"])
      row["event"] = frame.at("event")?.string.map { Show.cut($0) }
      row["text"] = frame.at("text")?.string.map { Show.cut($0, to: 500) }
      row["t"] = frame["offset_ns"]?.integer.map { "\(Links.replay(id))?t=\(Show.plain(Double($0) / 1e9, 3))" }
      rows.append(row)
    }
    data[list: "frameRows"] = rows
    data["frameRange"] =
      call.frameCount == 0 ? nil : "\(Show.count(start))–\(Show.count(end - 1)) of \(Show.count(call.frameCount))"
    let base = Links.call(id)
    data["framesBefore"] = start > 0 ? "\(base)?frame=\(max(0, start - count))#frames" : nil
    data["framesBehind"] = end < call.frameCount ? "\(base)?frame=\(end)#frames" : nil
    data[flag: "hasTimes"] = call.open.hasTimes
    data[html: "gapChart"] = GapChart(call: call).svg
  }

  private func longestGap(_ range: Range<Int>) -> Int64 {
    guard !call.frameOffsetsNs.isEmpty else { return 0 }
    return range.reduce(0) { longest, index in
      index == 0 ? longest : max(longest, call.frameOffsetsNs[index] - call.frameOffsetsNs[index - 1])
    }
  }
}
