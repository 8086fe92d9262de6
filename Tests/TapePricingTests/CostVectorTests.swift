import Foundation
import TapeJSON
import TapePricing
import Testing

/// One case of `Tests/Vectors/cost.json`.
struct CostVector: Sendable, CustomTestStringConvertible {
  var name: String
  var json: JSONValue

  var testDescription: String { name }
  var isBinding: Bool { json["not_binding"]?.bool != true }
  var want: String? { json["want"]?.string }
  func count(_ key: String) -> Int? { json["usage"]?[key]?.integer }

  var result: CostResult {
    PriceTable.bundled.cost(
      provider: json["provider"]?.string, model: json["model"]?.string, prompt: count("prompt"),
      completion: count("completion"), cached: count("cached"), reasoning: count("reasoning"), total: count("total"),
      at: nanoseconds(json["at"]?.string ?? ""))
  }

  static let file: JSONValue = {
    let url = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../Vectors/cost.json")
    guard let data = try? Data(contentsOf: url) else { return .null }
    return (try? JSONValue(parsing: [UInt8](data))) ?? .null
  }()

  static let all: [CostVector] = (file["vectors"]?.array ?? []).map {
    CostVector(name: $0["name"]?.string ?? "?", json: $0)
  }
}

/// ns since 1970 of an RFC 3339 time.
func nanoseconds(_ text: String) -> Int64 {
  let date = try? Date(text.replacing("+00:00", with: "Z"), strategy: .iso8601)
  return Int64((date ?? .distantPast).timeIntervalSince1970) * 1_000_000_000
}

@Suite struct CostVectorTests {
  @Test func theVectorsAreThere() { #expect(CostVector.all.filter(\.isBinding).count == 32) }

  @Test(arguments: CostVector.all.filter(\.isBinding))
  func everyVectorCostsWhatItSays(vector: CostVector) {
    let result = vector.result
    #expect(result.cost?.total.description == vector.want)
    if case .unknown(let why) = result { #expect(!why.message.isEmpty) }
  }

  @Test(arguments: CostVector.all)
  func thePartsOfACostSumToItsTotal(vector: CostVector) {
    guard let cost = vector.result.cost else { return }
    #expect(cost.input + cost.cached + cost.output + (cost.reasoning ?? .zero) + cost.request == cost.total)
  }

  @Test func theProviderMapIsTheOneOfTheVectors() {
    let map = CostVector.file["provider_map"]?["genai_prices"]?.members ?? []
    #expect(map.count == 18)
    for member in map {
      let known = PriceTable.bundled.models(of: member.value.string ?? "").filter {
        // Priced by the token: elsewhere a cost is unknown.
        $0["prices"]?.array?.first?.members?.contains { $0.key == "input" && !$0.value.isNull } == true
      }
      #expect(!known.isEmpty, "\(member.key)")
      guard
        let id = known.first?["match"]?.array?.compactMap(\.string).first(where: {
          !$0.contains("*") && !$0.contains("#")
        })
      else { continue }
      let cost = PriceTable.bundled.cost(
        provider: member.key, model: id, prompt: 0, completion: 0, cached: nil, reasoning: nil, total: nil, at: 0)
      #expect(cost.cost?.priceModel.hasPrefix("\(member.value.string ?? "")/") == true, "\(member.key) \(id)")
    }
  }
}
