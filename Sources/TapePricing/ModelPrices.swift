import TapeJSON

/// What one thing costs, perhaps more above a size of the prompt.
struct Rate: Sendable {
  let base: DecimalNumber
  /// Rising sizes: above one of them its price holds for all tokens.
  let tiers: [(above: Int, price: DecimalNumber)]

  /// nil if the JSON is no price.
  init?(_ json: JSONValue?) {
    if case .number(let text)? = json, let price = DecimalNumber(text) {
      base = price
      tiers = []
      return
    }
    guard case .number(let text)? = json?["base"], let price = DecimalNumber(text) else { return nil }
    base = price
    var tiers: [(above: Int, price: DecimalNumber)] = []
    for tier in json?["above"]?.array ?? [] {
      guard let pair = tier.array, pair.count == 2, let above = pair[0].integer, case .number(let text) = pair[1],
        let price = DecimalNumber(text)
      else { return nil }
      tiers.append((above, price))
    }
    self.tiers = tiers.sorted { $0.above < $1.above }
  }

  func price(prompt: Int) -> DecimalNumber {
    tiers.last { prompt > $0.above }?.price ?? base
  }
}

/// The prices of one model for a time: USD per million tokens, `requests` per thousand.
struct PriceRow: Sendable {
  /// First day, in days since 1970, from which it holds.
  var from: Int?
  /// Seconds of the UTC day between which it holds; wraps over midnight if the second is smaller.
  var times: (start: Int, end: Int)?
  var input: Rate?
  var cached: Rate?
  var output: Rate?
  var reasoning: Rate?
  var requests: Rate?

  var isEmpty: Bool { input == nil && cached == nil && output == nil && reasoning == nil && requests == nil }

  /// nil if the JSON is no row; a price or condition that is not understood must not be passed over.
  init?(_ json: JSONValue) {
    for member in json.members ?? [] {
      let isRead: Bool
      switch member.key {
      case "from":
        from = member.value.string.flatMap(CivilDate.days)
        isRead = from != nil
      case "utc":
        let times = (member.value.array ?? []).compactMap { $0.string.flatMap(CivilDate.seconds) }
        self.times = times.count == 2 ? (times[0], times[1]) : nil
        isRead = times.count == 2
      case "input": (input, isRead) = PriceRow.rate(member.value)
      case "cached": (cached, isRead) = PriceRow.rate(member.value)
      case "output": (output, isRead) = PriceRow.rate(member.value)
      case "reasoning": (reasoning, isRead) = PriceRow.rate(member.value)
      case "requests": (requests, isRead) = PriceRow.rate(member.value)
      default: isRead = false
      }
      if !isRead { return nil }
    }
  }

  private static func rate(_ json: JSONValue) -> (Rate?, Bool) {
    let rate = Rate(json)
    return (rate, rate != nil)
  }

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

  init?(_ json: JSONValue) {
    guard let id = json["id"]?.string, let rule = ModelRule(json["match"]), let prices = json["prices"]?.array else {
      return nil
    }
    let rows = prices.compactMap(PriceRow.init)
    guard rows.count == prices.count, !rows.isEmpty else { return nil }
    self.id = id
    self.rule = rule
    self.rows = rows
    self.json = json
    notInUsage = (json["not_in_usage"]?.array ?? []).compactMap(\.string)
  }

  func row(atNs time: Int64) -> PriceRow {
    rows.last { $0.holds(atNs: time) } ?? rows[0]
  }
}

/// Dates and times of the table, without a calendar library.
enum CivilDate {
  /// Days since 1970-01-01 of `YYYY-MM-DD`; nil if it is none.
  static func days(_ text: String) -> Int? {
    let parts = text.split(separator: "-").map { Int($0) }
    guard parts.count == 3, let year = parts[0], let month = parts[1], let day = parts[2], (1...12).contains(month),
      (1...31).contains(day), (1...9999).contains(year)
    else { return nil }
    // Years that start in March: the leap day is their last. Source: Howard Hinnant, "chrono-compatible date algorithms".
    let shifted = month <= 2 ? year - 1 : year
    let era = shifted / 400
    let yearOfEra = shifted - era * 400
    let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
    return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
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
