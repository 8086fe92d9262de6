import TapeRedaction
import TapeTypes
import Testing

/// Keys by their form, at each place where one can be.
struct SecretFormsTests {
  /// 40 characters, none of them anybody's.
  private static let random = "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8s9T0"

  private static let keys = [
    "sk-" + random, "sk-proj-" + random, "sk-svcacct-" + random, "sk-admin-" + random, "sk-ant-api03-" + random,
    "sk-or-v1-" + random, "sk-proj-a1b2_c3d4-e5f6_g7h8", "sk-" + String(repeating: "a", count: 20), "AIza" + random,
    "ya29.a0" + random, "GOCSPX-" + random, "AKIAIOSFODNN7EXAMPLE", "ASIAIOSFODNN7EXAMPLE", "ABSK" + random,
    "bedrock-api-key-" + random, "ghp_" + random, "gho_" + random, "ghu_" + random, "ghs_" + random, "ghr_" + random,
    "github_pat_" + random, "xoxb-12345678-12345678-" + random, "xoxp-" + random, "xoxe-" + random, "xapp-1-" + random,
    "hf_" + random, "gsk_" + random, "xai-" + random, "r8_" + random, "pplx-" + random, "nvapi-" + random,
    "csk-" + random, "fw_" + random, "lsv2_pt_" + random, "pcsk_" + random, "tvly-" + random, "sk_live_" + random,
    "sk_test_" + random, "rk_live_" + random, "whsec_" + random, "glpat-" + random, "bot123456:" + random,
    "123456789:AAF" + random, "eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0.c2ln",
  ]

  private func path(_ path: String) -> String { Secrets.clean(target: path) }

  private func header(_ value: String) -> String? { Secrets.clean([HeaderField("X-Config", value)]).first?.value }

  @Test(arguments: keys)
  func aKeyIsFoundWhereverItStands(_ key: String) {
    #expect(path("/v1/\(key)/chat/completions") == "/v1/[redacted]/chat/completions")
    #expect(path("/\(key)?a=1") == "/[redacted]?a=1")
    #expect(path("/x;v=\(key)/y?a=1") == "/x;v=[redacted]/y?a=1")
    #expect(path("/x?\(key)") == "/x?[redacted]" && path("/x?a=1&\(key)&b=2") == "/x?a=1&[redacted]&b=2")
    #expect(path("/x?a=\(key)&b=2") == "/x?a=[redacted]&b=2" && path("/x?\(key)=1&b=2") == "/x?[redacted]&b=2")
    #expect(header(key) == "[redacted]" && header("for \(key)") == "[redacted]")
    #expect(header(#"{"a":"\#(key)","b":[1]}"#) == #"{"a":"[redacted]","b":[1]}"#)
  }

  @Test(arguments: keys)
  func aKeyIsFoundBehindPercents(_ key: String) {
    for digits in ["0123456789abcdef", "0123456789ABCDEF"] {
      let hex = Array(digits)
      let all = key.utf8.map { "%\(hex[Int($0 >> 4)])\(hex[Int($0 & 15)])" }.joined()
      let marks = key.map {
        $0.isLetter || $0.isNumber ? "\($0)" : "%\(hex[Int($0.asciiValue! >> 4)])\(hex[Int($0.asciiValue! & 15)])"
      }
      for encoded in [all, marks.joined(), all.split(separator: "%").map { "%25\($0)" }.joined()] {
        #expect(path("/v1/\(encoded)/messages?a=%20") == "/v1/[redacted]/messages?a=%20")
        #expect(path("/x?\(encoded)&b=2") == "/x?[redacted]&b=2" && path("/x?a=\(encoded)#c") == "/x?a=[redacted]#c")
        #expect(header("https://h/\(encoded)/y?a=1") == "https://h/[redacted]/y?a=1")
      }
    }
  }

