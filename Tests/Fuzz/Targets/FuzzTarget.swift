/// What a decoder did with an input and must not do: more than crashing, hanging or eating memory.
package struct Finding: Error, CustomStringConvertible {
  package var description: String

  package init(_ description: String) { self.description = description }
}

/// One decoder as a fuzzer sees it: any bytes go in, and nothing comes out but a finding.
package struct FuzzTarget: Sendable {
  /// Also the name of its folder in the corpus.
  package let name: String
  /// Longer inputs say nothing that shorter ones do not.
  package let longestInput: Int
  private let body: @Sendable ([UInt8]) throws -> Void

  init(_ name: String, longestInput: Int = 4096, _ body: @escaping @Sendable ([UInt8]) throws -> Void) {
    self.name = name
    self.longestInput = longestInput
    self.body = body
  }

  /// - Throws: `Finding`.
  package func run(_ input: [UInt8]) throws { try body(input) }

  package static let all = [
    sse, json, dialect, request, journal, segment, literal, template, outline, index, note, proof, tree, leaves,
    erasures, capture, tape, har, configuration, redaction,
  ]
}

/// Throws the finding unless `fact` holds.
func expect(_ fact: Bool, _ finding: @autoclosure () -> String) throws {
  if !fact { throw Finding(finding()) }
}

extension [UInt8] {
  /// The input without its first byte, and that byte: it chooses a variant. Nothing of an empty input.
  var variant: (choice: UInt8, rest: [UInt8])? {
    first.map { ($0, Array(dropFirst())) }
  }

  /// The parts between occurrences of `separator`.
  func parts(_ separator: UInt8) -> [[UInt8]] {
    split(separator: separator, omittingEmptySubsequences: false).map(Array.init)
  }
}
