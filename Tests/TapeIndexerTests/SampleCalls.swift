import TapeTestSupport
import TapeTypes

/// 2026-11-20T12:00:00Z
let noon: Int64 = 1_795_176_000_000_000_000
let second: Int64 = 1_000_000_000

/// A request with everything that the catalogue has a column for.
let fullRequest = #"""
  {"key":"support-bot","inputs":{"name":"Ada"},"context":{"env":"test"},
   "messages":[{"role":"user","content":"A question about 退款数据处理 and the refund policy"}],
   "identity":{"id":"ada","display_name":"Ada L.","email":"ada@example.com","tags":["beta","eu"],
     "logo_url":"https://example.com/a.png","metadata":{"plan":"pro"}},
   "thread":{"id":"thread-1","tags":["billing","urgent","billing"]},
   "metadata":{"team":"blue","retries":3,"dry":true},
   "invoke_options":{"include_usage":true}}
  """#

/// One call of every kind; the last one has no end.
func sampleCalls() -> [TestCall] {
  var traced = TestCall.refused(5, startedAt: noon + 5 * second)
  traced.headers = [
    HeaderField("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
    HeaderField("X-ORQ-IDENTITY-ID", "grace"),
  ]
  var rejected = TestCall(6, startedAt: noon + 6 * second)
  rejected.status = 401
  rejected.contentType = "application/json"
  rejected.add(#"{"code":401,"error":"Unauthorized","source":"gateway"}"#)
  var untimed = TestCall.text(9, startedAt: noon + 9 * second, ["数据处", "理完成"])
  untimed.hasTimes = false
  untimed.origin = .import
  return [
    .text(1, startedAt: noon + 1 * second, request: fullRequest, usage: TestUsage(100, 20, cached: 64, reasoning: 5)),
    .tools(2, startedAt: noon + 2 * second, request: #"{"key":"tools","identity":{"id":"bob"}}"#),
    .midstreamError(3, startedAt: noon + 3 * second, request: #"{"key":"support-bot"}"#),
    .unfinished(4, startedAt: noon + 4 * second, cause: .clientClosed),
    traced,
    rejected,
    .unfinished(7, startedAt: noon + 7 * second, cause: .upstreamClosed),
    .unfinished(8, startedAt: noon + 8 * second, cause: .timeout),
    untimed,
    .text(10, startedAt: noon + 10 * second, request: #"{"key":"k","invoke_options":{"mock_response":"hi"}}"#),
    .unfinished(11, startedAt: noon + 11 * second, cause: nil),
  ]
}
