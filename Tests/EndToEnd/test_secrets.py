"""Credentials of every kind go through proxy, `record` and library, and none of them is anywhere in the store afterwards:
not in archive, catalogue, logs or exports, plain or encoded."""

import base64
import os
import sqlite3
import subprocess
import urllib.parse

import pytest

from conftest import BIN, request
from raw_http import Client
from test_hostile_upstream import Scripted, response
from upstream import text_frames

SECRETS = {}


def secret(name, prefix="", shape="{}"):
    """A value to be found again; `shape` is how it stands in its field."""
    value = prefix + f"s3cr3t{len(SECRETS):03d}" + "Zq9x"[::-1] * 5
    SECRETS[name] = value
    return shape.format(value)


BASIC = base64.b64encode(("ada:" + secret("basic password")).encode()).decode()
HEADERS = [
    "Authorization: " + secret("bearer", "sk-proj-", "Bearer {}"),
    "X-Api-Key: " + secret("x-api-key", "sk-ant-api03-"),
    "api-key: " + secret("azure"),
    "x-goog-api-key: " + secret("google", "AIza"),
    "Ocp-Apim-Subscription-Key: " + secret("azure gateway"),
    "Cookie: " + secret("cookie", "", "session={}; theme=dark"),
    "Proxy-Authorization: Basic " + BASIC,
    "X-Auth-Token: " + secret("x-auth-token"),
    "X-Amz-Security-Token: " + secret("amz session"),
    "X-Amz-Date: 20261123T000000Z",
    "X-Vault-Token: " + secret("vault"),
    "X-CSRF-Token: " + secret("csrf"),
    "X-Forwarded-Authorization: " + secret("forwarded", "", "Bearer {}"),
    "X-Custom: " + secret("bearer in a strange field", "", "Bearer {}"),
    "X-Other: " + secret("key in a strange field", "sk-"),
    "X-Jwt-Assertion: " + secret("assertion"),
    "Helicone-Auth: " + secret("helicone", "", "Bearer {}"),
    "cf-aig-authorization: " + secret("cloudflare", "", "Bearer {}"),
    "X-Portkey-Api-Key: " + secret("portkey"),
    "Referer: https://app.example/?access_token=" + secret("referer"),
    "X-Callback: https://bob:" + secret("callback password") + "@hook.example/x",
    "X-Signature: " + secret("signature"),
    'X-Portkey-Config: {"provider":"openai-harmless","api_key":"' + secret("json member") + '","retry":{"n":[{"clientSecret":"'
    + secret("nested json member") + '"}]}}',
    'X-Config: {"a":["' + secret("json by form", "sk-ant-api03-") + '"],"b":"{\\"token\\":\\"' + secret("json in json") + '\\"}"}',
    'X-Broken: {"apiKey":"' + secret("broken json") + '"',
    "X-Encoded: " + secret("percents in a field", "sk-proj-").replace("-", "%2D"),
    "X-Original-Url: https://app.example/v1/" + secret("path in a field", "gsk_") + "/harmless-tail",
    "OpenAI-Organization: org-harmless",
]
AWS = ("Authorization: AWS4-HMAC-SHA256 Credential=" + secret("aws id") + "/20261123/eu-west-1/bedrock/aws4_request, "
       "SignedHeaders=host, Signature=" + secret("aws signature"))
QUERY = "&".join([
    "key=" + secret("?key"), "api_key=" + secret("?api_key"), "access_token=" + secret("?access_token"), "apikey=" + secret("?apikey"),
    "api-key=" + secret("?api-key"), "token=" + secret("?token"), "sig=" + secret("?sig"), "client_secret=" + secret("?client_secret"),
    "X-Amz-Signature=" + secret("?X-Amz-Signature"), "X-Amz-Credential=" + secret("?X-Amz-Credential"),
    "X-Amz-Security-Token=" + secret("?X-Amz-Security-Token"), "X-Goog-Signature=" + secret("?X-Goog-Signature"),
    "password=" + secret("?password"), "code=" + secret("?code"), "%6b%65%79=" + secret("?key in percents"), "KEY=" + secret("?KEY"),
    "%61pi%5fkey=" + secret("?api_key in percents"), "api+key=" + secret("?api key"), secret("? without name", "sk-proj-"),
    secret("? without name, in percents", "hf_").replace("_", "%5F"), secret("?name", "sk-proj-") + "=",
    "state=" + secret("?value in percents", "sk-ant-api03-").replace("-", "%2D"), "note=Bearer+" + secret("?value with a plus"),
    "config=" + urllib.parse.quote('{"apiKey":"' + secret("?json") + '"}', safe=""),
    "redirect=" + urllib.parse.quote("https://x.example/?token=" + secret("?token in a value"), safe=""), "alt=sse", "model=harmless",
])
SEGMENTS = [
    secret("path openai", "sk-proj-"), secret("path telegram", "bot123456:AAF"), secret("path google", "AIza"), secret("path github", "ghp_"),
    secret("path jwt", "eyJhbGciOiJub25lIn0.eyJ", "{}.c2ln"), secret("path in percents", "sk-ant-api03-").replace("-", "%2D"),
    secret("path in double percents", "xai-").replace("-", "%252d"), "v;api_key=" + secret("path parameter") + ";w=harmless",
]
ECHOES = [
    "Set-Cookie: " + secret("set-cookie", "", "sid={}; Path=/; HttpOnly"),
    "Location: https://u:" + secret("location password") + "@x.example/next?access_token=" + secret("location token"),
    "X-Api-Key: " + secret("echoed key"), "WWW-Authenticate: Bearer realm=\"x\", nonce=\"" + secret("challenge") + "\"",
    "Authentication-Info: " + secret("authentication info"), "X-Session-Token: " + secret("session token"),
    "Link: <https://x.example/?api_key=" + secret("link") + ">; rel=next",
    "X-Echo: " + secret("echoed bearer", "", "Bearer {}"), "Refresh: 5; url=https://x.example/?token=" + secret("refresh"),
    "Content-Location: /x?sig=" + secret("content location"),
    "X-Next: https://x.example/v1/" + secret("path in an answer", "sk-proj-") + "/next", 'X-Debug: {"authToken":"' + secret("json in an answer") + '"}',
]


