import TapeDialects
import TapeJSON
import Testing

@Suite struct UsageTests {
  @Test(arguments: [
    (#"{"prompt_tokens":-1,"completion_tokens":2,"total_tokens":1}"#, "negative"),
    (#"{"prompt_tokens":1.5,"completion_tokens":2,"total_tokens":3}"#, "whole number"),
    (#"{"prompt_tokens":1e400,"completion_tokens":2,"total_tokens":3}"#, "whole number"),
    (#"{"prompt_tokens":"10","completion_tokens":2,"total_tokens":3}"#, "whole number"),
    (#"{"prompt_tokens":10,"completion_tokens":2,"completion_tokens_details":{"reasoning_tokens":-5}}"#, "negative"),
    (#"7"#, "no object"),
  ])
  func impossibleCountsMakeUsageUnknown(usage: String, why: String) {
    let generation = generation(sse: stream(usages: [usage]))
    #expect(generation.usage == nil)
    #expect(generation.has(.badUsage))
    #expect(generation.usageUnknownReason?.contains(why) == true)
    #expect(generation.complete)
  }

  @Test(arguments: [
    #"{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15,"completion_tokens_details":{"reasoning_tokens":6}}"#,
    #"{"prompt_tokens":10,"completion_tokens":5,"completion_tokens_details":{"reasoning_tokens":6}}"#,
    #"{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15,"prompt_tokens_details":{"cached_tokens":11}}"#,
    #"{"prompt_tokens":9223372036854775807,"completion_tokens":9223372036854775806,"total_tokens":1,"completion_tokens_details":{"reasoning_tokens":9223372036854775807}}"#,
  ])
  func contradictionsAreShownAndMarked(usage: String) {
    let generation = generation(sse: stream(usages: [usage]))
    #expect(generation.usage?.prompt != nil)
    #expect(generation.usage?.contradiction != nil)
    #expect(generation.has(.badUsage))
  }

  @Test func aTotalThatAddsReasoningExplainsIt() {
    let usage =
      #"{"prompt_tokens":10,"completion_tokens":5,"total_tokens":21,"completion_tokens_details":{"reasoning_tokens":6}}"#
    let generation = generation(sse: stream(usages: [usage]))
    #expect(generation.usage?.contradiction == nil)
    #expect(!generation.has(.badUsage))
  }

  @Test func theLastUsageThatIsNotNullWinsWithItsFrame() {
    let usages = [
      #"{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2,"prompt_tokens_details":{"cached_tokens":1}}"#,
      #"{"prompt_tokens":3,"completion_tokens":4,"total_tokens":7}"#, "null",
    ]
    let generation = generation(sse: stream(usages: usages))
    #expect(generation.usage == Usage(prompt: 3, completion: 4, total: 7, frame: 1))
  }

  @Test(arguments: [
    "{}", #"{"prompt_tokens":null}"#, #"{"prompt_tokens_details":{"cached_tokens":null}}"#, #"{"tier":"x"}"#,
  ])
  func usageWithoutANumberErasesNothing(empty: String) {
    let good = #"{"prompt_tokens":3,"completion_tokens":4,"total_tokens":7}"#
    let kept = generation(sse: stream(usages: [good, empty]))
    #expect(kept.usage == Usage(prompt: 3, completion: 4, total: 7, frame: 0))
    #expect(
      kept.usageUnknownReason == nil && kept.defects.isEmpty == generation(sse: stream(usages: [good])).defects.isEmpty)
    #expect(generation(sse: stream(usages: [empty, good])).usage?.frame == 1)
    let bad = generation(sse: stream(usages: [#"{"prompt_tokens":-1}"#, empty]))
    #expect(bad.usage == nil && bad.usageUnknownReason?.contains("negative") == true)
  }

  @Test func absentUsageIsUnknownNotZero() {
    let generation = generation(sse: stream(usages: ["null"]))
    #expect(generation.usage == nil)
    #expect(generation.usageUnknownReason == nil)
    #expect(!generation.has(.badUsage))
  }

  @Test(arguments: [
    "{}", #"{"prompt_tokens":null,"completion_tokens":null,"total_tokens":null}"#,
    #"{"prompt_tokens":null,"prompt_tokens_details":{"cached_tokens":null},"tier":"x"}"#,
  ])
  func usageWithoutAnyCountIsAbsent(empty: String) {
    let generation = generation(sse: stream(usages: [empty]))
    #expect(generation.usage == nil && generation.usageUnknownReason == nil && !generation.has(.badUsage))
  }

  @Test func usageWithoutKnownCountsIsUnknown() {
    let generation = generation(sse: stream(usages: [#"{"input_tokens":5}"#]))
    #expect(generation.usage == nil)
    #expect(generation.usageUnknownReason != nil)
    #expect(generation.extra["usage"]?["input_tokens"]?.integer == 5)
  }

  private func stream(usages: [String]) -> String {
    usages.map { "data: {\"is_final\":true,\"choices\":[],\"usage\":\($0)}\n\n" }.joined() + "data: [DONE]\n\n"
  }
}
