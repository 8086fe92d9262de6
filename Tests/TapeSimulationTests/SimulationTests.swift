import Foundation
import Testing

/// Random traffic, faults, crashes and restarts, against an oracle of what each client received.
@Suite struct SimulationTests {
  /// So many steps are one world; then a new disk.
  static let stepsPerWorld = 500

  /// What a seed comes to. A failing one says how to repeat it.
  private func run(seed: UInt64, steps: Int) -> [String: Int] {
    let directory = FileManager.default.temporaryDirectory.appendingPathComponent("tapedeck-world-\(UUID())")
    do {
      try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    } catch {
      Issue.record("\(error)")
      return [:]
    }
    defer { try? FileManager.default.removeItem(at: directory) }
    let world = World(seed: seed, path: directory.path)
    var done = 0
    while done < steps, world.problems.isEmpty {
      world.step()
      done += 1
    }
    if world.problems.isEmpty { world.finish() }
    let story = world.history.suffix(90).joined(separator: ", ")
    #expect(
      world.problems == [],
      "after \(done) steps; repeat with: make soak SEED=\(seed) STEPS=\(steps)\nlast: \(story)")
    return world.tally
  }

  @Test(arguments: 1...8) func nothingThatAClientReceivedIsLost(seed: Int) {
    let tally = run(seed: UInt64(seed), steps: Self.stepsPerWorld)
    #expect(tally["frames", default: 0] > 100)
  }

  /// `make soak SEED=… STEPS=…`
  @Test(.enabled(if: ProcessInfo.processInfo.environment["TAPEDECK_SOAK_STEPS"] != nil))
  func soak() throws {
    let environment = ProcessInfo.processInfo.environment
    let first = try #require(UInt64(environment["TAPEDECK_SOAK_SEED"] ?? "1"))
    let steps = try #require(Int(environment["TAPEDECK_SOAK_STEPS"] ?? ""))
    var total: [String: Int] = [:]
    var done = 0
    var seed = first
    while done < steps {
      let count = min(Self.stepsPerWorld, steps - done)
      total.merge(run(seed: seed, steps: count)) { $0 + $1 }
      done += count
      seed &+= 1
      if (seed - first) % 100 == 0 { print("soak: \(done) of \(steps) steps") }
    }
    print("soak: \(done) steps in \(seed - first) worlds from seed \(first)")
    for (what, count) in total.sorted(by: { $0.key < $1.key }) { print("  \(count)\t\(what)") }
  }
}
