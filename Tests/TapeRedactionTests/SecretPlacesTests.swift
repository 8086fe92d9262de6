import TapeRedaction
import TapeTypes
import Testing

/// Credentials in paths, in parameters without name, behind percents and in JSON.
struct SecretPlacesTests {
  private static let key = "sk-proj-a1B2c3D4e5F6g7H8i9J0"

  private let secrets = Secrets(fingerprintKey: Array(0..<32))

  private func cleaned(_ path: String, _ headers: [HeaderField] = []) -> CallOpen {
    var open = CallOpen(
      id: CallID(high: 1, low: 1), startedAtNs: 0, origin: .proxy, path: path, headers: headers, salt: [])
    secrets.clean(&open)
    return open
  }

  private func header(_ value: String) -> String? {
    cleaned("/", [HeaderField("X-Config", value)]).headers.first?.value
  }

  // MARK: Targets

  @Test(arguments: [
    ("/v1/\(key)/chat/completions", "/v1/[redacted]/chat/completions", ["path"]),
    ("/\(key)/\(key)?key=x", "/[redacted]/[redacted]?key=[redacted]", ["path", "query:key"]),
    ("\(key)/x", "[redacted]/x", ["path"]), ("/v1/x/\(key)", "/v1/x/[redacted]", ["path"]),
    ("/v1/\(key);a=1/x", "/v1/[redacted];a=1/x", ["path"]),
    ("/x;api_key=hunter2;x/chat/completions?a=1", "/x;api_key=[redacted]/chat/completions?a=1", ["path"]),
    ("/x;api_key=hunter2?a=1", "/x;api_key=[redacted]?a=1", ["path"]),
    ("/x;jsessionid=s;a=b/y", "/x;jsessionid=[redacted];a=b/y", ["path"]),
    ("/x;a=1;\(key)?b=2", "/x;a=1;[redacted]?b=2", ["path"]),
    ("/proxy/https://u:p@h/\(key)", "/proxy/https://[redacted]@h/[redacted]", ["query:userinfo", "path"]),
    ("/proxy/https%3A%2F%2Fh%2Fx%3Ftoken%3Ds/y", "/proxy/[redacted]/y", ["path"]),
    ("/x/Bearer%20a1B2c3D4e5F6g7H8/y", "/x/[redacted]/y", ["path"]),
    ("/x?\(key)", "/x?[redacted]", ["query"]),
    ("/x?\(key)&\(key)#\(key)", "/x?[redacted]&[redacted]#[redacted]", ["query"]),
    ("/x?a=1&\(key)=", "/x?a=1&[redacted]", ["query"]), ("/x?api_key%3Dhunter2&b=1", "/x?[redacted]&b=1", ["query"]),
    ("/x?config=%7B%22apiKey%22%3A%22hunter2%22%7D&b=1", "/x?config=[redacted]&b=1", ["query:config"]),
  ])
  func whatIsTakenOutOfTargetsIsNoted(_ path: String, _ expected: String, _ notes: [String]) {
    let open = cleaned(path)
    #expect(open.path == expected)
    #expect(open.redactions == notes)
    // What is on tape is cleaned once more when it is imported.
    #expect(Secrets.clean(target: expected) == expected)
  }

  @Test(arguments: [
    "api%5Fkey", "api%5fkey", "%61pi_key", "%61%70%69%5F%6B%65%79", "%2561pi_key", "api%255Fkey", "api+key",
    "api%20key",
    "%41PI-KEY", "x-api%2Dkey", "client%5Fsecret", "X%2DAmz%2DSignature", "X-Amz-Credential", "X-Amz-Security-Token",
    "s%69g",
  ])
  func namesAreComparedDecoded(_ name: String) {
    #expect(cleaned("/x?a=1&\(name)=hunter2&b=2").path == "/x?a=1&\(name)=[redacted]&b=2")
    #expect(header("https://h/x?\(name)=hunter2") == "https://h/x?\(name)=[redacted]")
  }

