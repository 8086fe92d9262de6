internal import Synchronization
package import TapeArchive
package import TapePricing
package import TapeTypes

/// The prices that a store's figures are made with: the table that came with the program, or else the store's own
/// (`prices update`), under what was set by hand (`prices set`). Read when a price is first asked for, as what needs none
/// must not fail over them.
package final class StorePrices: Sendable {
  package static let tableName = "prices.json"
  package static let overridesName = "price-overrides.json"

  private let store: Store
  private let known: Mutex<PriceTable?>

  /// - Parameter table: what to use instead of reading.
  package init(_ store: Store, table: PriceTable? = nil) {
    self.store = store
    known = Mutex(table)
  }

  /// - Throws: `TapeError.failed` for a file that cannot be used: a figure from other prices than those would be wrong.
  package func table() throws -> PriceTable {
    try known.withLock { known in
      if let known { return known }
      let table = PriceTable(try Self.base(of: store), overrides: try Self.overrides(of: store))
      known = table
      return table
    }
  }

  /// The table without what was set by hand.
  package static func base(of store: Store) throws -> PriceTable {
    guard let bytes = try contents(of: tableName, in: store) else { return .bundled }
    return try reading(tableName, in: store, remedy: "prices update FILE, or prices update --bundled") {
      try PriceTable(update: bytes)
    }
  }

  package static func overrides(of store: Store) throws -> PriceOverrides {
    guard let bytes = try contents(of: overridesName, in: store) else { return PriceOverrides() }
    return try reading(overridesName, in: store, remedy: "prices unset --all") { try PriceOverrides(json: bytes) }
  }

  private static func reading<Value>(
    _ name: String, in store: Store, remedy: String, _ body: () throws -> Value
  ) throws -> Value {
    do { return try body() } catch let error as TapeError {
      throw TapeError(
        .failed, "\(store.path)/\(name) cannot be used: \(error.description). Mend it, or run: tapedeck \(remedy)")
    }
  }

  private static func contents(of name: String, in store: Store) throws -> [UInt8]? {
    let path = "\(store.path)/\(name)"
    do throws(FileError) {
      guard try store.files.status(path) != nil else { return nil }
      return try store.files.contents(path, limit: 64 << 20)
    } catch {
      throw TapeError(.io, "cannot read \(path): \(error.reason)")
    }
  }
}

extension PriceTable {
  /// A table that takes the place of the bundled one. Where it has the other's name and not its content, the name
  /// says so: figures must not claim to come from a table that they are not from.
  package init(update bytes: [UInt8]) throws(TapeError) {
    let table = try PriceTable(json: bytes)
    let claims = table.version == PriceTable.bundled.version && !PriceTable.isBundled(bytes)
    self.init(table, overrides: PriceOverrides(), version: claims ? "\(table.version), changed" : nil)
  }
}
