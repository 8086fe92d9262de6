import TapePricing
import TapeTestSupport
import TapeTypes
import Testing

/// What calls cost when they are priced by class is to the digit what they cost one by one.
@Suite struct PriceClassesTests {
  /// Rates that change with the size, the day and the time of day; a fee; reasoning on top; rates that are missing.
  private static let table = #"""
    {"format":"tapedeck-prices/1","version":"test 1","date":"2026-01-01","provider_map":{},"providers":{
    "p":{"fallback":[],"models":[
    {"id":"plain","match":["plain"],"prices":[{"input":1.5,"output":2.25,"requests":0.7}]},
    {"id":"tiered","match":["tiered"],"prices":[{"input":{"base":1,"above":[[100,2],[200,3]]},"cached":{"base":0.1,"above":[[150,0.2]]},"output":{"base":5,"above":[[100,7]]}}]},
    {"id":"dated","match":["dated"],"prices":[{"input":1,"output":1},{"from":"2026-03-01","input":{"base":2,"above":[[50,4]]},"output":2}]},
    {"id":"clock","match":["clock"],"prices":[{"input":1,"output":1},{"utc":["22:00","02:30"],"input":2,"output":2}]},
    {"id":"input-only","match":["input-only"],"prices":[{"input":4,"output":null}]},
    {"id":"dear","match":["dear"],"prices":[{"input":8999999.000000000001,"output":{"base":0.1,"above":[[100,8000000.7]]},"cached":0.2,"requests":8999999.9}]},
    {"id":"reasoner","match":["reasoner"],"prices":[{"input":1,"output":2,"reasoning":3}]}
    ]}}}
    """#

  private struct Parts: Equatable {
    var calls = 0
    var unknown: [String: Int] = [:]
    var sums = [DecimalNumber](repeating: .zero, count: 6)

    mutating func add(_ problem: Unpriced?, calls: Int) {
      self.calls += calls
      if let problem { unknown["\(problem.reason.rawValue) \(problem.message)", default: 0] += calls }
    }

    mutating func add(_ result: CostResult) {
      switch result {
      case .unknown(let why): add(why, calls: 1)
      case .cost(let cost):
        add(nil, calls: 1)
        let parts = [cost.total, cost.input, cost.cached, cost.output, cost.reasoning ?? .zero, cost.request]
        sums = zip(sums, parts).map { $0 + $1 }
      }
    }
  }

  private struct Call {
    var model: String
    var prompt: Int?
    var completion: Int?
    var cached: Int?
    var reasoning: Int?
    var total: Int?
    var at: Int64

    /// As the only one of its columns.
    func columns<Result>(_ body: (UsageColumnPointers) -> Result) -> Result {
      let numbers = [prompt, completion, cached, reasoning, total, Int(at)].map { $0 ?? Int.min }
      return numbers.withUnsafeBufferPointer { numbers in
        let column = { UnsafePointer(numbers.baseAddress! + $0) }
        return body(
          UsageColumnPointers(
            prompt: column(0), completion: column(1), cached: column(2), reasoning: column(3), total: column(4),
            started: column(5)))
      }
    }
  }

  private func calls(_ seed: UInt64) -> [Call] {
    var random = SeededNumbers(seed)
    let models = ["plain", "tiered", "dated", "clock", "input-only", "reasoner", "dear", "own", "nobody"]
    let start = nanoseconds("2026-02-20T00:00:00Z")
    return (0..<4_000).map { _ in
      func count(_ limit: Int) -> Int? {
        switch Int.random(in: 0..<20, using: &random) {
        case 0: nil
        case 1: 0
        case 2: [1, 99, 100, 101, 150, 151, 200, 201, 1 << 33, Int.max].randomElement(using: &random)
        case 3: -Int.random(in: 1...3, using: &random)
        default: Int.random(in: 0...limit, using: &random)
        }
      }
      let (prompt, completion, reasoning) = (count(300), count(90), Bool.random(using: &random) ? count(60) : nil)
      let onTop = Bool.random(using: &random) ? reasoning : 0
      let total = (prompt ?? 0).addingReportingOverflow(completion ?? 0).partialValue
        .addingReportingOverflow(onTop ?? 0).partialValue
      // No sum is exact that goes beyond all money there is.
      let isHuge = [prompt, completion, reasoning].contains { $0 ?? 0 > 1 << 40 }
      let model = models.randomElement(using: &random) ?? "plain"
      return Call(
        model: model == "dear" && isHuge ? "plain" : model, prompt: prompt, completion: completion,
        cached: Bool.random(using: &random) ? count(80) : nil, reasoning: reasoning,
        total: Bool.random(using: &random) ? total : nil,
        at: start + Int64.random(in: 0..<20 * 86_400, using: &random) * 1_000_000_000)
    }
  }

  @Test(arguments: [1, 2, 3] as [UInt64]) func classesCostWhatTheirCallsCost(seed: UInt64) throws {
    var overrides = PriceOverrides()
    for (model, from) in [("own", nil), ("own", "2026-02-25"), ("tiered", "2026-03-02")] {
      overrides.set(
        PriceOverride(
          provider: "p", model: model, from: from, setAt: "2026-01-01T09:00:00Z",
          input: try #require(DecimalNumber(from == nil ? "0.35" : "0.45")), output: try #require(DecimalNumber("9.1")))
      )
    }
    let table = PriceTable(try PriceTable(json: Array(Self.table.utf8)), overrides: overrides)
    var classes = PriceClasses(table)
    var models: [String: Int] = [:]
    var (single, summed) = (Parts(), Parts())
    var parts = CostParts()
    var unusable = 0
    for call in calls(seed) {
      let model = models[call.model] ?? classes.model(provider: "p", model: call.model)
      models[call.model] = model
      let result = table.cost(
        provider: "p", model: call.model, prompt: call.prompt, completion: call.completion, cached: call.cached,
        reasoning: call.reasoning, total: call.total, at: call.at)
      // Numbered from another number than 0, beside a call that is sorted already.
      var sorted = [ClassedUsage(number: 3), ClassedUsage(number: ClassedUsage.unsorted)]
      call.columns { classes.sort([0, 0], of: $0, models: [model], into: &sorted, from: 7, impossible: 5) }
      #expect(sorted[0].number == 3)
      let (found, number) = (sorted[1], sorted[1].number - 7)
      guard found.number != 5 else {
        #expect(result.cost == nil)
        unusable += 1
        continue
      }
      single.add(result)
      summed.add(classes.problem(number), calls: 1)
      let price = classes.classes[number]
      #expect(price.unpriced == classes.problem(number)?.reason)
      if price.unpriced == nil { price.add(found, to: &parts) }
    }
    summed.sums = [
      parts.total.value, parts.input.value, parts.cached.value, parts.output.value, parts.reasoning?.value ?? .zero,
      parts.request.value,
    ]
    #expect(summed == single)
    #expect(single.calls > 1_000 && unusable > 0 && single.unknown.count > 1)
    // Far fewer look-ups than calls.
    #expect(classes.classes.count < single.calls / 5)
  }
}
