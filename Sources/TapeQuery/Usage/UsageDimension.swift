internal import TapeCatalogue
internal import TapeTypes

/// One thing that usage is split by: an element of `--by`.
package enum UsageDimension: Sendable, Hashable {
  case identity, thread, tag, deployment, model, provider, state, trace
  case hour, day, month
  /// A member of the request's `metadata`.
  case metadata(String)

  /// Reads a list as `--by` takes it: `identity,day,meta:team`.
  ///
  /// - Throws: `TapeError` `.usage` naming what can be given.
  package static func list(parsing text: String) throws -> [UsageDimension] {
    var dimensions: [UsageDimension] = []
    for name in text.split(separator: ",", omittingEmptySubsequences: false) {
      let dimension = try UsageDimension(parsing: String(name))
      if !dimensions.contains(dimension) { dimensions.append(dimension) }
    }
    return dimensions
  }

  package init(parsing name: String) throws {
    let trimmed = name.drop { $0 == " " }
    if trimmed.hasPrefix("meta:"), trimmed.utf8.count > 5 {
      self = .metadata(String(trimmed.dropFirst(5)))
      return
    }
    guard let simple = Self.simple.first(where: { $0.name == trimmed }) else {
      throw TapeError(
        .usage,
        "usage cannot be split by '\(trimmed)': --by takes \(Self.simple.map(\.name).joined(separator: ", ")) or meta:KEY"
      )
    }
    self = simple
  }

  /// All but metadata.
  static let simple: [UsageDimension] = [
    .identity, .thread, .tag, .deployment, .model, .provider, .state, .trace, .hour, .day, .month,
  ]

  /// What it is called in `--by` and in the `group` object.
  package var name: String {
    switch self {
    case .identity: "identity"
    case .thread: "thread"
    case .tag: "tag"
    case .deployment: "deployment"
    case .model: "model"
    case .provider: "provider"
    case .state: "state"
    case .trace: "trace"
    case .hour: "hour"
    case .day: "day"
    case .month: "month"
    case .metadata(let key): "meta:\(key)"
    }
  }

  var metadataKey: String? {
    if case .metadata(let key) = self { return key }
    return nil
  }

  /// The column of a block that has it; nil for what blocks have not, or not by itself.
  var blockName: UsageRow.Name? {
    switch self {
    case .identity: .identity
    case .thread: .thread
    case .tag: .threadTags
    case .deployment: .deployment
    case .model: .model
    case .provider: .provider
    case .state: .state
    case .trace, .hour, .day, .month, .metadata: nil
    }
  }

  var isTime: Bool { self == .hour || self == .day || self == .month }
}
