package import TapeArchive
internal import TapeCatalogue
package import TapeJSON
package import TapePricing
package import TapeTypes

/// A call that was found: its id, where it lies, and its row of the catalogue.
package struct CallEntry: Sendable, Equatable {
  package let id: CallID
  package let location: CallLocation
  package let state: CallState
  /// ns since 1970.
  package let startedAtNs: Int64
}

/// The order of a list of calls.
package enum CallSort: String, Sendable, CaseIterable {
  case newest, oldest, longest, tokens, ttft
}

/// Answers from the catalogue, and from the archive where frames are wanted. Writes nothing.
package final class QueryEngine: Sendable {
  package let store: Store
  package let prices: PriceTable

  /// - Throws: `TapeError` `.catalogueMissing` or `.catalogueStale`, naming the command that helps.
  package init(store: Store, prices: PriceTable = .bundled) throws {
    self.store = store
    self.prices = prices
  }

  /// Finds a call by what people call it: call id in any case, an unambiguous prefix of one, response id, span id,
  /// or `@1` (latest), `@2`, …
  ///
  /// - Throws: `TapeError` `.notFound`; `.usage` with the candidates when several match.
  package func resolve(_ reference: String) throws -> CallEntry { throw TapeError(.notFound, "") }

  /// The calls that a filter lets through.
  package func entries(_ filter: CallFilter, sort: CallSort = .newest, limit: Int? = nil) throws -> [CallEntry] { [] }

  /// The call as it is on tape.
  package func recorded(_ entry: CallEntry) throws -> RecordedCall { throw TapeError(.notFound, "") }

  /// The object of `show`, read from the archive and put together afresh.
  ///
  /// - Parameter full: inline media whole instead of as `[image/png 1.2 MB sha256 …]`.
  package func show(_ entry: CallEntry, full: Bool = false) throws -> JSONValue { .null }

  /// The objects of `calls`, from the catalogue alone.
  package func calls(_ filter: CallFilter, sort: CallSort = .newest, limit: Int? = nil) throws -> [JSONValue] { [] }

  /// The objects of `frames`.
  package func frames(_ entry: CallEntry) throws -> [JSONValue] { [] }

  /// The objects of `events`.
  package func events(_ entry: CallEntry) throws -> [JSONValue] { [] }

  /// The objects of `usage`; with `totals` the last one has `"group":{}`.
  ///
  /// - Parameter top: only the groups with the highest cost, then most tokens, then most calls.
  package func usage(
    _ filter: CallFilter, by dimensions: [UsageDimension], timeZone: TimeZoneRules = .utc, totals: Bool = false,
    top: Int? = nil
  ) throws -> [JSONValue] { [] }

  /// The object of `status`.
  package func status() throws -> JSONValue { .null }

  /// True when the archive has bytes that are not in the catalogue and nobody is indexing them.
  package var isStale: Bool { false }
}