def forms(value):
    """What a value may look like where it was not meant to be: each of the three ways in which base64 can begin with it."""
    yield value.encode()
    yield urllib.parse.quote(value, safe="").encode()
    yield "".join(f"%{byte:02x}" for byte in value.encode()).encode()
    yield value.encode().hex().encode()
    yield value[::1].encode("utf-16-le")
    for shift in range(3):
        encoded = base64.b64encode(b"\0" * shift + value.encode()).decode().rstrip("=")
        yield encoded[4 if shift else 0 : -3].encode()


def contents(*directories):
    """Every file's bytes, those of zstd decompressed too."""
    for directory in directories:
        for path in sorted(directory.rglob("*")):
            if not path.is_file():
                continue
            data = path.read_bytes()
            yield path, data
            if b"\x28\xb5\x2f\xfd" in data[:4]:
                yield path, subprocess.run(["zstd", "-dcq", path], capture_output=True).stdout


def leaks(*directories):
    found = []
    for path, data in contents(*directories):
        for name, value in SECRETS.items():
            if any(form in data for form in forms(value)):
                found.append((name, path.name))
    return found


def exchange(proxy, target, headers):
    client = Client(proxy.url)
    answer = client.post(request("text"), path=target, headers=headers)
    client.close()
    return answer


def test_the_search_finds_what_is_there(tmp_path):
    value = SECRETS["bearer"]
    for number, text in enumerate([value, base64.b64encode(b"ada:" + value.encode()).decode(), urllib.parse.quote(value)]):
        (tmp_path / str(number)).write_text("x " + text)
    subprocess.run(["zstd", "-q", tmp_path / "0", "-o", tmp_path / "3"], check=True)
    assert {path for name, path in leaks(tmp_path) if name == "bearer"} == {"0", "1", "2", "3"}


@pytest.fixture
def scripted():
    server = Scripted()
    yield server
    server.server.close()


