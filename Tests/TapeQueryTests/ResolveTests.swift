import TapeIndexer
import TapeQuery
import TapeTestSupport
import TapeTypes
import Testing

@Suite struct ResolveTests {
  private let calls: [TestCall] = (1...3).map { .text($0, startedAt: noon + Int64($0) * second) }

  private func resolve(_ reference: String) throws -> CallID {
    let (test, engine) = try engine(calls)
    defer { withExtendedLifetime(test) {} }
    return try engine.resolve(reference).id
  }

  private func failure(_ reference: String) -> TapeError? {
    do {
      _ = try resolve(reference)
      return nil
    } catch {
      return error as? TapeError
    }
  }

  @Test func everyNameOfACallLeadsToIt() throws {
    let call = calls[1]
    let id = call.id.description
    #expect(try resolve(id) == call.id)
    #expect(try resolve(id.lowercased()) == call.id)
    #expect(try resolve(String(id.prefix(12))) == call.id)
    #expect(try resolve(String(id.prefix(25)).lowercased()) == call.id)
    #expect(try resolve(call.responseID) == call.id)
    #expect(try resolve(call.spanID) == call.id)
  }

  @Test func ordinalsCountFromTheLatest() throws {
    #expect(try resolve("@1") == calls[2].id)
    #expect(try resolve("@3") == calls[0].id)
    #expect(failure("@4")?.code == .notFound)
    #expect(failure("@0")?.code == .usage)
    #expect(failure("@x")?.code == .usage)
  }

  @Test func anAmbiguousPrefixNamesTheCandidates() throws {
    // The calls share their hour, so also the first characters of their ids.
    let prefix = String(calls[0].id.description.prefix(5))
    let error = try #require(failure(prefix))
    #expect(error.code == .usage)
    for call in calls { #expect(error.description.contains(call.id.description)) }
  }

  @Test(arguments: ["7ZZZZZZZZZ", "nothing here", "", "U", "01ARZ3NDEKTSV4RRFFQ69G5FAV"])
  func whatIsNotThereIsNotFound(reference: String) {
    #expect(failure(reference)?.code == .notFound)
  }
}
