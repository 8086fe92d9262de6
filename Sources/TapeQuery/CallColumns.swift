/// The columns of a list of calls as a table for programs.
package enum CallColumns {
  /// Every key of a call, whatever the calls at hand have.
  package static let csv: [String] = {
    func nested(_ name: String, _ keys: [String]) -> [String] { keys.map { "\(name).\($0)" } }
    return [
      "call_id", "response_id", "trace_id", "span_id", "thread_id", "thread_tags", "identity_id", "deployment", "model",
      "provider", "object", "created", "finalized", "integration_id", "system_fingerprint", "started_at", "state",
      "complete", "content_mode", "mock", "http_status",
    ] + nested("error", ["message", "code", "source", "frame"])
      + nested(
        "usage", ["prompt_tokens", "completion_tokens", "total_tokens", "cached_tokens", "reasoning_tokens", "frame"])
      + ["defects"]
      + nested(
        "cost",
        [
          "total_usd", "input_usd", "cached_usd", "output_usd", "reasoning_usd", "request_usd", "price_model",
          "price_version", "notes",
        ])
      + nested(
        "cost.rates",
        ["input_usd", "cached_usd", "output_usd", "reasoning_usd", "request_usd", "above_tokens", "from", "utc"])
      + nested("cost_unknown", ["reason", "message"])
      + nested(
        "timings",
        ["first_byte_ms", "first_frame_ms", "first_content_ms", "duration_ms", "frames", "longest_gap_ms"])
      + nested("archive", ["file", "offset", "leaf_hash"]) + ["text"]
  }()
}
