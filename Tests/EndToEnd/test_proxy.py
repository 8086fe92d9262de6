"""How the recording proxy behaves towards clients and upstreams that do not behave."""

import hashlib
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import threading
import time

import pytest

import raw_http
from conftest import Tapedeck, curl, request
from test_durability import small_disk
from test_replay import replay
from test_serve import get
from upstream import Upstream, text_frames

STREAM = "/v2/deployments/stream"


def memory(process, key="VmRSS"):
    """MB."""
    text = pathlib.Path(f"/proc/{process.pid}/status").read_text()
    return int(re.search(rf"{key}:\s+(\d+) kB", text)[1]) / 1024


def stalled(url, body, size=4096):
    """A client that has asked and does not read."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, size)
    host, port = url.removeprefix("http://").split(":")
    client.connect((host, int(port)))
    body = body.encode()
    client.sendall(f"POST {STREAM} HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
    return client


def read_all(client):
    data = bytearray()
    while piece := client.recv(1 << 20):
        data += piece
    return bytes(data)


def dechunk(data):
    head, _, rest = data.partition(b"\r\n\r\n")
    body = bytearray()
    at = 0
    while size := int(rest[at : (end := rest.index(b"\r\n", at))], 16):
        body += rest[end + 2 : end + 2 + size]
        at = end + 2 + size + 2
    return bytes(body)


# Clients that leave.


def test_upstream_is_aborted_when_the_client_has_left_also_while_it_is_silent(tapedeck, upstream):
    proxy = tapedeck.serve(upstream.url)
    for key in ("silent", "stalls"):
        before = len(upstream.requests)
        client = raw_http.Client(proxy.url)
        client.send(request(key, seconds=1))
        tapedeck.wait_for(lambda: len(upstream.requests) > before)
        time.sleep(0.2)
        client.close()
        state = lambda: [c["state"] for c in tapedeck.calls()].count("client_abort") == 1 + ("silent", "stalls").index(key)
        tapedeck.wait_for(state, seconds=5)
    tapedeck.stop(proxy)


def test_drain_on_abort_records_to_the_end(tapedeck, upstream):
    proxy = tapedeck.serve(upstream.url, "--drain-on-abort")
    curl(proxy.url, request("text", n=30, gap_ms=30), "--max-time", "0.3", check=False)
    [call] = tapedeck.wait_for(lambda: tapedeck.calls("--state", "done"))
    tapedeck.stop(proxy)
    assert tapedeck.run("cat", call["call_id"], text=False) == b"".join(text_frames(30))
    assert upstream.aborted == 0


@pytest.mark.parametrize("key, expected", [("text", b"".join(text_frames(20))), ("silent", b"")])
def test_a_client_that_sends_no_more_is_served(tapedeck, upstream, key, expected):
    proxy = tapedeck.serve(upstream.url)
    client = raw_http.Client(proxy.url)
    client.send(request(key, gap_ms=20, seconds=1))
    client.socket.shutdown(socket.SHUT_WR)
    answer = client.answer()
    assert (answer.status, answer.body, answer.end) == ((200, expected, "last_chunk") if expected else (502, answer.body, "length"))
    tapedeck.stop(proxy)


# Upstreams.


def test_a_reset_inside_the_body_is_a_cut_with_its_reason(tapedeck, upstream):
    proxy = tapedeck.serve(upstream.url)
    answer = raw_http.post(proxy.url, request("resets"))
    assert answer.status == 200 and answer.end in ("eof", "reset") and b"Hel" in answer.body
    tapedeck.stop(proxy)
    shown = tapedeck.show("@1")
    assert shown["state"] == "upstream_cut" and shown["choices"][0]["content"] == "Hel"


def test_an_upstream_that_never_answers_is_a_504(tapedeck, upstream):
    proxy = tapedeck.serve(upstream.url, "--idle-timeout", "1s")
    answer = raw_http.post(proxy.url, request("silent", seconds=20))
    assert answer.status == 504 and answer.json()["error"]["code"] == "upstream_timeout"
    tapedeck.stop(proxy)
    shown = tapedeck.show("@1")
    assert shown["state"] == "upstream_error" and "nothing from" in shown["error"]["message"]


# The archive.


def test_with_stop_nobody_gets_what_is_not_on_tape(tapedeck, upstream):
    """The size limit of the process plays the full disk."""
    proxy = tapedeck.serve(upstream.url, "--no-index", "--no-seal", "--on-archive-failure", "stop",
                           prefix=["prlimit", "--fsize=262144:unlimited"])
    answer = raw_http.post(proxy.url, request("big_frames"))
    received = answer.body
    if answer.status == 503:
        # The very first bytes found no room, so the answer is still the proxy's own.
        assert answer.end == "length" and answer.json()["error"]["code"] == "archive_failure"
        received = b""
    else:
        assert answer.end in ("eof", "reset")
    health = raw_http.post(proxy.url, "", "/healthz", "GET")
    assert health.status == 503 and health.json()["status"] == "failing"
    # A new call is refused before upstream is asked.
    asked = len(upstream.requests)
    refused = raw_http.post(proxy.url, request("text"))
    assert refused.status == 503 and refused.json()["error"]["code"] == "archive_failure"
    assert len(upstream.requests) == asked
    subprocess.run(["prlimit", "--fsize=unlimited:unlimited", "--pid", str(proxy.pid)], check=True)
    tapedeck.wait_for(lambda: "takes writes again" in proxy.log.read_text())
    assert raw_http.post(proxy.url, request("text", n=3)).body == b"".join(text_frames(3))
    tapedeck.stop(proxy)
    tapedeck.run("index")
    taped = tapedeck.run("cat", tapedeck.calls()[-1]["call_id"], text=False, code=None)
    assert taped.startswith(received)


def test_a_disk_that_is_full_and_freed_again(tmp_path, upstream):
    """Streams go on, recording goes on by itself, and what is missing is counted everywhere."""
    disk = small_disk(tmp_path / "disk")
    if not disk:
        pytest.skip("no disk of its own can be made here")
    deck = Tapedeck(disk / "store")
    log = tmp_path / "log"
    try:
        deck.store.parent.joinpath("filler").write_bytes(b"")
        proxy = deck.serve(upstream.url, "--no-index", "--no-seal")
        small = request("text", n=5)
        assert curl(proxy.url, small) == b"".join(text_frames(5))
        with open(disk / "filler", "wb") as filler:
            while os.statvfs(disk).f_bavail > 0:
                filler.write(bytes(4096))
                filler.flush()
        middle = request("text", n=2000)
        assert curl(proxy.url, middle) == b"".join(text_frames(2000))
        health = raw_http.post(proxy.url, "", "/healthz", "GET")
        assert (health.status, health.json()["status"]) == (200, "not_recording")
        assert "recording fails, streams go on without tape" in proxy.log.read_text()
        (disk / "filler").unlink()
        deck.wait_for(lambda: "takes writes again" in proxy.log.read_text())
        assert raw_http.post(proxy.url, "", "/healthz", "GET").json() == {"status": "ok"}
        last = curl(proxy.url, small)
        deck.stop(proxy)
        shutil.copy(proxy.log, log)
        deck.run("index")
        assert deck.run("cat", "@1", text=False) == last
        gaps = deck.json("status")["gaps"]
        assert gaps["calls"] == 1 and gaps["frames"] > 0 and gaps["bytes"] > 0
        assert any("not the tape" in d["message"] or "gap" in d["kind"] for d in deck.show("@2")["defects"])
        for process in deck.running:
            process.wait()
    finally:
        for process in deck.running:
            process.kill()
        subprocess.run(["umount", "-l", disk], check=True)


def test_a_journal_that_ends_and_a_seal_inside_a_stream(tapedeck, upstream):
    """150 MB are more than two journals hold, and the ones that are closed are sealed while the call goes on."""
    proxy = tapedeck.serve(upstream.url)
    got = {}
    body = request("flood", mb=150)
    reader = threading.Thread(target=lambda: got.update(direct=curl(proxy.url, body, timeout=120)))
    reader.start()
    for number in range(5):
        curl(proxy.url, request("text", n=3 + number))
    while reader.is_alive():
        tapedeck.run("seal")
        time.sleep(0.3)
    reader.join()
    tapedeck.stop(proxy)
    [call] = tapedeck.calls("--deployment", "flood")
    assert len(got["direct"]) == 150 << 20 and call["state"] == "upstream_cut"  # there is no [DONE] in it
    assert tapedeck.run("cat", call["call_id"], text=False) == got["direct"]
    assert len(tapedeck.calls("--deployment", "text")) == 5
    tapedeck.run("verify")


# Clients that are slow.


def test_a_stalled_reader_pauses_upstream_in_bounded_memory(tapedeck, upstream):
    proxy = tapedeck.serve(upstream.url, "--no-index", "--no-seal")
    curl(proxy.url, request("text"))
    before = memory(proxy)
    client = stalled(proxy.url, request("flood", mb=200))
    tapedeck.wait_for(lambda: upstream.flooded)
    time.sleep(1.5)
    held = upstream.flooded
    time.sleep(0.5)
    assert upstream.flooded == held < 40, "upstream is not paused"
    assert memory(proxy, "VmHWM") - before < 24
    body = dechunk(read_all(client))
    assert len(body) == 200 << 20 and memory(proxy, "VmHWM") - before < 40
    tapedeck.stop(proxy)
    tapedeck.run("index")
    [call] = tapedeck.calls("--deployment", "flood")
    assert tapedeck.run("cat", call["call_id"], text=False) == body


def test_many_stalled_readers_do_not_hold_up_others(tapedeck, upstream):
    proxy = tapedeck.serve(upstream.url, "--no-index", "--no-seal")
    curl(proxy.url, request("text"))
    before = memory(proxy)
    clients = [stalled(proxy.url, request(f"flood-{n}", mb=200)) for n in range(32)]
    tapedeck.wait_for(lambda: upstream.flooded >= 32)
    time.sleep(2)
    assert memory(proxy, "VmHWM") - before < 32 * 4 + 16
    assert curl(proxy.url, request("text", n=9)) == b"".join(text_frames(9))
    for client in clients:
        client.close()
    tapedeck.wait_for(lambda: upstream.aborted >= 32)
    tapedeck.stop(proxy)


# Several upstreams.


def configured(tapedeck, text):
    path = tapedeck.store.parent / "config.toml"
    path.write_text(text)
    return path


def test_requests_go_to_the_upstream_of_their_path(tapedeck, upstream):
    other, third = Upstream(), Upstream()
    path = configured(tapedeck, f"""