  @Test(arguments: [
    "Bearer+hunter2", "Bearer%20hunter2", "sk%2Dproj%2Dhunter2", "sk%2dproj%2dhunter2", "%73k-proj-hunter2",
    "sk%252Dproj%252Dhunter2", "a+sk-proj-hunter2", "https%3A%2F%2Fh%3Ftoken%3Ds",
    "https%253A%252F%252Fh%253Ftoken%253Ds",
  ])
  func valuesAreComparedDecoded(_ value: String) {
    #expect(cleaned("/x?a=\(value)&b=2").path == "/x?a=[redacted]&b=2")
    #expect(header("https://h/x?a=\(value)") == "https://h/x?a=[redacted]")
  }

  @Test func theFingerprintIsOfTheKeyWhereverItStands() throws {
    let known = try #require(cleaned("/x", [HeaderField("Authorization", "Bearer \(Self.key)")]).keyFingerprint)
    let encoded = Self.key.replacing("-", with: "%2D")
    for path in ["/\(Self.key)/x", "/\(encoded)/x", "/x?\(Self.key)", "/x?key=\(encoded)", "/x;key=\(Self.key)"] {
      #expect(cleaned(path).keyFingerprint == known, "\(path)")
    }
    #expect(cleaned("/x;a=1?b=2").keyFingerprint == nil)
  }

  // MARK: Headers

