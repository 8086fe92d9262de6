internal import NIOHTTP1
internal import TapeJSON
internal import TapeTypes

#if canImport(Glibc)
  internal import Glibc
#else
  internal import Darwin
#endif

/// What the demo upstream reads of a request.
struct DemoRequest {
  let head: HTTPRequestHead
  let body: [UInt8]

  func script() -> DemoScript {
    let path = head.uri.split(separator: "?").first.map(String.init) ?? head.uri
    guard head.method == .POST else {
      return path == "/v2/models" ? .json([["id": "gpt-4o-mini", "provider": "openai"]]) : notFound(path)
    }
    guard let request = try? JSONValue(parsing: body) else {
      return .json(["code": 400, "error": "The request body is not JSON"], status: 400)
    }
    let scenario = request["key"]?.string.flatMap(DemoScenario.init(rawValue:)) ?? .supportAnswer
    if path.hasSuffix("/v2/deployments/invoke"), request["stream"]?.bool != true { return invoke(request) }
    guard path.hasSuffix("/v2/deployments/stream") || path.hasSuffix("/v2/deployments/invoke") else {
      return notFound(path)
    }
    let includeUsage = request["invoke_options"]?["include_usage"]?.bool ?? false
    return scenario.script(chunks(for: scenario), finalized: Self.now(), includeUsage: includeUsage)
  }

  private func notFound(_ path: String) -> DemoScript {
    .json(["code": 404, "error": .string("Nothing is served at \(path)")], status: 404)
  }

  /// A whole generation in one JSON body, as `POST /v2/deployments/invoke` gives it.
  private func invoke(_ request: JSONValue) -> DemoScript {
    let chunks = chunks(for: .supportAnswer)
    let message: JSONValue = [
      "type": "content", "role": "assistant", "content": "Our refund policy gives you 30 days.",
    ]
    let usage: JSONValue? = OrqChunks.usage(prompt: 398, completion: 9)
    return .json(
      chunks.chunk(
        choices: [OrqChunks.choice(0, message, finishReason: "stop")], isFinal: true,
        extra: [.init("finalized", .string(Self.now())), .init("usage", usage ?? .null)]))
  }

  private func chunks(for scenario: DemoScenario) -> OrqChunks {
    let (model, provider) =
      switch scenario {
      case .mathsReasoning: ("claude-sonnet-4-5", "anthropic")
      case .travelTools: ("gpt-4o-2024-08-06", "openai")
      case .handbookSearch: ("gemini-2.5-flash", "google-ai")
      case .posterImage: ("gpt-image-1", "openai")
      default: ("gpt-4o-mini", "openai")
      }
    return OrqChunks(
      responseID: CallID(milliseconds: UInt64(max(0, Self.epochMilliseconds()))).description,
      traceID: traceID,
      spanID: Self.hex(UInt64.random(in: 1...UInt64.max)), created: Self.now(), model: model, provider: provider)
  }

  /// That of the request's traceparent, else a new one.
  private var traceID: String {
    let fields = head.headers.first(name: "traceparent")?.split(separator: "-") ?? []
    if fields.count == 4, fields[1].utf8.count == 32 { return String(fields[1]) }
    return Self.hex(UInt64.random(in: 1...UInt64.max)) + Self.hex(UInt64.random(in: 0...UInt64.max))
  }

  private static func hex(_ value: UInt64) -> String {
    let digits = String(value, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
  }

  private static func epochMilliseconds() -> Int {
    var now = timespec()
    clock_gettime(CLOCK_REALTIME, &now)
    return now.tv_sec * 1000 + now.tv_nsec / 1_000_000
  }

  /// The present, RFC 3339 UTC with milliseconds.
  private static func now() -> String {
    let milliseconds = epochMilliseconds()
    var seconds = time_t(milliseconds / 1000)
    var parts = tm()
    gmtime_r(&seconds, &parts)
    func pad(_ value: some BinaryInteger, _ width: Int) -> String {
      let digits = String(value)
      return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }
    return "\(pad(parts.tm_year + 1900, 4))-\(pad(parts.tm_mon + 1, 2))-\(pad(parts.tm_mday, 2))T"
      + "\(pad(parts.tm_hour, 2)):\(pad(parts.tm_min, 2)):\(pad(parts.tm_sec, 2)).\(pad(milliseconds % 1000, 3))Z"
  }
}
