/// A value of a TOML text, with where it stands. Source: <https://toml.io/en/v1.0.0>.
struct TOMLValue: Sendable, Equatable {
  indirect enum Content: Sendable, Equatable {
    case string(String)
    case integer(Int)
    case bool(Bool)
    case array([TOMLValue])
    case table(TOMLTable)
  }

  var content: Content
  var place: TOMLPlace

  /// What it is called in messages.
  var kind: String {
    switch content {
    case .string: "a string"
    case .integer: "a number"
    case .bool: "true or false"
    case .array: "a list"
    case .table: "a table"
    }
  }
}

/// Line and column, counted from 1.
struct TOMLPlace: Sendable, Equatable, CustomStringConvertible {
  var line: Int
  var column: Int
  var description: String { "line \(line), column \(column)" }
}

/// Keys with their values, in the order of the text.
struct TOMLTable: Sendable, Equatable {
  struct Entry: Sendable, Equatable {
    var key: String
    var place: TOMLPlace
    var value: TOMLValue
  }

  var entries: [Entry] = []

  subscript(key: String) -> TOMLValue? { entries.first { $0.key == key }?.value }
}

/// Why a text is no configuration, and where.
struct TOMLError: Error, Equatable {
  var place: TOMLPlace
  var message: String
}
