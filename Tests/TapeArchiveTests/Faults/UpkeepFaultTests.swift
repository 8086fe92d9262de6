import Foundation
import TapeTypes
import Testing

@testable import TapeArchive

/// Whatever is done to an archive beside recording: each of its operations fails, lies or is the last one, and the power
/// goes then. Nothing that was recorded is lost, no half of a file is taken for one, the next run finishes the work, and
/// what was erased does not come back.
@Suite struct UpkeepFaultTests {
  static let faults: [Fault] = [.inputOutput, .noSpace, .error(4), .short, .fullInside, .lying, .kill]

  /// `make faults` looks at every state after every operation; otherwise at two of the eight, by turns.
  static let all = ProcessInfo.processInfo.environment["TAPEDECK_ALL_FAULTS"] != nil

  @Test(arguments: UpkeepStore.Job.allCases, faults)
  func theNthOperationFails(job: UpkeepStore.Job, fault: Fault) throws {
    let upkeep = try UpkeepStore.shared()
    let whole = upkeep.disk.copy()
    #expect(upkeep.attempt(job, on: whole))
    let operations = whole.takeLog()
    var changes = 0
    for (index, operation) in operations.enumerated() {
      // What only asks changes nothing by failing; each kind of question is tried.
      guard operation.kind.changes || Self.all || index % 11 == 0 else { continue }
      let disk = upkeep.disk.copy()
      disk.fail(index + 1, fault)
      let isDone = upkeep.attempt(job, on: disk)
      disk.clearFaults()
      let what = "\(job), \(fault) in operation \(index + 1), \(operation)"
      upkeep.check(disk.copy(), job, isDone: isDone, what)
      upkeep.finish(disk.copy(), job, "\(what), then again", index)
      guard operation.kind.changes else { continue }
      changes += 1
      for (which, loss) in PowerLoss.states(seed: UInt64(index)).enumerated() {
        guard Self.all || which == changes % 8 || fault == .kill && which == (changes / 8 + changes + 3) % 8 else {
          continue
        }
        let after = disk.after(loss)
        let what = "\(what), then power loss \(loss)"
        if fault == .lying {
          upkeep.checkHonesty(after, job, what)
          continue
        }
        upkeep.check(after, job, isDone: isDone, what)
        upkeep.finish(after, job, "\(what), then again", index)
      }
    }
    #expect(changes > 6)
  }

  /// Without any fault at all, so that the others test what they mean to.
  @Test(arguments: UpkeepStore.Job.allCases) func eachJobDoesSomething(job: UpkeepStore.Job) throws {
    let upkeep = try UpkeepStore.shared()
    #expect(!upkeep.isDone(upkeep.disk, job))
    let disk = upkeep.disk.copy()
    #expect(upkeep.attempt(job, on: disk))
    #expect(upkeep.isDone(disk, job))
    upkeep.check(disk, job, isDone: true, "\(job)")
  }
}
