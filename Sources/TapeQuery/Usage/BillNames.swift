/// The names by which a bill knows models. A bill may write `provider/model`, and may name a model without the date of
/// its version where a stream has it, or with it where a stream has not.
struct BillNames {
  private let billed: Set<String>
  /// Names without their dates, and the only name with one that the bill has for each; nil where it has several.
  private var dated: [String: String?] = [:]

  init(_ lines: [Bill.Line]) {
    billed = Set(lines.map { $0.model.lowercased() })
    for name in billed {
      guard let plain = Self.withoutDate(name) else { continue }
      dated[plain] = dated[plain] == nil ? .some(name) : .some(nil)
    }
  }

  /// What stands on the bill for calls of a model: its own name where the bill has it, or nothing that is near.
  func name(of model: String?, _ provider: String?) -> String? {
    guard let model else { return nil }
    let names = provider.map { ["\($0)/\(model)", model] } ?? [model]
    if let name = names.first(where: { billed.contains($0.lowercased()) }) { return name }
    let lower = names.map { $0.lowercased() }
    if let name = lower.compactMap({ Self.withoutDate($0) }).first(where: billed.contains) { return name }
    if let name = lower.lazy.compactMap({ dated[$0] ?? nil }).first { return name }
    return model
  }

  /// A name without the date or number of its version: `-2024-08-06`, `-20241022`, `@20241022`, `-08-2024`, `-0613`,
  /// `-001`, `-latest`. nil where it has none.
  static func withoutDate(_ name: String) -> String? {
    for (start, digits) in [("-", [4, 2, 2]), ("-", [2, 4]), ("-", [8]), ("@", [8]), ("-", [4]), ("-", [3])] {
      var rest = name[...]
      let isThere = digits.reversed().enumerated().allSatisfy { index, count in
        let tail = rest.suffix(count)
        guard tail.utf8.count == count, tail.utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }) else { return false }
        rest = rest.dropLast(count)
        let separator = index == digits.count - 1 ? start : "-"
        guard rest.hasSuffix(separator) else { return false }
        rest = rest.dropLast()
        return true
      }
      if isThere, !rest.isEmpty { return String(rest) }
    }
    return name.hasSuffix("-latest") && name != "-latest" ? String(name.dropLast(7)) : nil
  }
}
