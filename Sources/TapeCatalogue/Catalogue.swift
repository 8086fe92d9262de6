/// What every part of tapedeck agrees on about the catalogue file; its content is
/// documented in `schema/catalogue.sql`.
package enum Catalogue {
  /// Name of the file within a store.
  package static let fileName = "catalogue.sqlite"
  /// Name of the file within a store that the one writer of the catalogue locks.
  package static let lockName = "catalogue.lock"
  /// `PRAGMA user_version` of catalogues that this program reads and writes.
  package static let version = 5
  /// `PRAGMA application_id`: "TAPD".
  package static let applicationID = 0x5441_5044

  /// The whole schema, as `schema/catalogue.sql` has it.
  package static var schema: String { String(decoding: PackageResources.catalogue_sql, as: UTF8.self) }
}
