import TapeTypes
import Testing

@testable import TapeQuery

@Suite struct DurationsTests {
  @Test(arguments: [
    ("500ms", 500_000_000), ("2s", 2_000_000_000), ("1.5h", 5_400_000_000_000), ("3", 3_000_000_000), ("0", 0),
    ("20us", 20_000), ("7ns", 7), ("5m", 300_000_000_000), ("90d", 7_776_000_000_000_000),
  ])
  func readsEveryUnit(text: String, nanoseconds: Int64) throws {
    #expect(try Durations.nanoseconds(text, flag: "--x") == nanoseconds)
  }

  @Test(arguments: ["", "s", "-1s", "fast", "1e300d", "nan", "1 s x"])
  func refusesWhatIsNoDurationAndNamesTheFlag(text: String) {
    #expect {
      try Durations.nanoseconds(text, flag: "--stalls")
    } throws: { error in
      (error as? TapeError)?.code == .usage && "\(error)".contains("--stalls")
    }
  }

  @Test(arguments: ["90", "0", "", "1.5"]) func anAgeNeedsItsUnit(text: String) throws {
    #expect(throws: TapeError.self) { try Durations.age(text, flag: "--older-than") }
    #expect(try Durations.age("90d", flag: "--older-than") == 7_776_000_000_000_000)
  }
}
