import TapeJSON

/// What one thing costs, perhaps more above a size of the prompt.
struct Rate: Sendable {
  let base: DecimalNumber
  /// Rising sizes: above one of them its price holds for all tokens.
  let tiers: [(above: Int, price: DecimalNumber)]

  init(_ base: DecimalNumber, tiers: [(above: Int, price: DecimalNumber)] = []) {
    self.base = base
    self.tiers = tiers
  }

  /// - Throws: what is wrong with the JSON, if it is no price.
  init(_ json: JSONValue) throws(PriceProblem) {
    guard json.members != nil else {
      self.init(try Rate.price(json))
      return
    }
    guard let base = json["base"], let above = json["above"]?.array else {
      throw PriceProblem("is neither a number nor {\"base\", \"above\"}: \(json.compactString)")
    }
    var tiers: [(above: Int, price: DecimalNumber)] = []
    for tier in above {
      guard let pair = tier.array, pair.count == 2, let size = pair[0].integer, size > tiers.last?.above ?? -1 else {
        throw PriceProblem("has tiers that are no rising [size, price]: \(json.compactString)")
      }
      tiers.append((size, try Rate.price(pair[1])))
    }
    self.init(try Rate.price(base), tiers: tiers)
  }

  private static func price(_ json: JSONValue) throws(PriceProblem) -> DecimalNumber {
    guard case .number(let text) = json, let price = DecimalNumber(text) else {
      throw PriceProblem("is no number: \(json.compactString)")
    }
    guard price >= .zero else { throw PriceProblem("is negative: \(text)") }
    guard price.isInPriceRange else {
      throw PriceProblem("is 9,000,000 USD or more, or has more than 12 decimal places: \(text)")
    }
    return price
  }

  func price(prompt: Int) -> DecimalNumber {
    tiers.last { prompt > $0.above }?.price ?? base
  }

  /// The size above which the price for this prompt is another; nil for the base.
  func tier(prompt: Int) -> Int? { tiers.last { prompt > $0.above }?.above }
}

/// What is wrong with a price table: words that follow the name of the place.
struct PriceProblem: Error {
  var message: String

  init(_ message: String) { self.message = message }
}

/// The prices of one model for a time: USD per million tokens, `requests` per thousand.
struct PriceRow: Sendable {
  /// First day, in days since 1970, from which it holds.
  var from: Int?
  var fromText: String?
  /// Seconds of the UTC day between which it holds; wraps over midnight if the second is smaller.
  var times: (start: Int, end: Int)?
  var timesText: [String]?
  var input: Rate?
  var cached: Rate?
  var output: Rate?
  var reasoning: Rate?
  var requests: Rate?

  var isEmpty: Bool { input == nil && cached == nil && output == nil && reasoning == nil && requests == nil }

  init() {}

  /// The prompt sizes above which some rate is another, rising.
  var tierSizes: [Int] {
    Set([input, cached, output, reasoning, requests].flatMap { ($0?.tiers ?? []).map(\.above) }).sorted()
  }

  /// - Throws: what is wrong; a price or condition that is not understood must not be passed over.
  init(_ json: JSONValue) throws(PriceProblem) {
    guard let members = json.members else { throw PriceProblem("is no object") }
    for member in members {
      switch member.key {
      case "from":
        fromText = member.value.string
        from = member.value.string.flatMap(CivilDate.days)
        if from == nil { throw PriceProblem("has a from that is no date: \(member.value.compactString)") }
      case "utc":
        timesText = (member.value.array ?? []).compactMap(\.string)
        let times = (timesText ?? []).compactMap(CivilDate.seconds)
        guard times.count == 2, member.value.array?.count == 2 else {
          throw PriceProblem("has a utc that is not two times of day: \(member.value.compactString)")
        }
        self.times = (times[0], times[1])
      case "input": input = try PriceRow.rate(member)
      case "cached": cached = try PriceRow.rate(member)
      case "output": output = try PriceRow.rate(member)
      case "reasoning": reasoning = try PriceRow.rate(member)
      case "requests": requests = try PriceRow.rate(member)
      default: throw PriceProblem("has a key that is not known: \(member.key)")
      }
    }
    // null says that there is none; a rate that got lost must not look the same.
    for key in ["input", "output"] where json[key] == nil {
      throw PriceProblem("has no rate for \(key) (null where there is none)")
    }
  }

  private static func rate(_ member: JSONValue.Member) throws(PriceProblem) -> Rate? {
    if member.value.isNull { return nil }
    do { return try Rate(member.value) } catch {
      throw PriceProblem("has a rate for \(member.key) that \(error.message)")
    }
  }

