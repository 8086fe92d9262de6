import Testing

@testable import TapeLoop

#if canImport(FoundationEssentials)
  import FoundationEssentials
#else
  import Foundation
#endif

struct DescriptorLimitTests {
  #if os(Linux)
    /// What the kernel says of its table of this process's files.
    @Test func theTableOfOpenFilesHasRoomBeforeItIsNeeded() throws {
      DescriptorLimit.raise()
      let status = String(decoding: try Data(contentsOf: URL(fileURLWithPath: "/proc/self/status")), as: UTF8.self)
      let line = try #require(status.split(separator: "\n").first { $0.hasPrefix("FDSize:") })
      let size = try #require(line.split(separator: "\t").last.flatMap { Int($0) })
      #expect(size >= min(try #require(DescriptorLimit.most), 16_384))
    }
  #endif
}
