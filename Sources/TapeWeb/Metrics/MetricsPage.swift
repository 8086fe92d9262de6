internal import Foundation
internal import HTTPTypes
internal import Hummingbird
internal import NIOPosix
package import TapeArchive
internal import TapeQuery
internal import TapeTypes

/// What `/metrics` says: `schema/metrics.md` describes each family.
package final class MetricsPage: Sendable {
  private let version: String
  private let meter: CallMeter
  private let recording: @Sendable () -> ProxyCounters?

  /// - Parameter recording: what a proxy of this process counts; nil without one.
  package init(store: Store, version: String, recording: @escaping @Sendable () -> ProxyCounters?) {
    self.version = version
    meter = CallMeter(store: store)
    self.recording = recording
  }

  package var route: Route {
    Route(.get, "/metrics") { _ in
      // It reads the catalogue and lists the archive, which is nothing for an event loop.
      .text(.ok, "text/plain; version=0.0.4", try await NIOThreadPool.singleton.runIfActive { self.text() })
    }
  }

  /// The page. Without a catalogue that can be read it has what the process itself knows, and says that it has no more.
  package func text() -> String {
    var page = MetricsText()
    page.family("tapedeck_build_info", .gauge, "Which tapedeck this is; always 1.")
    page.sample("tapedeck_build_info", 1, [("version", version)])
    Self.process(&page)
    if let recording = recording() { Self.recording(recording, &page) }
    do {
      let (totals, gauges) = try meter.read()
      page.single("tapedeck_catalogue_up", .gauge, 1, "Whether the catalogue can be read.")
      Self.calls(totals, &page)
      Self.store(gauges, &page)
    } catch {
      page.single("tapedeck_catalogue_up", .gauge, 0, "Whether the catalogue can be read.")
      Self.calls(meter.totals, &page)
    }
    return page.text
  }

  // MARK: The process

  private static let startSeconds = Date().timeIntervalSince1970

  private static func process(_ page: inout MetricsText) {
    page.family("process_start_time_seconds", .gauge, "When the process was started, in seconds since 1970.")
    page.sample("process_start_time_seconds", String(format: "%.3f", startSeconds))
    let usage = ProcessUsage()
    page.family("process_cpu_seconds_total", .counter, "User and system CPU time spent.")
    page.sample("process_cpu_seconds_total", MetricsText.decimal(usage.cpuMicroseconds, 6))
    if let bytes = usage.residentBytes {
      page.single("process_resident_memory_bytes", .gauge, bytes, "Memory that the process holds.")
    }
    if let open = usage.openFiles { page.single("process_open_fds", .gauge, open, "Open file descriptors.") }
  }

  // MARK: The proxy

  private static func recording(_ now: ProxyCounters, _ page: inout MetricsText) {
    page.single("tapedeck_proxy_connections", .gauge, now.openConnections, "Clients that are connected.")
    page.single("tapedeck_open_streams", .gauge, now.openCalls, "Calls that are being taped.")
    page.single("tapedeck_calls_started_total", .counter, now.calls, "Calls that were begun to be taped.")
    page.single(
      "tapedeck_requests_passed_total", .counter, now.passedThrough, "Requests that were passed on without being taped."
    )
    page.single("tapedeck_frames_total", .counter, now.frames, "Frames taped.")
    page.single("tapedeck_response_bytes_total", .counter, now.bytes, "Bytes of response bodies taped.")
    page.single(
      "tapedeck_archive_gap_frames_total", .counter, now.gapFrames,
      "Frames that clients got and the archive could not take.")
    page.single(
      "tapedeck_archive_gap_bytes_total", .counter, now.gapBytes,
      "Bytes that clients got and the archive could not take.")
    page.single(
      "tapedeck_journal_unsynced_bytes", .gauge, now.syncs.unsyncedBytes,
      "Bytes written and not yet known to be on disk.")
    let sync = "tapedeck_journal_sync_duration_seconds"
    page.family(sync, .histogram, "How long syncing the journal to disk took.")
    page.histogram(sync, now.syncs.durations, decimals: 9)
    page.single("tapedeck_journal_sync_failures_total", .counter, now.syncs.failures, "Syncs that failed.")
    let chunk = "gen_ai_client_operation_time_per_output_chunk_seconds"
    page.family(chunk, .histogram, "Time from one frame of an event stream to the next.")
    page.histogram(chunk, now.chunkTimes, decimals: 9)
  }

  // MARK: Calls

  private static func calls(_ totals: CallTotals, _ page: inout MetricsText) {
    let groups = totals.groups.sorted { $0.key < $1.key }
    func each(_ name: String, _ help: String, _ body: (CallTotals.Group, CallTotals.Sums, inout MetricsText) -> Void) {
      page.family(name, .counter, help)
      for (group, sums) in groups { body(group, sums, &page) }
    }
    each("tapedeck_calls_total", "Calls that have ended, by how.") { group, sums, page in
      for (state, count) in sums.calls.sorted(by: { $0.key < $1.key }) {
        page.sample("tapedeck_calls_total", count, group.labels + [("state", state)])
      }
    }
    each("tapedeck_tokens_total", "Tokens as providers reported them; cached are part of prompt.") {
      group, sums, page in
      for (kind, count) in sums.tokens.sorted(by: { $0.key < $1.key }) {
        page.sample("tapedeck_tokens_total", count, group.labels + [("type", kind)])
      }
    }
    each("tapedeck_cost_usd_total", "Cost of the calls that can be priced, in US dollars.") { group, sums, page in
      page.sample("tapedeck_cost_usd_total", sums.usd, group.labels)
    }
    each("tapedeck_calls_unpriced_total", "Calls without a cost, by reason.") { group, sums, page in
      for (reason, count) in sums.unpriced.sorted(by: { $0.key < $1.key }) {
        page.sample("tapedeck_calls_unpriced_total", count, group.labels + [("reason", reason)])
      }
    }
    page.family("tapedeck_defects_total", .counter, "Calls that have a defect, by its kind.")
    for (kind, count) in totals.defects.sorted(by: { $0.key < $1.key }) {
      page.sample("tapedeck_defects_total", count, [("kind", kind)])
    }
    page.single("tapedeck_mock_calls_total", .counter, totals.mocks, "Mock calls; they are counted nowhere else.")
    histograms(groups.map { ($0.key, $0.value) }, &page)
  }

  private static func histograms(_ groups: [(CallTotals.Group, CallTotals.Sums)], _ page: inout MetricsText) {
    let first = "gen_ai_client_operation_time_to_first_chunk_seconds"
    page.family(first, .histogram, "Time from the request to the first frame, of streams.")
    for (group, sums) in groups where sums.firstChunkNs.count > 0 {
      page.histogram(first, sums.firstChunkNs, decimals: 9, group.operation)
    }
    let duration = "gen_ai_client_operation_duration_seconds"
    page.family(
      duration, .histogram,
      "Time from the request to the end of the response; error_type is the state of those that failed.")
    for (group, sums) in groups {
      for (failure, histogram) in sums.durationNs.sorted(by: { ($0.key ?? "") < ($1.key ?? "") }) {
        page.histogram(duration, histogram, decimals: 9, group.operation + (failure.map { [("error_type", $0)] } ?? []))
      }
    }
    let tokens = "gen_ai_client_token_usage"
    page.family(tokens, .histogram, "Tokens of a call.")
    for (group, sums) in groups {
      for (kind, histogram) in [("input", sums.inputTokens), ("output", sums.outputTokens)] where histogram.count > 0 {
        page.histogram(tokens, histogram, decimals: 0, group.operation + [("gen_ai_token_type", kind)])
      }
    }
  }

  // MARK: The store

  private static func store(_ gauges: StoreGauges, _ page: inout MetricsText) {
    page.family("tapedeck_store_bytes", .gauge, "Size of the store by kind of file.")
    page.sample("tapedeck_store_bytes", gauges.journalBytes, [("kind", "journal")])
    page.sample("tapedeck_store_bytes", gauges.segmentBytes, [("kind", "segment")])
    page.sample("tapedeck_store_bytes", gauges.catalogueBytes, [("kind", "catalogue")])
    page.family("tapedeck_store_files", .gauge, "Files of the archive by kind.")
    page.sample("tapedeck_store_files", gauges.journals, [("kind", "journal")])
    page.sample("tapedeck_store_files", gauges.segments, [("kind", "segment")])
    page.single("tapedeck_live_writers", .gauge, gauges.liveWriters, "Processes that record into the store.")
    page.single("tapedeck_unsealed_calls", .gauge, gauges.unsealedCalls, "Calls that are not in a segment yet.")
    page.single(
      "tapedeck_journal_lag_bytes", .gauge, gauges.lagBytes, "Bytes of the archive that are not in the catalogue yet.")
    page.single("tapedeck_archive_damage", .gauge, gauges.damage, "Places of the archive that could not be read.")
  }
}

extension CallTotals.Group {
  fileprivate var labels: MetricsText.Labels {
    [("deployment", deployment), ("provider", provider), ("model", model)]
  }

  /// The attributes of OpenTelemetry's conventions, with underscores.
  fileprivate var operation: MetricsText.Labels {
    [
      ("gen_ai_operation_name", "chat"), ("gen_ai_provider_name", provider), ("gen_ai_response_model", model),
      ("deployment", deployment),
    ]
  }
}