[[route]]
prefix = "/anthropic"
upstream = "{other.url}"

[[route]]
prefix = "/anthropic/beta"
upstream = "{third.url}/gateway"
""")
    listed = tapedeck.run("config", "check", path)
    assert listed == f"route: /anthropic/beta -> {third.url}/gateway\nroute: /anthropic -> {other.url}\n"
    proxy = tapedeck.serve(upstream.url, "--config", path)
    asked = [("/anthropic/v1/messages", other, "/v1/messages"), ("/anthropic/beta/v1/messages?b=1", third, "/gateway/v1/messages?b=1"),
             ("/v1/messages", upstream, "/v1/messages"), ("/anthropics/v1/messages", upstream, "/anthropics/v1/messages"),
             ("/anthropic", other, "/"), ("/anthropic?x=1", other, "/?x=1")]
    answers = {}
    for target, server, expected in asked:
        answer = raw_http.post(proxy.url, '{"model":"m","messages":[]}', target, headers=["X-Play: anthropic_text"])
        assert server.requests[-1]["path"] == expected, target
        answers[target] = answer.body
    tapedeck.stop(proxy)
    calls = {call["call_id"]: call for call in tapedeck.calls()}
    assert len(calls) == 6 and {call["state"] for call in calls.values()} == {"done"}
    assert {call["provider"] for call in calls.values()} == {"anthropic"}
    # The replay server has them under the paths that clients ask for.
    url = replay(tapedeck, "--match", "sequence").url
    for target in ("/anthropic/v1/messages", "/anthropic/beta/v1/messages?b=1", "/v1/messages"):
        answer = raw_http.post(url, '{"model":"m","messages":[]}', target)
        assert (answer.status, answer.body) == (200, answers[target]), target
    other.stop()
    third.stop()


def test_without_a_usual_upstream_other_paths_are_404(tapedeck, upstream):
    path = configured(tapedeck, f'listen = "127.0.0.1:0"\nui = "off"\n[[route]]\nprefix = "/a"\nupstream = "{upstream.url}"\n')
    process = tapedeck.popen("serve", "--config", path, stderr=subprocess.PIPE, text=True)
    url = re.search(r"http://\S+", process.stderr.readline())[0]
    assert raw_http.post(url, request("text", n=2), "/a" + STREAM).body == b"".join(text_frames(2))
    answer = raw_http.post(url, request("text", n=2))
    assert answer.status == 404 and answer.json()["error"]["code"] == "no_upstream" and "/a" in answer.json()["error"]["message"]
    process.terminate()
    assert process.wait(30) == 0


@pytest.mark.parametrize("rows, hint", [
    ('[[route]]\nprefix = "anthropic"\nupstream = "https://x"', "line 2, column 10"),
    ('[[route]]\nprefix = "/a/"\nupstream = "https://x"', "line 2, column 10"),
    ('[[route]]\nprefix = "/"\nupstream = "https://x"', "line 2, column 10"),
    ('[[route]]\nprefix = "/a/../b"\nupstream = "https://x"', "line 2, column 10"),
    ('[[route]]\nprefix = "/a"\nupstream = "ftp://x"', "line 3, column 12"),
    ('[[route]]\nprefix = "/a"\nupstream = "https://"', "line 3, column 12"),
    ('[[route]]\nprefix = "/a"\nupstream = "https://x/?q=1"', "line 3, column 12"),
    ('[[route]]\nprefix = "/a"', "a prefix and an upstream"),
    ('[[route]]\nprefx = "/a"', "did you mean prefix?"),
    ('[route]\nprefix = "/a"', "two brackets"),
    ('[[route]]\nprefix = "/a"\nupstream = "https://x"\n[[route]]\nprefix = "/a"\nupstream = "https://y"', "already"),
    ('[[rout]]\nprefix = "/a"', "did you mean route?"),
])
def test_routes_that_make_no_sense_are_named(tapedeck, rows, hint):
    tapedeck.run("config", "check", configured(tapedeck, rows), code=64)
    assert hint in tapedeck.stderr


def test_credentials_of_an_upstream_are_not_shown(tapedeck):
    path = configured(tapedeck, 'upstream = "https://u:hush@api.example"\n[[route]]\nprefix = "/a"\nupstream = "https://me:hush@api.example/x@y"\n')
    assert tapedeck.run("config", "check", path) == "upstream = https://api.example\nroute: /a -> https://api.example/x@y\n"


# The call's name.


def test_the_name_of_a_call_is_no_header_of_upstreams(tapedeck, upstream):
    proxy = tapedeck.serve(upstream.url)
    answer = raw_http.post(proxy.url, request("named"))
    names = [value for key, value in answer.headers if key.lower() == "x-tapedeck-call"]
    assert len(names) == 1 and names[0] != "01JD0Z6Q8R3T5V7W9XABCDEFGH"
    other = raw_http.post(proxy.url, "", "/v2/models", "GET")
    assert other.header("x-tapedeck-call") is None
    tapedeck.stop(proxy)
    exported = tapedeck.run("export", "--to", "frames", names[0])
    assert "x-tapedeck-call" not in exported.lower()
    url = replay(tapedeck).url
    again = raw_http.post(url, request("named"))
    assert again.body == answer.body and again.header("x-tapedeck-call") == names[0]


# Health and limits.


def test_health_is_the_proxys_own(tapedeck, upstream):
    proxy = tapedeck.serve(upstream.url)
    assert get(proxy.url + "/healthz")[0] == 200 and json.loads(get(proxy.url + "/healthz")[2]) == {"status": "ok"}
    assert upstream.requests == []
    assert raw_http.post(proxy.url, "{}", "/healthz", "POST").status == 200 and upstream.requests[-1]["path"] == "/healthz"


def test_limits_have_names_and_a_status_each(tapedeck, upstream):
    proxy = tapedeck.serve(upstream.url, "--max-header-bytes", "4K", "--max-body-bytes", "10K", "--max-connections", "3")
    long = raw_http.post(proxy.url, "{}", headers=["X-Long: " + "a" * 5000])
    assert long.status == 431 and long.json()["error"]["code"] == "header_too_large" and "4096" in long.json()["error"]["message"]
    large = raw_http.post(proxy.url, "x" * 10_241)
    assert large.status == 413 and large.json()["error"]["code"] == "body_too_large"
    assert raw_http.post(proxy.url, "x" * 10_240, "/v2/models").status == 200
    time.sleep(0.1)
    clients = [raw_http.Client(proxy.url) for _ in range(3)]
    assert all(client.post("", "/v2/models", "GET").status == 200 for client in clients)
    crowded = raw_http.Client(proxy.url).answer()
    assert crowded.status == 503 and crowded.json()["error"]["code"] == "too_many_connections"
    clients[0].close()
    time.sleep(0.3)
    tapedeck.wait_for(lambda: raw_http.post(proxy.url, "", "/v2/models", "GET").status == 200)
    assert clients[1].post("", "/v2/models", "GET").status == 200
    for flag, value in (("--max-connections", "0"), ("--max-header-bytes", "1M"), ("--max-body-bytes", "many")):
        tapedeck.run("serve", "--upstream", upstream.url, flag, value, code=64)
        assert flag in tapedeck.stderr


def test_limits_come_from_the_file_too(tapedeck, upstream):
    path = configured(tapedeck, 'max-connections = 5\nmax-header-bytes = "2K"\nmax-body-bytes = 100\n')
    assert tapedeck.run("config", "check", path) == "max-connections = 5\nmax-header-bytes = 2K\nmax-body-bytes = 100\n"
    proxy = tapedeck.serve(upstream.url, "--config", path)
    assert raw_http.post(proxy.url, "x" * 101).status == 413
    bad = configured(tapedeck, "max-connections = true\n")
    tapedeck.run("config", "check", bad, code=64)
    assert "a number" in tapedeck.stderr


def test_without_descriptors_clients_get_503_and_the_tape_goes_on(tapedeck, upstream):
    proxy = tapedeck.serve(upstream.url, "--no-index", "--no-seal", prefix=["prlimit", "--nofile=160:160"])
    busy, refused = [], []
    for number in range(150):
        client = raw_http.Client(proxy.url)
        client.send(request(f"text-{number}", n=200, gap_ms=20))
        busy.append(client)
    answers = [client.answer() for client in busy]
    for answer in answers:
        if answer.status == 200:
            assert answer.body == b"".join(text_frames(200)) and answer.end == "last_chunk"
        else:
            assert answer.status == 503 and answer.json()["error"]["code"] == "too_many_files", answer
            refused.append(answer)
    served = len(answers) - len(refused)
    assert served >= 50 and refused, served
    assert "as many files open as it may, 160" in proxy.log.read_text()
    for client in busy:
        client.close()
    tapedeck.wait_for(lambda: raw_http.post(proxy.url, "", "/v2/models", "GET").status == 200)
    assert raw_http.post(proxy.url, request("text", n=3)).body == b"".join(text_frames(3))
    tapedeck.stop(proxy)
    assert "recording fails" not in proxy.log.read_text()
    tapedeck.run("index")
    assert len(tapedeck.calls("--state", "done")) == served + 1


# HTTP.


def test_any_method_and_any_header_byte_pass(tapedeck, upstream):
    proxy = tapedeck.serve(upstream.url)
    for method in ("QUERY", "MKCOL", "get", "PURGE", "X-!#$%&'*+.^_`|~1"):
        answer = raw_http.post(proxy.url, "{}", "/v2/models", method)
        assert answer.status == 200 and upstream.requests[-1]["method"] == method
    client = raw_http.Client(proxy.url)
    value = bytes(range(0x80, 0x100)) + "é数".encode()
    client.socket.sendall(b"GET /v2/caf\xe9?n=\xff HTTP/1.1\r\nHost: h\r\nX-Raw: " + value + b"\r\nX-Text: " + "é".encode() + b"\r\n\r\n")
    assert client.answer().status == 200
    seen = upstream.requests[-1]
    assert seen["path"].encode("latin-1") == b"/v2/caf\xe9?n=\xff"
    assert dict(seen["headers"])["X-Raw"].encode("latin-1") == value
    assert dict(seen["headers"])["X-Text"].encode("latin-1") == "é".encode()
    answer = raw_http.post(proxy.url, request("trailers"))
    assert answer.header("x-latin") == "caf\xe9"
    tapedeck.stop(proxy)
    tapedeck.run("verify")


def test_trailers_reach_the_client_but_for_those_that_frame_the_message(tapedeck, upstream):
    proxy = tapedeck.serve(upstream.url)
    client = raw_http.Client(proxy.url)
    client.send(request("trailers"), headers=["Connection: close"])
    data = read_all(client.socket)
    assert data.endswith(b"\r\n0\r\nX-Sum: 42\r\n\r\n")
    tapedeck.stop(proxy)
    assert tapedeck.run("cat", "@1", text=False) == b"".join(text_frames(2))


class Sink:
    """An upstream that reads a body slowly, and says what it was."""

    def __init__(self, pause=0.0):
        self.server = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.server.getsockname()[1]}"
        self.pause, self.got, self.heads = pause, 0, []
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            connection, _ = self.server.accept()
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        try:
            self.answer(connection, connection.makefile("rb"))
        except (ConnectionError, ValueError):
            pass

    def answer(self, connection, reader):
        while line := reader.readline():
            head = [line.decode().strip()]
            while (line := reader.readline()) not in (b"\r\n", b""):
                head.append(line.decode().strip().lower())
            self.heads.append(head)
            digest = hashlib.sha256()
            for piece in self.body(reader, head):
                digest.update(piece)
                self.got += len(piece)
                time.sleep(self.pause)
            answer = digest.hexdigest().encode()
            kind = b"text/event-stream" if "stream" in head[0] else b"text/plain"
            if kind == b"text/event-stream":
                answer = b"data: " + answer + b"\n\n"
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s" % (kind, len(answer), answer))

    @staticmethod
    def body(reader, head):
        if "transfer-encoding: chunked" in head:
            while size := int(reader.readline(), 16):
                yield reader.read(size)
                reader.readline()
            reader.readline()
            return
        left = next((int(line.split(": ")[1]) for line in head if line.startswith("content-length")), 0)
        while left:
            piece = reader.read(min(left, 1 << 16))
            if not piece:
                return
            left -= len(piece)
            yield piece


@pytest.mark.parametrize("chunked", [False, True])
def test_a_large_body_goes_upstream_while_it_comes_in(tapedeck, chunked):
    sink = Sink(pause=0.001)
    proxy = tapedeck.serve(sink.url, "--no-index", "--no-seal", "--max-body-bytes", "300M")
    get(proxy.url + "/warm")
    before = memory(proxy)
    client = raw_http.Client(proxy.url)
    length = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {100 << 20}"
    client.socket.sendall(f"POST /v1/files HTTP/1.1\r\nHost: h\r\n{length}\r\n\r\n".encode())
    digest = hashlib.sha256()
    for number in range(100):
        piece = os.urandom(1 << 10) * 1024
        digest.update(piece)
        client.socket.sendall(b"%x\r\n%s\r\n" % (len(piece), piece) if chunked else piece)
        if number == 20:
            assert sink.got > 1 << 20, "nothing goes upstream before all is there"
    if chunked:
        client.socket.sendall(b"0\r\n\r\n")
    assert client.answer().body.decode() == digest.hexdigest()
    assert memory(proxy, "VmHWM") - before < 24
    # The connection goes on, and what streams back is taped with a note instead of the body.
    body = b"z" * (1 << 20)
    answer = client.post(body, "/v1/stream-of-mine")
    assert answer.body == b"data: " + hashlib.sha256(body).hexdigest().encode() + b"\n\n"
    tapedeck.stop(proxy)
    tapedeck.run("index")
    [call] = tapedeck.calls()
    assert "request:large" in str(tapedeck.run("export", "--to", "frames", call["call_id"]))


def test_a_client_that_leaves_inside_its_large_body_and_one_that_sends_too_much(tapedeck):
    sink = Sink()
    proxy = tapedeck.serve(sink.url, "--no-index", "--no-seal", "--max-body-bytes", "2M")
    client = raw_http.Client(proxy.url)
    client.socket.sendall(b"POST /v1/files HTTP/1.1\r\nHost: h\r\nContent-Length: 2000000\r\n\r\n" + b"x" * 1_000_000)
    tapedeck.wait_for(lambda: sink.got)
    client.close()
    large = raw_http.post(proxy.url, b"x" * ((2 << 20) + 1), "/v1/files")
    assert large.status == 413
    client = raw_http.Client(proxy.url)
    client.socket.sendall(b"POST /v1/files HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n")
    for _ in range(3):
        client.socket.sendall(b"100000\r\n" + b"x" * (1 << 20) + b"\r\n")
    assert client.answer().status == 413
    assert get(proxy.url + "/still")[0] == 200
    tapedeck.stop(proxy)


def test_what_is_no_http_is_told_so_at_once(tapedeck, upstream):
    proxy = tapedeck.serve(upstream.url)
    client = raw_http.Client(proxy.url)
    client.socket.sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
    answer = client.answer()
    assert answer.status == 400 and "plain HTTP" in answer.json()["error"]["message"]
