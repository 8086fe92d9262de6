import FuzzTargets

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// libFuzzer's entry for programs with a `main` of their own:
/// <https://llvm.org/docs/LibFuzzer.html#using-libfuzzer-as-a-library>.
@_silgen_name("LLVMFuzzerRunDriver")
private func runFuzzer(
  _ count: UnsafeMutablePointer<Int32>,
  _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>>,
  _ test: @convention(c) (UnsafePointer<UInt8>?, Int) -> Int32
) -> Int32

/// Fuzzes the target that `TAPEDECK_FUZZ_TARGET` names, or lists all of them; arguments are libFuzzer's.
@main enum Driver {
  private static let target: FuzzTarget? = {
    guard let name = getenv("TAPEDECK_FUZZ_TARGET") else { return nil }
    return FuzzTarget.all.first { $0.name == String(cString: name) }
  }()

  static func main() {
    guard target != nil else {
      for target in FuzzTarget.all { print(target.name, target.longestInput) }
      return
    }
    var count = CommandLine.argc
    var arguments = CommandLine.unsafeArgv
    exit(
      runFuzzer(&count, &arguments) { bytes, count in
        do {
          try Driver.target?.run(Array(UnsafeBufferPointer(start: bytes, count: count)))
        } catch {
          // What `print` holds back would be lost with the process.
          let message = Array("FINDING: \(error)\n".utf8)
          write(2, message, message.count)
          abort()
        }
        return 0
      })
  }
}