def test_no_credential_is_anywhere_in_the_store(tapedeck, scripted, tmp_path):
    host = scripted.url.removeprefix("http://")
    password, key = secret("upstream password"), secret("ORQ_API_KEY", "sk-orq-")
    frames = b"".join(text_frames(30))
    echoes = [line.encode() for line in ECHOES]
    out = tmp_path / "out"
    out.mkdir()

    proxy = tapedeck.serve(f"http://ada:{password}@{host}", "--no-seal", "--no-index")
    scripted.answer = response(*echoes, body=frames)
    for headers in (HEADERS, [AWS], ["Authorization: Basic " + BASIC], []):
        for target in ("/v2/deployments/stream?" + QUERY, "/v1beta/models/gemini-2.5-flash:streamGenerateContent?" + QUERY, "/v1/messages"):
            answer = exchange(proxy, target, headers)
            assert answer.status == 200 and answer.body == frames
    # A key in the path: the rest of the path still says which API was asked.
    for segment in SEGMENTS:
        assert exchange(proxy, f"/v1/{segment}/chat/completions", []).body == frames
    assert exchange(proxy, "/v2/deployments/stream?" + secret("?alone", "sk-proj-"), []).body == frames
    for status in (b"302 Found", b"401 Unauthorized", b"500 Oops"):
        scripted.answer = response(*echoes, status=b"HTTP/1.1 " + status, body=b'{"error":{"message":"no"}}')
        assert exchange(proxy, "/v2/deployments/stream?" + QUERY, HEADERS).status == int(status[:3])
    # Refused and failed requests get into logs and error records.
    scripted.answer = b"no http at all"
    assert exchange(proxy, "/v2/deployments/stream?" + QUERY, HEADERS).status == 502
    scripted.answer = response(b"X: \x01" + SECRETS["echoed key"].encode())
    assert exchange(proxy, "/v2/deployments/stream?" + QUERY, HEADERS).status == 502
    assert exchange(proxy, "/v2/deployments/stream?" + QUERY, ["Host: again", *HEADERS]).status == 400
    sent = b"".join(scripted.requests)
    for name in ("bearer", "google", "cookie", "?key", "aws signature", "json member", "path telegram", "? without name"):
        assert SECRETS[name].encode() in sent, "it has to reach upstream"
    # A recorder that dies leaves what it had.
    dying = tapedeck.serve(f"http://ada:{password}@{host}", "--no-seal")
    scripted.answer = response(*echoes, body=frames[:500], length=False)
    exchange(dying, f"/v1/{SEGMENTS[0]}/chat/completions?" + QUERY, HEADERS)
    dying.kill()
    dying.wait()

    # One call from the command line: key from the environment, headers, userinfo, a proxy's password.
    flags = [flag for line in HEADERS[1:] for flag in ("-H", line)]
    environment = tapedeck.environment(ORQ_API_KEY=key, http_proxy=f"http://eve:{secret('proxy password')}@127.0.0.1:1")
    scripted.answer = response(*echoes, body=frames)
    for number, (url, more) in enumerate([(scripted.url, []), (f"http://ada:{password}@{host}", flags), ("http://127.0.0.1:1", flags),
                                          (f"http://ada:{password}@no-such-host.invalid", [])]):
        done = subprocess.run([BIN / "tapedeck", "record", "--url", url + f"/{SEGMENTS[number]}/v2/deployments/stream?" + QUERY, "-d", request("text"), *more],
                              capture_output=True, env=environment, timeout=60)
        (out / f"record-{number}").write_bytes(done.stderr)
    bad = subprocess.run([BIN / "tapedeck", "serve", "--upstream", f"ftp://ada:{password}@{host}"], capture_output=True, env=environment)
    # An upstream can have a key in front of every path.
    (tmp_path / "routes.toml").write_text(f'upstream = "http://ada:{password}@{host}/{SEGMENTS[1]}"\n')
    checked = subprocess.run([BIN / "tapedeck", "config", "check", "--config", tmp_path / "routes.toml"], capture_output=True, env=environment)
    assert checked.returncode == 0 and b"/[redacted]" in checked.stdout
    (tmp_path / "routes.toml").unlink()
    (out / "checked").write_bytes(checked.stdout + checked.stderr)
    (out / "refused").write_bytes(bad.stdout + bad.stderr)
    tapedeck.stop(proxy)

    assert leaks(tapedeck.store.parent) == []
    tapedeck.run("index")
    # The write-ahead log of a catalogue that is open is a file too.
    assert leaks(tapedeck.store.parent) == []
    calls = tapedeck.calls()
    assert len(calls) >= 18 + len(SEGMENTS)
    with sqlite3.connect(tapedeck.store / "catalogue.sqlite") as catalogue:
        keyed = catalogue.execute("SELECT path, dialect, redactions FROM calls WHERE path LIKE '/v1/%/chat/completions%'").fetchall()
    assert len(keyed) == len(SEGMENTS) + 1 and all("[redacted]" in path and '"path"' in notes for path, _, notes in keyed)
    assert {dialect for _, dialect, _ in keyed} == {"openai_chat"}
    for number, arguments in enumerate([
        *(("export", "--to", form) for form in ("ndjson", "csv", "har", "frames")), ("export", "--to", "tape", "@1"), ("show", "@2", "--full"),
        ("show", "@5", "--format", "json", "--full"), ("status",), ("verify",), ("usage", "--by", "identity,model"), ("config", "check"),
    ]):
        (out / f"asked-{number}").write_bytes(tapedeck.run(*arguments, code=None, text=False) + tapedeck.stderr.encode())
    tapedeck.run("seal")
    tapedeck.run("index")
    tapedeck.run("repack", "--level", "3")
    assert leaks(tapedeck.store.parent) == []
    # What is kept tells keys apart, and what is no secret stays.
    everything = b"".join(data for _, data in contents(tapedeck.store, out))
    for kept in (b"org-harmless", b"model=harmless", b"[redacted]", b"openai-harmless", b"/harmless-tail", b";w=harmless"):
        assert kept in everything, kept
    tapedeck.run("erase", "--identity", "ada", "--yes", code=None)
    assert leaks(tapedeck.store.parent) == []
    # Nobody else can read any of it.
    for path in [tapedeck.store, *tapedeck.store.rglob("*")]:
        assert os.stat(path).st_mode & 0o077 == 0, path
