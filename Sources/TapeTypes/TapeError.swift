/// What went wrong, for the person who reads it: what was attempted, on what, why it
/// failed, and what to do. Programs switch on `code`, people read `description`.
public struct TapeError: Error, Sendable, Equatable, CustomStringConvertible {
  public enum Code: String, Sendable {
    /// The flags or values given make no sense: exit code 64.
    case usage
    /// What was looked up is not there: exit code 1.
    case notFound
    /// It was there, and was erased: exit code 1.
    case erased
    /// Everything below: exit code 2.
    case notAStore, newerVersion, readOnly, corrupt, io, network, locked, catalogueMissing, catalogueStale, failed
  }

  public var code: Code
  public var description: String

  public init(_ code: Code, _ description: String) {
    self.code = code
    self.description = description
  }
}
