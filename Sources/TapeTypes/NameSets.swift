/// Numbers sets of names, so that unions of the same few sets are made once and not for each of a million sums.
package struct NameSets: Sendable {
  private var sets: [[String]] = [[]]
  private var numbers: [[String]: Int] = [[]: empty]
  private var pairs = PairNumbers()
  /// For each of `pairs`, which are sets, that with the names of both.
  private var unions: [Int] = []

  /// The set without names.
  package static var empty: Int { 0 }

  package init() {}

  package mutating func number(_ names: some Sequence<String>) -> Int {
    let names = Set(names).sorted()
    if let known = numbers[names] { return known }
    sets.append(names)
    numbers[names] = sets.count - 1
    return sets.count - 1
  }

  package mutating func union(_ left: Int, _ right: Int) -> Int {
    if left == right || right == Self.empty { return left }
    if left == Self.empty { return right }
    let pair = pairs.number(left, right)
    if pair == unions.count { unions.append(number(sets[left] + sets[right])) }
    return unions[pair]
  }

  /// The names of a set, sorted.
  package func names(_ number: Int) -> [String] { sets[number] }
}
