import FuzzTargets

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// libFuzzer's own entry for programs that keep their `main`: <https://llvm.org/docs/LibFuzzer.html#using-libfuzzer-as-a-library>.
@_silgen_name("LLVMFuzzerRunDriver")
func runFuzzer(
  _ count: UnsafeMutablePointer<Int32>,
  _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>>,
  _ test: @convention(c) (UnsafePointer<UInt8>?, Int) -> Int32
) -> Int32

func chosenTarget() -> FuzzTarget? {
  guard let name = getenv("TAPEDECK_FUZZ_TARGET").map({ String(cString: $0) }) else { return nil }
  return FuzzTarget.all.first { $0.name == name }
}

guard let target = chosenTarget() else {
  for target in FuzzTarget.all { print(target.name, target.longestInput) }
  exit(64)
}

nonisolated(unsafe) let running = target

var count = CommandLine.argc
var arguments = CommandLine.unsafeArgv
exit(
  runFuzzer(&count, &arguments) { bytes, count in
    do {
      try running.run(Array(UnsafeBufferPointer(start: bytes, count: count)))
    } catch {
      print("FINDING in \(running.name): \(error)")
      fflush(stdout)
      abort()
    }
    return 0
  })
