internal import Hummingbird
internal import TapeArchive
internal import TapeJSON
internal import TapeQuery
internal import TapeTypes

extension Pages {
  func store(_ request: WebRequest) async throws -> Response {
    try request.query.check(known: [])
    let html = try await desk.run { [store = desk.store, counts = desk.fileCounts] in
      // Without a catalogue, too: what the archive has can still be told.
      let status = try StoreStatus.json(of: store, counts: counts)
      let checkpoint = try? store.ownCheckpoint()
      return Templates.html("store", StorePage(status: status, checkpoint: checkpoint).data)
    }
    return Templates.frame(title: "Store", section: "store", html)
  }
}

/// What a store has, and how it is doing.
struct StorePage {
  private static let mostFiles = 200

  let status: JSONValue
  let checkpoint: CheckpointNote?

  var data: PageData {
    var data = PageData()
    data["path"] = status["store"]?.string
    data["problem"] = status.at("index", "problem")?.string
    calls(&data)
    let archive = status["archive"] ?? .null
    data["bytes"] = Show.bytes(archive["bytes"])
    data["raw"] = Show.bytes(archive.at("raw_bytes"))
    data["ratio"] = archive.at("ratio")?.shown.map { "\($0) : 1" }
    data["segments"] = Show.count(archive["segments"])
    data["segmentBytes"] = Show.bytes(archive["segment_bytes"])
    data["journals"] = Show.count(archive["journals"])
    data["journalBytes"] = Show.bytes(archive["journal_bytes"])
    data["unsealed"] = Show.count(archive.at("unsealed_calls"))
    data["torn"] = archive["torn"]?.integer == 0 ? nil : Show.count(archive["torn"])
    data["live"] = Show.count(archive["writers_live"])
    data[list: "writers"] = (archive["writers"]?.array ?? []).map { writer in
      var data = PageData([
        "name": writer["writer"]?.string ?? "", "state": writer["live"]?.bool == true ? "live" : "ended",
      ])
      data["journals"] = Show.count(writer["journals"])
      data["bytes"] = Show.bytes(writer["bytes"])
      return data
    }
    let files = archive["files"]?.array ?? []
    data[list: "files"] = files.suffix(Self.mostFiles).reversed().map { file in
      var data = PageData(["name": file["file"]?.string ?? "", "kind": file["kind"]?.string ?? ""])
      data["bytes"] = Show.bytes(file["bytes"])
      data[flag: "isLive"] = file["live"]?.bool == true
      return data
    }
    data["fileCount"] =
      files.count > Self.mostFiles
      ? "the latest \(Self.mostFiles) of \(Show.count(files.count))" : Show.count(files.count)
    index(&data)
    defects(&data)
    data["storeVersion"] = status.at("versions", "store")?.shown
    data["catalogueVersion"] = status.at("versions", "catalogue")?.shown
    data["prices"] = status.at("versions", "prices")?.shown
    if let checkpoint {
      data["checkpointSize"] = Show.count(checkpoint.checkpoint.size)
      data["checkpointRoot"] = checkpoint.checkpoint.root.description
      data["checkpointOrigin"] = checkpoint.checkpoint.origin
    }
    return data
  }

  private func calls(_ data: inout PageData) {
    let counts = status["calls"] ?? .null
    data["calls"] = Show.count(counts.at("total"))
    data["erased"] = counts["erased"]?.integer == 0 ? nil : Show.count(counts.at("erased"))
    let total = counts["total"]?.integer ?? 0
    data[list: "states"] = CallState.allCases.compactMap { state in
      guard let count = counts[state.rawValue]?.integer, count > 0 else { return nil }
      var row = PageData(["name": StateMark.words(state.rawValue), "style": StateMark.style(state.rawValue)])
      row["count"] = Show.count(count)
      row["share"] = Show.share(count, of: total)
      row["href"] = Links.calls([("state", state.rawValue)])
      row["width"] = Show.plain(total > 0 ? Double(count) / Double(total) * 100 : 0)
      return row
    }
  }

  private func index(_ data: inout PageData) {
    let index = status["index"] ?? .null
    data["catalogueBytes"] = Show.bytes(index.at("bytes"))
    let lag = index["lag_bytes"]?.integer ?? 0
    data["lag"] = lag == 0 ? "none" : "\(Show.bytes(lag)) in \(Show.count(index["lag_files"]) ?? "0") files"
    data["indexer"] = index.at("indexer_process").map { process in
      "\(index["following"]?.bool == true ? "following" : "running"), process \(process.shown ?? "")"
    }
    let total = status.at("calls", "total")?.integer ?? 0
    if total > 0, let bytes = index.at("bytes")?.integer { data["perCall"] = Show.bytes(bytes / total) }
  }

  private func defects(_ data: inout PageData) {
    data[list: "defects"] = (status["defects"]?.members ?? []).map { defect in
      PageData([
        "name": StateMark.words(defect.key), "count": Show.count(defect.value) ?? "",
        "href": Links.calls([
          ("where", "call_id IN (SELECT call_id FROM v_defects WHERE kind = '\(defect.key)')")
        ]),
      ])
    }
    if let gaps = status.at("gaps"), (gaps["calls"]?.integer ?? 0) > 0 {
      let (calls, frames) = (Show.count(gaps["calls"]) ?? "", Show.count(gaps["frames"]) ?? "")
      data["gaps"] =
        "\(calls) calls have \(frames) frames, \(Show.bytes(gaps["bytes"]) ?? ""), that reached the client and not the tape"
    }
    data[list: "damage"] = (status["damage"]?.array ?? []).map { item in
      PageData(["file": item["file"]?.string ?? "", "message": item["message"]?.string ?? ""])
    }
  }
}
