"""curl through the proxy gets the bytes that it gets without it, and gets them at once."""

import hashlib
import json
import subprocess
import time

import pytest

from conftest import KEY, curl, request


@pytest.mark.parametrize("key", ["text", "error_frame", "gzip", "big_frames", "invalid_utf8", "empty", "unauthorized", "html", "invoke"])
def test_bytes_are_the_same_direct_and_through_the_proxy_and_on_tape(tapedeck, upstream, key):
    proxy = tapedeck.serve(upstream.url)
    body = request(key, n=100)
    direct = curl(upstream.url, body, "--compressed")
    through = curl(proxy.url, body)
    assert hashlib.sha256(through).hexdigest() == hashlib.sha256(direct).hexdigest()
    tapedeck.stop(proxy)
    assert tapedeck.run("cat", "@1", text=False, code=0) == direct


def test_each_piece_arrives_before_the_next_is_sent(tapedeck, upstream):
    proxy = tapedeck.serve(upstream.url)
    process = subprocess.Popen(
        ["curl", "-sS", "-N", "-X", "POST", "-d", request("in_pieces"), proxy.url + "/v2/deployments/stream"],
        stdout=subprocess.PIPE, bufsize=0,
    )
    arrivals = []
    while piece := process.stdout.read(65536):
        arrivals.append((time.monotonic(), len(piece)))
    # 5 frames in up to 3 writes each, 200 ms apart: a proxy that waits for whole frames would give 5.
    assert len(arrivals) >= 12


def test_other_calls_pass_through_untaped(tapedeck, upstream):
    proxy = tapedeck.serve(upstream.url)
    done = subprocess.run(
        ["curl", "-sS", "-i", "-H", f"Authorization: Bearer {KEY}", proxy.url + "/v2/models?page=2"],
        capture_output=True, check=True,
    )
    assert done.stdout.startswith(b"HTTP/1.1 200") and done.stdout.endswith(b'[{"id":"gpt-4o-mini"}]')
    assert upstream.requests[0]["path"] == "/v2/models?page=2"
    tapedeck.stop(proxy)
    assert tapedeck.run("calls", code=1) == ""


def test_the_key_reaches_upstream_and_never_the_disk(tapedeck, upstream):
    proxy = tapedeck.serve(upstream.url)
    flags = ["-H", "Cookie: session=" + KEY, "-H", "X-Api-Key: " + KEY]
    curl(proxy.url, request("text"), *flags)
    subprocess.run(["curl", "-sS", "-X", "POST", "-d", request("text"),
                    proxy.url + "/v2/deployments/stream?api_key=" + KEY], capture_output=True, check=True)
    tapedeck.stop(proxy)
    tapedeck.run("seal")
    tapedeck.run("index")
    sent = upstream.requests[0]
    assert ("Authorization", f"Bearer {KEY}") in [(n.title(), v) for n, v in sent["headers"]]
    files = [path for path in tapedeck.store.rglob("*") if path.is_file()]
    assert any(path.name.endswith(".zst") for path in files)
    for path in files:
        data = path.read_bytes()
        if path.name.endswith(".zst"):
            data += subprocess.run(["zstd", "-dcq", path], capture_output=True, check=True).stdout
        assert KEY.encode() not in data, path
        assert path.stat().st_mode & 0o077 == 0, path
    assert KEY not in proxy.log.read_text()
    assert KEY not in json.dumps(tapedeck.show("@1"))


def test_requests_on_one_connection_are_calls_of_their_own(tapedeck, upstream):
    proxy = tapedeck.serve(upstream.url)
    url = proxy.url + "/v2/deployments/stream"
    subprocess.run(["curl", "-sS", "-d", request("text", n=3), url, "--next", "-d", request("text", n=4), url],
                   capture_output=True, check=True)
    tapedeck.stop(proxy)
    calls = tapedeck.calls()
    assert sorted(call["timings"]["frames"] for call in calls) == [5, 6]


def test_the_response_names_its_call(tapedeck, upstream):
    proxy = tapedeck.serve(upstream.url)
    answer = curl(proxy.url, request("text", n=1), "-i").decode()
    [line] = [line for line in answer.splitlines() if line.lower().startswith("x-tapedeck-call:")]
    tapedeck.stop(proxy)
    assert tapedeck.show(line.split(":")[1].strip())["state"] == "done"
