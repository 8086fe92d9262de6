import TapeTypes
import Testing

@Suite struct CallIDTests {
  @Test(arguments: [
    ("00000000000000000000000000", 0 as UInt64, 0 as UInt64), ("7ZZZZZZZZZZZZZZZZZZZZZZZZZ", UInt64.max, UInt64.max),
    ("00000000000000000000000001", 0, 1), ("0000000000000G000000000000", 1, 0),
    ("01JD0Z6Q8R3T5V7W9XABCDEFGH", 0x0193_41F3_5D18_1E8B, 0xB3F1_3D52_D8D7_3E11),
  ])
  func textAndBitsAgree(text: String, high: UInt64, low: UInt64) {
    #expect(CallID(text) == CallID(high: high, low: low))
    #expect(CallID(text.lowercased()) == CallID(high: high, low: low))
    #expect(CallID(high: high, low: low).description == text)
  }

  @Test(arguments: [
    "", "01JD0Z6Q8R3T5V7W9XABCDEFG", "01JD0Z6Q8R3T5V7W9XABCDEFGHJ", "81JD0Z6Q8R3T5V7W9XABCDEFGH",
    "01JD0Z6Q8R3T5V7W9XABCDEFGI", "01JD0Z6Q8R3T5V7W9XABCDEFGU", "01JD0Z6Q8R3T5V7W9XABCDEFé",
  ])
  func whatIsNoULIDIsRefused(text: String) { #expect(CallID(text) == nil) }

  @Test func idsSortByTheirTimeAndKeepIt() {
    #expect(CallID("01JD0Z6Q8R3T5V7W9XABCDEFGH")?.milliseconds == 1_731_978_288_408)
    let early = CallID(milliseconds: 1_000)
    let late = CallID(milliseconds: 1_001)
    #expect(early < late && early.description < late.description)
    #expect(CallID(milliseconds: 5) != CallID(milliseconds: 5))
    #expect(CallID(milliseconds: .max).milliseconds == 0xFFFF_FFFF_FFFF)
  }
}
