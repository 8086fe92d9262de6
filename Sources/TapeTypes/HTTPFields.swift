/// One header field as it was on the wire, but for secrets (see `CallOpen.headers`).
public struct HeaderField: Hashable, Sendable {
  public var name: String
  public var value: String

  public init(_ name: String, _ value: String) {
    self.name = name
    self.value = value
  }
}

extension [HeaderField] {
  /// The first value of the field with this name, compared without case as RFC 9110 §5.1 says.
  public func first(_ name: String) -> String? {
    first { $0.name.utf8.count == name.utf8.count && $0.name.lowercased() == name.lowercased() }?.value
  }
}
