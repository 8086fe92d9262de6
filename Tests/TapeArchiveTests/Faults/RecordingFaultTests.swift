import TapeArchive
import TapeTypes
import Testing

/// Each operation of a recording fails once: nothing that a client was given is lost, and the next run goes on.
@Suite struct RecordingFaultTests {
  static let faults: [Fault] = [.inputOutput, .noSpace, .short, .fullInside, .kill]

  @Test(arguments: faults, [Durability.sync, .strict])
  func theNthOperationFails(fault: Fault, durability: Durability) throws {
    let traffic = SmallTraffic(durability: durability)
    var number = 1
    var isThrough = false
    while !isThrough {
      let disk = MemoryDisk()
      let oracle = Oracle()
      disk.fail(number, fault)
      let files = MemoryFiles(disk: disk)
      do {
        try traffic.run(on: files, oracle)
      } catch {
        #expect(error is TapeError, "operation \(number): \(error)")
      }
      let log = disk.takeLog()
      isThrough = log.count < number
      let what = "\(fault) in operation \(number), \(isThrough ? "none" : log[number - 1].description)"
      files.kill()
      try recover(disk.copy(), oracle, promised: .written, what)
      if !isThrough, log[number - 1].kind.changes {
        for loss in PowerLoss.states(seed: UInt64(number)) {
          try recover(disk.after(loss), oracle, promised: .synced, mayDamage: true, "\(what), then power loss \(loss)")
        }
      }
      number += 1
    }
    #expect(number > 50)
  }
}