  @Test(arguments: [
    (#"{"apiKey":"hunter2","region":"eu"}"#, #"{"apiKey":"[redacted]","region":"eu"}"#),
    (#" { "api\u004bey" : "hunter2" , "n": 1e400 }"#, #" { "api\u004bey" : "[redacted]" , "n": 1e400 }"#),
    (
      #"[{"access_token":"a"},{"x":{"clientSecret":"b","y":"é\/"}}]"#,
      #"[{"access_token":"[redacted]"},{"x":{"clientSecret":"[redacted]","y":"é\/"}}]"#
    ),
    (
      #"{"auth":{"user":"ada","n":[1,"x",null,true]},"a":1}"#,
      #"{"auth":{"user":"[redacted]","n":[1,"[redacted]",null,true]},"a":1}"#
    ),
    (
      #"{"password":1234,"usage":{"total_tokens":5,"prompt_tokens":4}}"#,
      #"{"password":"[redacted]","usage":{"total_tokens":5,"prompt_tokens":4}}"#
    ),
    (#"{"a":"\#(key)","b":["x \#(key)"]}"#, #"{"a":"[redacted]","b":["[redacted]"]}"#),
    (#"{"a":"sk\u002dproj-hunter2"}"#, #"{"a":"[redacted]"}"#), (#"{"\#(key)":1,"b":2}"#, #"{"[redacted]":1,"b":2}"#),
    (#"{"url":"https://u:p@h/x?token=s&q=1"}"#, #"{"url":"https://[redacted]@h/x?token=[redacted]&q=1"}"#),
    (#"{"inner":"{\"api_key\":\"hunter2\",\"b\":1}"}"#, #"{"inner":"{\"api_key\":\"[redacted]\",\"b\":1}"}"#),
    (#"{"Authorization":"hunter2","Cookie":"a=b"}"#, #"{"Authorization":"[redacted]","Cookie":"[redacted]"}"#),
    (#"{"a":"x","a":"\#(key)","a":"y"}"#, #"{"a":"x","a":"[redacted]","a":"y"}"#),
  ])
  func membersOfJSONAreReplaced(_ value: String, _ expected: String) {
    let open = cleaned("/", [HeaderField("X-Config", value)])
    #expect(open.headers.first?.value == expected)
    #expect(open.redactions == ["header:x-config"])
    #expect(Secrets.clean([HeaderField("X-Config", value)]) == [HeaderField("X-Config", expected)])
    #expect(header(expected) == expected)
  }

  @Test(arguments: [
    #"{"provider":"openai","region":"eu","max_tokens":5,"retry":{"count":3}}"#, #"[]"#, #"{}"#, #"{"#, #"[::1]:8080"#,
    #"{ "a" : [ 1.0 , "é\u00e9" , {} ] }"#,
    #"{"group":"nel","endpoints":[{"url":"https://a.nel.example/report/v4?s=a%2Bb"}]}"#,
    #"{"report_to":"cf-nel","max_age":604800}, {"group":"b"}"#, #"{"total_tokens":12,"tokens":3,"code":429}"#,
    #"[not json] at all"#,
    #"{"author":"ann","monkey":"x","hasSignature":true}"#,
  ])
  func ordinaryJSONStays(_ value: String) {
    let open = cleaned("/", [HeaderField("X-Config", value)])
    #expect(open.headers == [HeaderField("X-Config", value)])
    #expect(open.redactions.isEmpty)
  }

  @Test(arguments: [
    #"{"a":"\#(key)""#, #"{"apiKey":"hunter2""#, #"{apiKey: hunter2}"#, #"{'api_key' : 'hunter2'}"#,
    #"[{"a":1},]  \#(key)"#,
    #"{"a":{\"token\":\"x\"}}"#,
  ])
  func jsonThatCannotBeReadGoesAsAWhole(_ value: String) { #expect(header(value) == "[redacted]") }

  @Test(arguments: [
    "sk%2Dproj%2Dhunter2", "a sk%2dproj%2dhunter2", "%7B%22apiKey%22%3A%22hunter2%22%7D", "https%3A%2F%2Fh%3Ftoken%3Ds",
    "https%3A%2F%2Fu%3Ap%40h", "Bearer%20hunter2", "%2573k-proj-hunter2",
  ])
  func aValueIsComparedDecoded(_ value: String) { #expect(header(value) == "[redacted]") }

  @Test(arguments: [
    "100%", "50%25 of it", "%7B%22a%22%3A1%7D", "https%3A%2F%2Fh%3Fq%3Ds", "a%20b%zz", "text/plain; x=%41%42",
  ])
  func otherEncodedValuesStay(_ value: String) { #expect(header(value) == value) }

  @Test(arguments: [10, 16, 100, 600, 30_000])
  func deepJSONIsLookedIntoOrLeftOut(_ depth: Int) throws {
    func nested(_ text: String) -> String {
      String(repeating: "[", count: depth) + text + String(repeating: "]", count: depth)
    }
    let harmless = nested(#"{"a":"b"}"#)
    #expect(header(harmless) == harmless)
    let value = try #require(header(nested(#"{"apiKey":"hunter2"}"#)))
    #expect(value.contains("[redacted]") && !value.contains("hunter2"))
    #expect(value.contains("apiKey") == (depth < 16))
  }

  @Test func whatIsBuiltToTakeLongDoesNot() {
    // As large as a debug build gets through at once; a header can be eight times as long.
    let size = 8 << 10
    let pieces = [
      "[", "{\"a\":", "[\"sk-", "{\"a\":\"{\\\"b\\\":", "%25", "%2525", ";a=", "&sk-", "/", "/sk-", "eyJ", "eyJa.",
      "bearer ", "b ", "1:", ":", "://", "@", "//@",
      "?", "%3F%3D", "\"", "\\", "sk-a ", "\"key\":", "/%7B%22a%22%3A", "?a=%7B%22",
    ]
    let clock = ContinuousClock()
    for piece in pieces {
      let text = String(repeating: piece, count: size / piece.utf8.count)
      let took = clock.measure {
        for value in [text, "{" + text, "[\"" + text + "\"]", "/x?a=" + text, "https://h/" + text] {
          _ = header(value)
          _ = cleaned(value)
        }
      }
      #expect(took < .seconds(10), "\(piece)")
    }
  }

  // MARK: Errors

  private struct Failure: Error, CustomStringConvertible { var description: String }

  @Test(arguments: [
    (
      "no answer from https://u:p@h/\(key)/x?token=s",
      "no answer from https://[redacted]@h/[redacted]/x?token=[redacted]"
    ),
    ("no answer from https://h/sk%2Dproj%2Da1B2c3D4e5F6g7H8/x: 5", "no answer from https://h/[redacted]/x: 5"),
    (#"{"error":"no","api_key":"hunter2"}"#, #"{"error":"no","api_key":"[redacted]"}"#),
    ("wrong key \(key)", "Failure"), ("wrong key sk%2Dproj%2Dhunter2", "Failure"),
    ("no route to h/x", "no route to h/x"),
  ])
  func errorsSayNoCredentials(_ text: String, _ expected: String) {
    #expect(Secrets.describing(Failure(description: text)) == expected)
  }
}