  func holds(atNs time: Int64) -> Bool { validity.holds(atNs: time) }

  var validity: PriceTimes { PriceTimes(from: from, times: times) }
}

/// When a price holds.
struct PriceTimes {
  /// As in `PriceRow`.
  var from: Int?
  var times: (start: Int, end: Int)?

  func holds(atNs time: Int64) -> Bool {
    let seconds = Int(time.floorDivided(by: 1_000_000_000))
    let day = seconds.floorDivided(by: 86_400)
    if let from, day < from { return false }
    guard let times else { return true }
    let clock = seconds - day * 86_400
    if times.end < times.start { return clock >= times.start || clock < times.end }
    return clock >= times.start && clock < times.end
  }
}

extension FixedWidthInteger {
  /// Rounds down, also below zero.
  fileprivate func floorDivided(by divisor: Self) -> Self {
    let quotient = self / divisor
    return self % divisor < 0 ? quotient - 1 : quotient
  }
}

/// One model of a table.
struct ModelPrices: Sendable {
  let id: String
  let rule: ModelRule
  /// Of those that hold, the last one counts; if none does, the first.
  let rows: [PriceRow]
  /// What this model bills for that a usage does not tell: cache writes, audio, …
  let notInUsage: [String]
  let json: JSONValue

  /// - Throws: what is wrong with it, with its id.
  init(_ json: JSONValue) throws(PriceProblem) {
    guard let id = json["id"]?.string, !id.isEmpty else { throw PriceProblem("has a model without id") }
    for member in json.members ?? [] where !["id", "match", "prices", "not_in_usage"].contains(member.key) {
      throw PriceProblem("\(id) has a key that is not known: \(member.key)")
    }
    guard let rule = ModelRule(json["match"]) else { throw PriceProblem("\(id) has no match that can be read") }
    guard let prices = json["prices"]?.array, !prices.isEmpty else { throw PriceProblem("\(id) has no prices") }
    var rows: [PriceRow] = []
    for (index, price) in prices.enumerated() {
      do { rows.append(try PriceRow(price)) } catch {
        throw PriceProblem("\(id): row \(index + 1) of prices \(error.message)")
      }
    }
    self.id = id
    self.rule = rule
    self.rows = rows
    self.json = json
    notInUsage = (json["not_in_usage"]?.array ?? []).compactMap(\.string)
  }

  func row(atNs time: Int64) -> PriceRow { rows[rowIndex(atNs: time)] }

  func rowIndex(atNs time: Int64) -> Int { rows.lastIndex { $0.holds(atNs: time) } ?? 0 }
}

/// Dates and times of the table, without a calendar library.
package enum CivilDate {
  /// Whether `text` is a day, as `YYYY-MM-DD`.
  package static func isDay(_ text: String) -> Bool { text.utf8.count == 10 && days(text) != nil }

  /// Days since 1970-01-01 of `YYYY-MM-DD`; nil if it is none.
  static func days(_ text: String) -> Int? {
    let parts = text.split(separator: "-").map { Int($0) }
    guard parts.count == 3, let year = parts[0], let month = parts[1], let day = parts[2], (1...9999).contains(year),
      (1...12).contains(month), (1...length(ofMonth: month, year: year)).contains(day)
    else { return nil }
    // Years that start in March: the leap day is their last. Source: Howard Hinnant, "chrono-compatible date algorithms".
    let shifted = month <= 2 ? year - 1 : year
    let era = shifted / 400
    let yearOfEra = shifted - era * 400
    let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
    return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
  }

  private static func length(ofMonth month: Int, year: Int) -> Int {
    let isLeap = year % 4 == 0 && year % 100 != 0 || year % 400 == 0
    return month == 2 ? (isLeap ? 29 : 28) : [4, 6, 9, 11].contains(month) ? 30 : 31
  }

  /// Seconds since midnight of `HH:MM` or `HH:MM:SS`; nil if it is none.
  static func seconds(_ text: String) -> Int? {
    let parts = text.split(separator: ":").map { Int($0) }
    guard parts.count == 2 || parts.count == 3, let hours = parts[0], let minutes = parts[1],
      let seconds = parts.count == 3 ? parts[2] : 0, (0...23).contains(hours), (0...59).contains(minutes),
      (0...59).contains(seconds)
    else { return nil }
    return (hours * 60 + minutes) * 60 + seconds
  }
}
