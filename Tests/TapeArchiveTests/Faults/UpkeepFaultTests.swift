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
    let upkeep = try UpkeepStore()
    var number = 1
    var changes = 0
    var isThrough = false
    while !isThrough {
      let disk = upkeep.disk.copy()
      disk.fail(number, fault)
      let isDone = upkeep.attempt(job, on: disk)
      let log = disk.takeLog()
      isThrough = log.count < number
      let what = "\(job), \(fault) in operation \(number), \(isThrough ? "none" : log[number - 1].description)"
      disk.clearFaults()
      defer { number += 1 }
      if isThrough { #expect(isDone, "\(what)") }
      if !isThrough, !log[number - 1].kind.changes {
        // What only asks changes nothing by failing; each kind of question is tried.
        if number % 11 == 0 { upkeep.check(disk.copy(), job, isDone: isDone, what) }
        continue
      }
      changes += 1
      upkeep.check(disk.copy(), job, isDone: isDone, what)
      upkeep.finish(disk.copy(), job, "\(what), then again", number)
      for (index, loss) in PowerLoss.states(seed: UInt64(number)).enumerated() {
        guard Self.all || index == changes % 8 || index == (changes / 8 + changes + 3) % 8 else { continue }
        let after = disk.after(loss)
        let what = "\(what), then power loss \(loss)"
        if fault == .lying {
          upkeep.checkHonesty(after, job, what)
          continue
        }
        upkeep.check(after, job, isDone: isDone, what)
        if Self.all || index == changes % 8 { upkeep.finish(after, job, "\(what), then again", number) }
      }
    }
    #expect(changes > 8)
  }

  /// Without any fault at all, so that the others test what they mean to.
  @Test(arguments: UpkeepStore.Job.allCases) func eachJobDoesSomething(job: UpkeepStore.Job) throws {
    let upkeep = try UpkeepStore()
    #expect(!upkeep.isDone(upkeep.disk, job))
    let disk = upkeep.disk.copy()
    #expect(upkeep.attempt(job, on: disk))
    #expect(upkeep.isDone(disk, job))
    upkeep.check(disk, job, isDone: true, "\(job)")
  }
}
