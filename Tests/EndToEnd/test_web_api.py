"""The JSON API of `tapedeck serve`, and who it answers to."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from pathlib import Path

import pytest

from conftest import Tapedeck, curl, get, request


def api(deck, path):
    status, headers, body = get(deck.ui + "/api/v1" + path)
    assert status == 200, (path, body)
    return json.loads(body)


def test_the_api_says_what_the_command_line_says(demo):
    call, other = (c["call_id"] for c in demo.calls("--deployment", "slow-writer"))
    trace = demo.show(call)["trace_id"]
    same = {
        "/calls": ["calls"], "/calls?state=done&sort=tokens&limit=3": ["calls", "--state", "done", "--sort", "tokens", "--limit", "3"],
        f"/calls?after={call}&from=7d": ["calls", "--after", call, "--from", "7d"], "/calls?text=refund+polic*": ["calls", "--text", "refund polic*"],
        "/calls?where=total_tokens%20%3E%20100": ["calls", "--where", "total_tokens > 100"],
        f"/calls/{call}": ["show", call], f"/calls/{call}?full=true": ["show", call, "--full"], "/calls/@1": ["show", "@1"], f"/calls/{call[:-1]}": ["show", call[:-1]],
        f"/calls/{call}/frames": ["frames", call], f"/calls/{call}/frames?stalls=500ms": ["frames", call, "--stalls", "500ms"],
        f"/calls/{call}/events": ["events", call], f"/calls/{call}/verify": ["verify", call],
        "/threads/thread_refund": ["thread", "thread_refund"], f"/traces/{trace}": ["trace", trace], f"/diff?a={call}&b={other}": ["diff", call, other],
        "/search?phrase=refund": ["search", "refund"], "/usage": ["usage"], "/usage?by=identity,model&totals=true": ["usage", "--by", "identity,model", "--totals"],
        "/usage?by=day&tz=Europe/Amsterdam&top=1": ["usage", "--by", "day", "--tz", "Europe/Amsterdam", "--top", "1"],
    }
    for path, command in same.items():
        assert api(demo, path) == demo.json(*command), path
    status, ours = api(demo, "/status"), demo.json("status")
    assert status == ours
    assert get(f"{demo.ui}/api/v1/calls/{call}/body")[2] == demo.run("cat", call, text=False)
    assert json.loads(get(f"{demo.ui}/api/v1/calls/{call}/request")[2])["key"] == "slow-writer"
    status, headers, body = get(demo.ui + "/api/v1/calls?format=csv")
    assert headers["content-type"].startswith("text/csv") and body.decode() == demo.run("calls", "--format", "csv")
    status, headers, body = get(demo.ui + "/api/v1/usage?format=ndjson&by=day")
    assert body.decode() == demo.run("usage", "--by", "day", "--format", "ndjson")
    assert [i["identity_id"] for i in api(demo, "/identities")] == [r["group"]["identity"] for r in demo.json("usage", "--by", "identity")]


def test_pages_of_a_list_are_linked(demo):
    path, ids = "/api/v1/calls?limit=4", []
    while path:
        status, headers, body = get(demo.ui + path)
        ids += [call["call_id"] for call in json.loads(body)]
        link = headers["Link"]
        path = re.fullmatch(r'<(.*)>; rel="next"', link)[1] if link else None
    assert ids == [call["call_id"] for call in demo.calls()]


@pytest.mark.parametrize("path, field, word", [
    ("/calls?state=lots", "state", "done"), ("/calls?stat=done", "stat", "did you mean state?"), ("/calls?from=nowhere", "from", "no time"),
    ("/calls?from=2026-02-01&to=2026-01-01", "from", "later"), ("/calls?limit=0", "limit", "from 1"), ("/calls?limit=x", "limit", "number"),
    ("/calls?sort=best", "sort", "newest"), ("/calls?where=DROP+TABLE+calls", "where", "v_calls"), ("/calls?where=1;DELETE+FROM+calls", "where", ""),
    ("/calls?meta=x", "meta", "KEY=VALUE"), ("/calls?tz=Mars", "tz", ""), ("/calls?min-duration=long", "min-duration", ""), ("/calls?format=xml", "format", "json"),
    ("/calls?state=done&state=open", "state", "2 times"), ("/calls?text=%20", "text", "word"), ("/usage?by=weather", "by", "identity"), ("/usage?top=0", "top", ""),
    ("/search", "phrase", "word"), ("/diff?a=@1", "b", ""), ("/calls/@1/frames?stalls=x", "stalls", ""), ("/calls/@1?full=perhaps", "full", "true or false"),
    ("/calls?mock=2", "mock", ""), ("/status?x=1", "x", ""), ("/live?limit=1", "limit", ""), ("/calls?text=%ff", None, "UTF-8"), ("/calls?text=a%00b", None, ""),
])
def test_what_cannot_be_read_is_named(demo, path, field, word):
    status, headers, body = get(demo.ui + "/api/v1" + path)
    error = json.loads(body)["error"]
    assert status == 400 and headers["content-type"].startswith("application/json")
    assert error["field"] == field and error["code"] == "bad_request" and word in error["message"], error
    assert "--" not in error["message"][:2]
    if path.startswith("/calls?") and "limit" not in path and "format" not in path:
        status, headers, body = get(demo.ui + path.removeprefix("/calls"))
        assert status == 400 and headers["content-type"].startswith("text/html") and (field or "").encode() in body


def test_what_is_not_there_is_told_with_what_is(demo):
    for path in ("/api/v1/calls/01ZZZZZZZZZZZZZZZZZZZZZZZZ", "/api/v1/threads/thread_re", "/api/v1/traces/nope", "/api/v1/nothing", "/api/v1/calls/@99"):
        status, headers, body = get(demo.ui + path)
        assert status == 404 and json.loads(body)["error"]["code"] == "not_found", path
    assert "thread_refund" in json.loads(get(demo.ui + "/api/v1/threads/thread_re")[2])["error"]["message"]
    for path in ("/nothing", "/calls/01ZZZZZZZZZZZZZZZZZZZZZZZZ", "/thread?id=nope", "/trace?id=nope", "/calls/@99/replay"):
        status, headers, body = get(demo.ui + path)
        assert status == 404 and b'href="/"' in body and headers["content-type"].startswith("text/html"), path


def test_nothing_is_changed_by_any_request(demo):
    before = sorted((str(p), p.stat().st_mtime_ns, p.stat().st_size) for p in demo.store.rglob("*") if "catalogue" not in p.name)
    for method in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS"):
        for path in ("/", "/api/v1/calls", "/calls/@1", "/store"):
            status, headers, body = get(demo.ui + path, method=method)
            assert status == 405 and headers["Allow"] == "GET, HEAD", (method, path)
    status, headers, body = get(demo.ui + "/api/v1/calls", method="HEAD")
    assert status == 200 and body == b""
    assert sorted((str(p), p.stat().st_mtime_ns, p.stat().st_size) for p in demo.store.rglob("*") if "catalogue" not in p.name) == before


def test_only_own_hosts_are_answered_and_every_answer_has_its_headers(demo):
    for host, wanted in [("evil.example", 421), ("localhost.evil.example:80", 421), ("127.0.0.1", 200), ("localhost:99", 200), ("[::1]:80", 200), ("LOCALHOST", 200)]:
        for path in ("/", "/api/v1/calls", "/healthz", "/app.css", "/nothing"):
            status, headers, body = get(demo.ui + path, Host=host)
            assert status == (wanted if wanted == 421 or path != "/nothing" else 404), (host, path)
            policy = headers["content-security-policy"]
            assert "default-src 'none'" in policy and "unsafe" not in policy and "*" not in policy
            assert headers["x-content-type-options"] == "nosniff" and headers["referrer-policy"] == "no-referrer"
            assert "access-control-allow-origin" not in headers
    address = urllib.parse.urlparse(demo.ui)
    with socket.create_connection((address.hostname, address.port)) as raw:
        raw.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert b" 421 " in raw.recv(100)


def test_a_token_is_needed_where_others_can_ask(demo):
    demo.run("serve", "--ui", "0.0.0.0:0", "--no-index", code=64)
    assert "--ui-token" in demo.stderr
    demo.run("serve", "--ui", "127.0.0.1:0", "--ui-token", "short", code=64)
    assert "short" not in demo.stderr.replace("8 characters", "")
    token = "correct-horse-battery"
    ui = demo.serve_ui("--ui-token", token)
    log = demo.server.log
    for path in ("/", "/calls/@1", "/api/v1/calls", "/live", "/nothing", "/api/v1/nothing", "/calls/@1/media/000000000000"):
        assert get(ui + path)[0] == 401, path
        assert get(ui + path, Authorization="Bearer wrong-horse-battery")[0] == 401
        assert get(ui + path + "?token=" + token)[0] == 401
    status, headers, body = get(ui + "/api/v1/calls")
    assert headers["www-authenticate"] == "Bearer" and json.loads(body)["error"]["code"] == "unauthorized"
    assert get(ui + "/healthz")[0] == get(ui + "/app.css")[0] == 200
    assert len(json.loads(get(ui + "/api/v1/calls", Authorization="Bearer " + token)[2])) == 11
    status, headers, body = get(ui + "/login", method="POST", data=b"token=" + token.encode(), Sec_Fetch_Site="cross-site")
    assert status == 403

    class Stay(urllib.request.HTTPRedirectHandler):
        def redirect_request(self, *args):
            return None

    try:
        urllib.request.build_opener(Stay).open(ui + "/login", data=b"token=" + token.encode())
        raise AssertionError("no redirect")
    except urllib.error.HTTPError as answer:
        cookie = answer.headers["Set-Cookie"]
        assert answer.code == 303 and token not in cookie and "HttpOnly" in cookie and "SameSite=Strict" in cookie
    assert get(ui + "/", Cookie=cookie.split(";")[0])[0] == 200
    assert get(ui + "/", Cookie=cookie.split(";")[0][:-1] + "0")[0] in (200, 401)
    assert token not in log.read_text()
    config = demo.store.parent / "config.toml"
    config.write_text(f'ui-token = "{token}"\n')
    assert token not in demo.run("config", "check", config)


def test_a_catalogue_that_cannot_be_used_is_told_with_the_command(demo, tmp_path):
    deck = Tapedeck(tmp_path / "store")
    subprocess.run(["cp", "-a", demo.store, deck.store], check=True)
    ui = deck.serve_ui()
    try:
        for damage in (lambda path: path.unlink(), lambda path: path.write_bytes(b"no database at all" * 400)):
            for name in ("catalogue.sqlite-wal", "catalogue.sqlite-shm"):
                (deck.store / name).unlink(missing_ok=True)
            damage(deck.store / "catalogue.sqlite")
            for path in ("/api/v1/calls", "/api/v1/calls/@1", "/api/v1/usage", "/", "/usage", "/calls/@1"):
                status, headers, body = get(ui + path)
                assert status == 503 and b"tapedeck index" in body, (path, status, body)
            status, headers, body = get(ui + "/store")
            assert status == 200 and b"tapedeck index" in body
            assert "index" in json.loads(get(ui + "/api/v1/status")[2])["index"]["problem"]
            deck.run("index", "--rebuild")
            assert len(json.loads(get(ui + "/api/v1/calls")[2])) == 11
    finally:
        deck.server.kill()


def test_a_port_that_is_taken_is_named(demo):
    port = urllib.parse.urlparse(demo.ui).port
    demo.run("serve", "--ui", f"127.0.0.1:{port}", "--no-index", code=2)
    assert f"127.0.0.1:{port}" in demo.stderr and "in use" in demo.stderr and "--ui" in demo.stderr


def test_live_events_tell_of_calls_and_a_client_that_reads_nothing_harms_nobody(tapedeck, upstream):
    proxy = tapedeck.serve(upstream.url, "--ui", "127.0.0.1:0")
    ui = tapedeck.ui_of(proxy)
    address = urllib.parse.urlparse(ui)
    deaf = []
    for _ in range(5):
        one = socket.socket()
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        one.connect((address.hostname, address.port))
        one.sendall(b"GET /api/v1/live HTTP/1.1\r\nHost: localhost\r\n\r\n")
        deaf.append(one)
    listener = subprocess.Popen(["curl", "-sN", ui + "/api/v1/live?deployment=text"], stdout=subprocess.PIPE, text=True)
    assert listener.stdout.readline().startswith("retry:")
    time.sleep(0.8)
    for _ in range(3):
        curl(proxy.url, request("text", n=3))
        curl(proxy.url, request("invoke"))
    seen = {}
    deadline = time.monotonic() + 15
    while len([s for s in seen.values() if s == "done"]) < 3 and time.monotonic() < deadline:
        line = listener.stdout.readline()
        if line.startswith("data: "):
            call = json.loads(line[6:])
            assert call["deployment"] == "text"
            seen[call["call_id"]] = call["state"]
    assert sorted(seen) == sorted(c["call_id"] for c in tapedeck.calls("--deployment", "text"))
    assert get(ui + "/")[0] == 200
    proxy.send_signal(signal.SIGTERM)
    assert proxy.wait(15) == 0
    listener.wait(5)
    for one in deaf:
        one.close()


def test_a_client_that_stops_reading_is_let_go(tapedeck, tmp_path):
    """Half a minute after the last that it took."""
    lines = []
    # Many megabytes as JSON: more than the kernel holds for a client.
    error = "data: " + json.dumps({"error": {"message": "long " * 8000}}) + "\n\n"
    for number in range(300):
        at = 1_750_000_000_000_000_000 + number * 1_000_000
        lines += [{"t_ns": at, "call": number, "ev": "open", "request": {"key": "flood"}},
                  {"t_ns": at + 1000, "call": number, "ev": "frame", "raw": error}, {"t_ns": at + 2000, "call": number, "ev": "end", "how": "done"}]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (tmp_path / "one.sse").write_text("data: [DONE]\n\n")
    tapedeck.run("import", tmp_path / "one.sse")
    address = urllib.parse.urlparse(tapedeck.serve_ui())

    def ask(path):
        deaf = socket.socket()
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        deaf.connect((address.hostname, address.port))
        deaf.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        return deaf

    live = ask("/api/v1/live")
    time.sleep(2)
    tapedeck.run("import", tmp_path / "a.jsonl")
    time.sleep(2)
    whole = ask("/api/v1/calls?format=ndjson")
    time.sleep(40)
    memory = int(re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{tapedeck.server.pid}/status").read_text())[1])
    for name, one in [("a live view", live), ("a list", whole)]:
        one.settimeout(10)
        received = b""
        try:
            while piece := one.recv(1 << 16):
                received += piece
        except ConnectionResetError:
            pass
        assert len(received) < 8_000_000 and not received.endswith(b"0\r\n\r\n"), name
        print(f"{name}: let go with {len(received)} bytes on their way; the server holds {memory} kB")
    assert json.loads(get(f"http://{address.netloc}/api/v1/status")[2])["calls"]["total"] == 301


def test_prices_that_change_are_read_again(demo):
    token_price = lambda: [row["cost_usd"] for row in api(demo, "/usage?by=model") if row["group"]["model"] == "gpt-4o-mini"][0]
    page = lambda: get(demo.ui + "/usage?by=model")[2].decode()
    before, shown = token_price(), page()
    try:
        demo.run("prices", "set", "openai", "gpt-4o-mini", "--input", "100", "--output", "100")
        assert float(token_price()) > 10 * float(before) and page() != shown
    finally:
        demo.run("prices", "unset", "--all")
    assert token_price() == before


def test_the_api_holds_to_its_description(demo):
    """schemathesis makes up requests from schema/openapi.yaml, right and wrong ones, and checks the answers."""
    root = Path(__file__).resolve().parents[2]
    tool = Path(sys.executable).with_name("st")
    # What SQL, a time or a zone is, is more than a schema says: rightly made up ones may be refused.
    done = subprocess.run(
        [tool, "run", root / "schema/openapi.yaml", "--url", demo.ui + "/api/v1", *[flag for name in ("live", "metrics", "health") for flag in ("--exclude-operation-id", name)], "--phases", "examples,coverage,fuzzing",
         "--max-examples", os.environ.get("TAPEDECK_API_EXAMPLES", "15"), "--seed", "1", "--exclude-checks", "positive_data_acceptance", "--continue-on-failure", "--no-color",
         "--generation-database", "none"],
        capture_output=True, text=True, timeout=600, cwd=demo.store.parent)
    assert done.returncode == 0, done.stdout[-6000:]
    assert demo.server.poll() is None
    # Those two are beside the API, and the third does not end.
    assert get(demo.ui + "/metrics")[1]["content-type"].startswith("text/plain") and json.loads(get(demo.ui + "/healthz")[2]) == {"status": "ok"}