  @Test(arguments: [
    "/v2/deployments/stream", "/v1/chat/completions", "/v1beta/models/gemini-2.0-flash:streamGenerateContent?alt=sse",
    "/v1/projects/123456789012/locations/asia-southeast1/publishers/google/models/gemini-2.5-pro:generateContent",
    "/openai/deployments/gpt-4o-2024-08-06/chat/completions?api-version=2024-10-21",
    "/v1/messages/batches/msgbatch_01HkcTjaV5uDC8jWR4ZsDV8d",
    "/v1/responses/resp_67ccd2bed1ec8190b14f964abc0542670bb6a6b452d3795b",
    "/v1/threads/thread_abc123DEF456ghi789JKL012/runs/run_a1B2c3D4e5F6",
    "/v1/messages/msg_01XFDUDYJgAACzvnptvVoYEL", "/v1/files/file-AbCdEfGhIjKlMnOpQrStUv12/content",
    "/v1/files/file_011CNha8iCJcU1wXNR6q4V8w",
    "/v1/conversations/conv_689667905b048191b4740501625afd940c7533ace33a2dab",
    "/v1/assistants/asst_a1B2c3D4e5F6g7H8i9J0k1L2",
    "/v1/vector_stores/vs_a1B2c3D4e5F6/files", "/v1/chat/completions/chatcmpl-AyPNinnUqUDYo9SAdA52NobMflmj2",
    "/v2/agents/01JX2M3N4P5Q6R7S8T9V0W1X2Y/responses", "/x/550e8400-e29b-41d4-a716-446655440000",
    "/x/9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "/v1/fine_tuning/jobs/ftjob-a1B2c3D4e5F6g7H8i9J0k1L2",
    "/v1/models/ft:gpt-4o-mini-2024-07-18:my-org:sk-learn:9aBcDeF1",
    "/models/hf_bert-base-uncased-finetuned-sst-2-english", "/models/sk-learn-text-classifier-v2-large",
    "/models/xai-grok-4-fast-reasoning",
    "/models/pplx-70b-online-instruct-latest", "/models/meta-llama/Llama-3.3-70B-Instruct-Turbo",
    "/voices/sk-SK-Chirp3-HD-Achernar",
    "/voices/sk-SK-ViktoriaNeural/sk-SK-Wavenet-A-24khz",
    "/model/anthropic.claude-3-5-sonnet-20241022-v2%3A0/invoke-with-response-stream",
    "/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A123456789012%3Ainference-profile%2Fus.amazon.nova-pro-v1%3A0/converse-stream",
    "/docs/Basic%20plan", "/docs/Bearer%20tokens%20and%20scopes", "/docs/token%20counting", "/bot/123456:x",
    "/orders/123456:some-long-slug-with-many-words",
    "/bots/botany-2024:introduction-for-beginners", "/a;v=2/b;lang=sk-SK/c", "//double//slash/", "/", "", "*", "/x?",
    "/x?&&=&;;", "/x?flag&stream",
    "/x?a=%zz&b=%&c=%4", "/x?q=a+b%2Bc", "/x/%E6%95%B0%E6%8D%AE%E6%95%B0%E6%8D%AE%E6%95%B0%E6%8D%AE",
    "/x/asia-northeast1-docker-packages", "/AKIA",
    "/x?model=hf_small&region=asia-southeast1", "/.well-known/jwks.json", "/eyJhIjoxfQ/eyJhIjoxfQ.eyJiIjoyfQ",
  ])
  func ordinaryPathsStay(_ path: String) {
    var open = CallOpen(id: CallID(high: 1, low: 1), startedAtNs: 0, origin: .proxy, path: path, headers: [], salt: [])
    Secrets(fingerprintKey: [1]).clean(&open)
    #expect(open.path == path)
    #expect(open.redactions.isEmpty && open.keyFingerprint == nil)
    // A header decides nothing: what begins as a key does is one there.
    let value = "https://h.example" + path
    let isLikeAKey = ["sk-", "hf_", "xai-", "pplx-"].contains { path.contains("/" + $0) }
    if !isLikeAKey { #expect(Secrets.clean([HeaderField("Location", value)]) == [HeaderField("Location", value)]) }
  }
}
