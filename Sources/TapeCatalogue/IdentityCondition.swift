/// What `--identity` means, in SQL: an identity's id or an email, in any case. An email stands for all calls of every
/// identity that gave it, also those that did not carry it, and for calls that gave an email and no id.
package enum IdentityCondition {
  /// Over `calls`; its arguments are the name, so many times.
  package static let arguments = 3

  /// - Parameter prefix: what stands before the columns, as in `c.`.
  package static func sql(_ prefix: String = "") -> String {
    "(\(prefix)identity_id IN (SELECT ? UNION SELECT identity_id FROM calls WHERE identity_email = ? COLLATE NOCASE)"
      + " OR \(prefix)identity_id IS NULL AND \(prefix)identity_email = ? COLLATE NOCASE)"
  }
}
