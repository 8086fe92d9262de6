internal import TapeJSON

/// The deployments that the demo upstream knows. The request's `key` names one; any other
/// key answers like `support-answer`.
package enum DemoScenario: String, CaseIterable, Sendable {
  case supportAnswer = "support-answer"
  case travelTools = "travel-tools"
  case mathsReasoning = "maths-reasoning"
  case productNames = "product-names"
  case posterImage = "poster-image"
  case handbookSearch = "handbook-search"
  case slowWriter = "slow-writer"
  case failsMidway = "fails-midway"
  case cutsMidway = "cuts-midway"
  case unauthorized = "unauthorized"

  func script(_ chunks: OrqChunks, finalized: String, includeUsage: Bool) -> DemoScript {
    func usage(_ value: JSONValue) -> JSONValue? { includeUsage ? value : nil }
    var script = DemoScript()
    switch self {
    case .supportAnswer: Self.supportAnswer(chunks, finalized, usage, &script)
    case .travelTools: Self.travelTools(chunks, finalized, usage, &script)
    case .mathsReasoning: Self.mathsReasoning(chunks, finalized, usage, &script)
    case .productNames: Self.productNames(chunks, finalized, usage, &script)
    case .posterImage: Self.posterImage(chunks, finalized, usage, &script)
    case .handbookSearch: Self.handbookSearch(chunks, finalized, usage, &script)
    case .slowWriter: Self.slowWriter(chunks, finalized, usage, &script)
    case .failsMidway: Self.failsMidway(chunks, &script)
    case .cutsMidway: Self.cutsMidway(chunks, &script)
    case .unauthorized:
      return .json(["code": 401, "error": "Unauthorized: the API key is not valid", "source": "platform"], status: 401)
    }
    return script
  }

  private typealias Usage = (JSONValue) -> JSONValue?

  private static func supportAnswer(
    _ chunks: OrqChunks, _ finalized: String, _ usage: Usage, _ script: inout DemoScript
  ) {
    let answer =
      "Yes: our refund policy gives you 30 days. Send the order number, and the amount is back "
      + "on your card within 5 working days. Tickets for a day that has passed cannot be refunded. 祝您愉快 👋"
    for piece in DemoScript.pieces(answer) { script.send(chunks.text(piece)) }
    script.send(
      chunks.final(usage: usage(OrqChunks.usage(prompt: 412, completion: 58, cached: 256)), finalized: finalized))
    script.sendDone()
  }

  private static func travelTools(_ chunks: OrqChunks, _ finalized: String, _ usage: Usage, _ script: inout DemoScript)
  {
    for piece in DemoScript.pieces("Let me look at both cities.") { script.send(chunks.text(piece)) }
    let calls = [
      ("call_paris", "get_weather", #"{"city":"Paris","unit":"celsius"}"#),
      ("call_trains", "find_trains", #"{"from":"Amsterdam","to":"Paris","date":"2026-11-23"}"#),
    ]
    for (index, (id, name, arguments)) in calls.enumerated() {
      script.send(chunks.toolCall(index, id: id, name: name, arguments: ""))
      var rest = arguments.unicodeScalars[...]
      while !rest.isEmpty {
        script.send(
          chunks.toolCall(index, id: nil, name: "", arguments: String(String.UnicodeScalarView(rest.prefix(7)))),
          after: 8)
        rest = rest.dropFirst(7)
      }
    }
    let counts = usage(OrqChunks.usage(prompt: 980, completion: 74))
    script.send(chunks.final(finishReasons: ["tool_calls"], usage: counts, finalized: finalized))
    script.sendDone()
  }

  private static func mathsReasoning(
    _ chunks: OrqChunks, _ finalized: String, _ usage: Usage, _ script: inout DemoScript
  ) {
    let thought = "The sum of the first n odd numbers is n squared. There are 50 odd numbers up to 99."
    for piece in DemoScript.pieces(thought) { script.send(chunks.reasoning(piece)) }
    script.send(
      chunks.chunk(choices: [
        OrqChunks.choice(
          0, ["type": "content", "role": "assistant", "content": "", "reasoning_signature": "RXFRQkNnSVlBaElN"])
      ]))
    for piece in DemoScript.pieces("The sum is **2500**.") { script.send(chunks.text(piece)) }
    script.send(
      chunks.final(usage: usage(OrqChunks.usage(prompt: 61, completion: 96, reasoning: 84)), finalized: finalized))
    script.sendDone()
  }

  private static func productNames(_ chunks: OrqChunks, _ finalized: String, _ usage: Usage, _ script: inout DemoScript)
  {
    let first = DemoScript.pieces("Harbour Light, a lamp for late readers")
    let second = DemoScript.pieces("Nightshelf, the lamp that knows when to fade")
    for index in 0..<max(first.count, second.count) {
      if index < first.count { script.send(chunks.text(first[index], choice: 0), after: 10) }
      if index < second.count { script.send(chunks.text(second[index], choice: 1), after: 10) }
    }
    let counts = usage(OrqChunks.usage(prompt: 35, completion: 27))
    script.send(chunks.final(finishReasons: ["stop", "stop"], usage: counts, finalized: finalized))
    script.sendDone()
  }

  private static func posterImage(_ chunks: OrqChunks, _ finalized: String, _ usage: Usage, _ script: inout DemoScript)
  {
    let message: JSONValue = [
      "type": "image", "role": "assistant", "url": "https://images.example/posters/harbour-light.png",
    ]
    script.send(chunks.chunk(choices: [OrqChunks.choice(0, message)]), after: 120)
    script.send(chunks.final(usage: usage(OrqChunks.usage(prompt: 50, completion: 1056)), finalized: finalized))
    script.sendDone()
  }

  private static func handbookSearch(
    _ chunks: OrqChunks, _ finalized: String, _ usage: Usage, _ script: inout DemoScript
  ) {
    for piece in DemoScript.pieces("Page 12 of the handbook says: two people sign every release.") {
      script.send(chunks.text(piece))
    }
    let retrievals: JSONValue = [
      [
        "document": "Two people sign every release.",
        "metadata": [
          "file_name": "handbook.pdf", "page_number": 12, "file_type": "application/pdf",
          "search_score": .number("0.8123"), "rerank_score": .number("0.9411"),
        ],
      ]
    ]
    let counts = usage(OrqChunks.usage(prompt: 1630, completion: 16))
    script.send(chunks.final(usage: counts, finalized: finalized, extra: [.init("retrievals", retrievals)]))
    script.sendDone()
  }

  private static func slowWriter(_ chunks: OrqChunks, _ finalized: String, _ usage: Usage, _ script: inout DemoScript) {
    let story = "Once upon a time a stream was so slow that every word of it could be counted on its way to you."
    for (index, piece) in DemoScript.pieces(story).enumerated() {
      script.send(chunks.text(piece), after: index == 6 ? 700 : 90)
    }
    script.send(chunks.final(usage: usage(OrqChunks.usage(prompt: 22, completion: 24)), finalized: finalized))
    script.sendDone()
  }

  private static func failsMidway(_ chunks: OrqChunks, _ script: inout DemoScript) {
    for piece in DemoScript.pieces("The quarterly numbers are") { script.send(chunks.text(piece)) }
    script.send(["error": ["code": 429, "message": "Rate limit exceeded at the provider", "type": "provider_error"]])
  }

  private static func cutsMidway(_ chunks: OrqChunks, _ script: inout DemoScript) {
    for piece in DemoScript.pieces("This answer will never be") { script.send(chunks.text(piece)) }
    // Half a frame, and then the connection goes.
    script.steps.append(.init(pauseMilliseconds: 15, bytes: Array(#"data: {"id":""#.utf8)))
    script.ending = .cut
  }
}
