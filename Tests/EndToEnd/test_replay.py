"""The replay server: what was recorded through the proxy, to the byte, the chunk and the cut."""

import asyncio
import hashlib
import http.server
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import openai
import pytest
from orq_ai_sdk import Orq

import raw_http
from conftest import BIN, KEY, curl, request


def replay(deck, *flags):
    return deck.replay_server(*flags)


def recorded(deck, upstream, *bodies):
    """What the proxy's clients got, in the order of the calls."""
    proxy = deck.serve(upstream.url)
    answers = [raw_http.post(proxy.url, body) for body in bodies]
    deck.stop(proxy)
    return answers


def frames_of(deck, call):
    raw, frames, at = deck.run("cat", call, text=False), [], 0
    for frame in deck.json("frames", call):
        frames.append(raw[at : at + frame["bytes"]])
        at += frame["bytes"]
    assert at == len(raw)
    return frames


def test_frames_boundaries_status_and_headers_are_those_of_the_recording(tapedeck, upstream):
    [first] = recorded(tapedeck, upstream, request("text", n=30))
    [call] = tapedeck.calls()
    server = replay(tapedeck, "--pace", "instant")
    answer = raw_http.post(server.url, request("text", n=30))
    assert (answer.status, answer.end, answer.body) == (200, "last_chunk", first.body)
    assert answer.chunks == frames_of(tapedeck, call["call_id"]) and len(answer.chunks) == 32
    assert sorted(answer.headers) == sorted(first.headers)
    tapedeck.stop(server)
    log = server.log.read_text()
    assert re.search(rf"replayed {call['call_id']}: 200, 32 frames, {len(first.body)} bytes, sha256 ok", log), log
    assert "replayed in all: 1 call, 32 frames" in log


@pytest.mark.parametrize("change", [
    lambda r: {**r, "stream": False}, lambda r: {k: v for k, v in r.items() if k != "stream"},
    lambda r: dict(reversed(r.items())), lambda r: {**r, "inputs": {"n": 5.0, "t": 7e-1}},
    lambda r: {**r, "invoke_options": {"include_usage": True}}, lambda r: {**r, "stream_options": {"include_usage": True}},
    lambda r: {**r, "request_id": "r-17", "metadata": {"trace_id": "x"}},
])
def test_a_request_is_found_by_what_it_asks_not_by_how_it_is_written(tapedeck, upstream, change):
    body = json.loads(request("text", n=5, t=0.7))
    [first] = recorded(tapedeck, upstream, json.dumps(body))
    server = replay(tapedeck, "--pace", "instant")
    answer = raw_http.post(server.url, json.dumps(change(body), indent=3))
    assert answer.status == 200 and answer.body == first.body


@pytest.mark.parametrize("change, path", [
    (lambda r: {**r, "inputs": {"n": 6}}, "inputs.n"), (lambda r: {**r, "thread": {"id": "t2"}}, "thread.id"),
    (lambda r: {**r, "temperature": 1}, "temperature"), (lambda r: {**r, "key": "other"}, "key"),
])
def test_without_a_match_the_nearest_recording_and_the_difference_are_named(tapedeck, upstream, change, path):
    recorded(tapedeck, upstream, request("text", n=5), request("echo", say="something else altogether"))
    call = tapedeck.calls("--deployment", "text")[0]["call_id"]
    server = replay(tapedeck, "--pace", "instant")
    answer = raw_http.post(server.url, json.dumps(change(json.loads(request("text", n=5)))))
    error = answer.json()["error"]
    assert answer.status == 404 and answer.header("content-type") == "application/json"
    assert error["code"] == "no_recording" and error["nearest"]["call_id"] == call
    assert [d["path"] for d in error["differences"]] == [path] and path in error["message"] and call in error["message"]


def test_what_a_user_names_does_not_count(tapedeck, upstream):
    [first] = recorded(tapedeck, upstream, request("text", n=5))
    server = replay(tapedeck, "--pace", "instant", "--ignore", "thread.id", "--ignore", "identity")
    body = json.loads(request("text", n=5))
    assert raw_http.post(server.url, json.dumps({**body, "thread": {"id": "new"}})).body == first.body
    del body["identity"]
    assert raw_http.post(server.url, json.dumps(body)).body == first.body
    assert raw_http.post(server.url, json.dumps({**body, "inputs": {"n": 6}})).status == 404


def three(deck, upstream):
    """Three recordings of one request, told apart by what upstream said; their bodies in order."""
    said = iter(["one", "two", "three"])
    upstream.play_turns = lambda connection, request: upstream.play_echo(connection, {"inputs": {"say": next(said)}})
    answers = recorded(deck, upstream, *[request("turns")] * 3)
    bodies = [answer.body for answer in answers]
    assert len(set(bodies)) == 3
    return bodies


def test_repeats_get_successive_recordings_and_then_the_last(tapedeck, upstream):
    one, two, three_ = three(tapedeck, upstream)
    for match in ("body", "key"):
        server = replay(tapedeck, "--pace", "instant", "--match", match)
        assert [raw_http.post(server.url, request("turns")).body for _ in range(5)] == [one, two, three_, three_, three_]
        tapedeck.stop(server)


def test_a_sequence_ends_and_loops_only_if_told_to(tapedeck, upstream):
    bodies = three(tapedeck, upstream)
    server = replay(tapedeck, "--pace", "instant", "--match", "sequence")
    # Whatever is asked.
    assert [raw_http.post(server.url, "what?").body for _ in range(3)] == bodies
    answer = raw_http.post(server.url, request("turns"))
    assert answer.status == 404 and answer.json()["error"]["code"] == "recordings_used_up"
    assert raw_http.post(server.url, "x", path="/v1/other").json()["error"]["code"] == "no_recording"
    tapedeck.stop(server)
    server = replay(tapedeck, "--pace", "instant", "--match", "sequence", "--loop")
    assert [raw_http.post(server.url, request("turns")).body for _ in range(7)] == bodies * 2 + bodies[:1]


def test_by_key_any_body_of_the_deployment_does(tapedeck, upstream):
    text, echo = recorded(tapedeck, upstream, request("text", n=3), request("echo", say="hello you"))
    server = replay(tapedeck, "--pace", "instant", "--match", "key")
    assert raw_http.post(server.url, json.dumps({"key": "echo"})).body == echo.body
    assert raw_http.post(server.url, json.dumps({"key": "text", "messages": [1]})).body == text.body
    error = raw_http.post(server.url, json.dumps({"key": "tex"})).json()["error"]
    assert error["differences"][0]["path"] == "key"


@pytest.mark.parametrize("key, status, end", [
    ("closes_mid_frame", 200, "eof"), ("unauthorized", 401, "length"), ("html", 502, "length"),
    ("error_frame", 200, "last_chunk"), ("empty", 200, "last_chunk"), ("gzip", 200, "last_chunk"),
    ("invalid_utf8", 200, "last_chunk"), ("big_frames", 200, "last_chunk"), ("in_pieces", 200, "last_chunk"),
    ("refuse", 502, "length"), ("invoke", 200, "length"), ("resets", 200, "reset"),
])
def test_it_ends_as_it_ended(tapedeck, upstream, key, status, end):
    def resets(connection, request):
        upstream.stream(connection, [b"data: {\"a\":1}\n\n"], end=False)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        return False

    upstream.play_resets = resets
    [first] = recorded(tapedeck, upstream, request(key))
    server = replay(tapedeck, "--pace", "instant")
    answer = raw_http.post(server.url, request(key))
    assert (answer.status, answer.end) == (status, end)
    assert answer.body == first.body and first.status == status
    if key != "resets":
        assert answer.end == first.end
    tapedeck.stop(server)
    assert "DIFFERS" not in server.log.read_text()


def test_a_call_that_its_client_left_is_played_to_where_it_left(tapedeck, upstream):
    proxy = tapedeck.serve(upstream.url)
    client = raw_http.Client(proxy.url)
    client.send(request("forever", gap_ms=5))
    client.until(b"piece 9 ")
    client.close()
    tapedeck.wait_for(lambda: tapedeck.calls("--state", "client_abort"))
    tapedeck.stop(proxy)
    [call] = tapedeck.calls()
    server = replay(tapedeck, "--pace", "instant")
    answer = raw_http.post(server.url, request("forever", gap_ms=5))
    assert answer.end == "eof" and b"piece 9 " in answer.body
    assert answer.body == tapedeck.run("cat", call["call_id"], text=False)


def test_a_call_whose_recorder_was_killed_is_played_to_where_it_is_on_tape(tapedeck, upstream):
    proxy = tapedeck.serve(upstream.url, "--no-index", "--no-seal")
    client = raw_http.Client(proxy.url)
    client.send(request("forever", gap_ms=5))
    client.until(b"piece 9 ")
    proxy.kill()
    proxy.wait()
    client.close()
    server = replay(tapedeck, "--pace", "instant")
    answer = raw_http.post(server.url, request("forever", gap_ms=5))
    assert answer.status == 200 and answer.end == "eof" and b"piece 9 " in answer.body


def test_the_order_and_the_bytes_are_the_same_at_every_pace(tapedeck, upstream):
    [first] = recorded(tapedeck, upstream, request("text", n=12, gap_ms=20))
    [call] = tapedeck.calls()
    frames = frames_of(tapedeck, call["call_id"])
    for pace in ("original", "2x", "0.9x", "fixed:5ms", "instant"):
        server = replay(tapedeck, "--pace", pace)
        started = time.monotonic()
        answer = raw_http.post(server.url, request("text", n=12, gap_ms=20))
        took = time.monotonic() - started
        assert answer.chunks == frames and answer.body == first.body and answer.end == "last_chunk"
        tapedeck.stop(server)
        log = server.log.read_text()
        assert "sha256 ok" in log and ("late p50" in log) == (pace != "instant")
        # Never early: that holds on any machine.
        least = {"original": 0.24, "2x": 0.12, "0.9x": 0.25, "fixed:5ms": 0.06, "instant": 0}[pace]
        assert took >= least


def test_fifty_clients_at_once_each_get_theirs(tapedeck, upstream):
    bodies = [request("echo", say=f"answer number {n} " * 5) for n in range(50)]
    first = recorded(tapedeck, upstream, *bodies)
    server = replay(tapedeck, "--pace", "fixed:2ms")
    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(lambda body: raw_http.post(server.url, body), bodies))
    assert [a.body for a in answers] == [f.body for f in first]
    assert all(a.end == "last_chunk" for a in answers)


def test_fifty_clients_of_one_sequence_get_each_recording_once(tapedeck, upstream):
    bodies = [request("echo", say=f"answer number {n}") for n in range(50)]
    first = recorded(tapedeck, upstream, *bodies)
    server = replay(tapedeck, "--pace", "instant", "--match", "sequence")
    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(lambda body: raw_http.post(server.url, body), bodies))
    assert sorted(a.body for a in answers) == sorted(f.body for f in first)


def test_neighbours_that_are_asked_for_together_are_each_what_they_were(tapedeck, upstream):
    bodies = [request("echo", say=f"neighbour {n} " * 3) for n in range(40)]
    first = recorded(tapedeck, upstream, *bodies)
    tapedeck.run("seal")
    server = replay(tapedeck, "--pace", "instant")
    for _ in range(2):
        with ThreadPoolExecutor(40) as pool:
            assert [a.body for a in pool.map(lambda body: raw_http.post(server.url, body), bodies)] == [f.body for f in first]
    tapedeck.stop(server)
    assert "sha256 ok for 80" in server.log.read_text()


@pytest.mark.parametrize("when", ["before the start", "while it runs"])
def test_a_recording_that_is_damaged_is_not_played_as_a_whole_one(tapedeck, upstream, when):
    proxy = tapedeck.serve(upstream.url, "--no-seal")
    whole = [raw_http.post(proxy.url, request("text", n=30, x=x)) for x in range(3)]
    tapedeck.stop(proxy)
    [journal] = (tapedeck.store / "archive").glob("J-*")

    def damage():
        content = bytearray(journal.read_bytes())
        content[content.index(b"data: ", len(content) // 2) + 2] ^= 1
        with open(journal, "r+b") as file:
            file.write(content)

    if when == "before the start":
        damage()
    server = replay(tapedeck, "--pace", "instant")
    if when != "before the start":
        damage()
    answers = [raw_http.post(server.url, request("text", n=30, x=x)) for x in range(3)]
    bad = [answer for answer in answers if answer.status == 500]
    assert len(bad) == 1 and bad[0].json()["error"]["code"] == "recording_unreadable"
    assert [answer.body for answer in answers if answer.status == 200] == [
        answer.body for answer, played in zip(whole, answers) if played.status == 200]
    tapedeck.stop(server)


@pytest.mark.parametrize("sealed", [False, True])
def test_a_recording_that_was_just_played_is_not_played_once_it_is_erased(tapedeck, upstream, sealed):
    proxy = tapedeck.serve(upstream.url, "--no-seal")
    for n in range(4):
        raw_http.post(proxy.url, request("text", n=3, x=n))
    tapedeck.stop(proxy)
    if sealed:
        tapedeck.run("seal")
    server = replay(tapedeck, "--pace", "instant")
    for n in range(4):
        assert raw_http.post(server.url, request("text", n=3, x=n)).status == 200
    call = tapedeck.calls()[1]["call_id"]
    tapedeck.run("erase", "--call", call, "--yes")
    answers = [raw_http.post(server.url, request("text", n=3, x=n)) for n in range(4)]
    assert [answer.status for answer in answers] == [200, 200, 410, 200]
    assert answers[2].json()["error"]["code"] == "recording_erased"
    tapedeck.stop(server)


def test_who_leaves_behind_the_last_frame_had_all_of_it(tapedeck, upstream):
    def waits(connection, request):
        upstream.stream(connection, [b"data: 1\n\n", b"data: [DONE]\n\n"], end=False)
        time.sleep(1)
        connection.sendall(b"0\r\n\r\n")
        return True

    upstream.play_waits = waits
    recorded(tapedeck, upstream, request("waits"))
    server = replay(tapedeck)
    client = raw_http.Client(server.url)
    client.send(request("waits"))
    client.until(b"[DONE]\n\n")
    client.close()
    tapedeck.wait_for(lambda: "2 frames, 23 bytes, sha256 ok" in server.log.read_text())


def test_sealed_unsealed_and_live_stores_serve_the_same(tapedeck, upstream):
    proxy = tapedeck.serve(upstream.url, "--no-seal")
    first = raw_http.post(proxy.url, request("text", n=9))
    held = raw_http.Client(proxy.url)
    held.send(request("forever", gap_ms=20))
    held.until(b"piece 2 ")
    live = replay(tapedeck, "--pace", "instant")
    assert "1 call that is still open left out" in live.log.read_text()
    assert raw_http.post(live.url, request("text", n=9)).body == first.body
    # What is recorded while it runs is not its business: the same answers each time it is started.
    raw_http.post(proxy.url, request("text", n=10))
    assert raw_http.post(live.url, request("text", n=10)).status == 404
    held.close()
    tapedeck.stop(proxy)
    tapedeck.run("seal")
    assert not [f for f in (tapedeck.store / "archive").iterdir() if f.name.startswith("J-")]
    # What lay in a journal when it started is found in the segment.
    time.sleep(5.1)
    assert raw_http.post(live.url, request("text", n=9)).body == first.body
    tapedeck.stop(live)
    sealed = replay(tapedeck, "--pace", "instant")
    assert raw_http.post(sealed.url, request("text", n=9)).body == first.body
    assert raw_http.post(sealed.url, request("text", n=10)).status == 200


def test_filters_choose_the_recordings_and_no_call_is_exit_1(tapedeck, upstream):
    recorded(tapedeck, upstream, request("text", n=3), request("echo", say="hello"))
    server = replay(tapedeck, "--pace", "instant", "--deployment", "echo")
    assert "1 recording," in server.log.read_text()
    assert raw_http.post(server.url, request("echo", say="hello")).status == 200
    assert raw_http.post(server.url, request("text", n=3)).status == 404
    tapedeck.run("replay", "--listen", "127.0.0.1:0", "--deployment", "nobody", code=1)
    assert "no call to replay" in tapedeck.stderr


def test_without_filters_no_catalogue_is_needed(tapedeck, upstream):
    [first] = recorded(tapedeck, upstream, request("text", n=3))
    for file in tapedeck.store.glob("catalogue.sqlite*"):
        file.unlink()
    server = replay(tapedeck, "--pace", "instant")
    assert raw_http.post(server.url, request("text", n=3)).body == first.body


def test_secrets_that_are_not_on_tape_do_not_keep_a_request_from_its_recording(tapedeck, upstream, tmp_path):
    rules = tmp_path / "config.toml"
    rules.write_text('[[redact]]\npath = "inputs.password"\n\n[[redact]]\npattern = "[0-9]{4}-[0-9]{4}"\n')
    proxy = tapedeck.serve(upstream.url, "--config", rules)
    body = request("text", n=3, password="hunter2", card="my card is 1234-5678")
    path = "/v2/deployments/stream?alt=sse&api_key=sk-1234567890"
    first = raw_http.post(proxy.url, body, path=path, headers=[f"Authorization: Bearer {KEY}"])
    tapedeck.stop(proxy)
    server = replay(tapedeck, "--pace", "instant", "--config", rules)
    for key in ("sk-1234567890", "sk-other000000"):
        answer = raw_http.post(server.url, body, path=path.replace("sk-1234567890", key))
        assert answer.status == 200 and answer.body == first.body
    assert raw_http.post(server.url, body, path="/v2/deployments/stream?alt=sse").status == 200
    assert raw_http.post(server.url, body, path="/v2/deployments/stream").status == 404


def test_a_prefix_of_the_upstream_or_of_the_client_does_not_matter(tapedeck, upstream):
    proxy = tapedeck.serve(upstream.url + "/gateway")
    first = raw_http.post(proxy.url, request("text", n=3))
    tapedeck.stop(proxy)
    server = replay(tapedeck, "--pace", "instant")
    for prefix in ("", "/gateway", "/other/gateway"):
        assert raw_http.post(server.url, request("text", n=3), path=prefix + "/v2/deployments/stream").body == first.body
    assert raw_http.post(server.url, request("text", n=3), path="/v2/deployments/invoke").status == 404
    assert raw_http.post(server.url, request("text", n=3), method="PUT").status == 404


def test_health_and_other_requests(tapedeck, upstream):
    recorded(tapedeck, upstream, request("text", n=3))
    server = replay(tapedeck, "--pace", "instant")
    assert raw_http.post(server.url, "", path="/healthz", method="GET").json() == {"status": "ok"}
    answer = raw_http.post(server.url, "", path="/v1/models", method="GET")
    assert answer.status == 404 and answer.json()["error"]["code"] == "no_recording"
    assert raw_http.post(server.url, "", path="/v1/models", method="HEAD").status == 404


def test_keep_alive_pipelining_and_limits(tapedeck, upstream):
    [first] = recorded(tapedeck, upstream, request("text", n=3))
    server = replay(tapedeck, "--pace", "fixed:1ms")
    client = raw_http.Client(server.url)
    for _ in range(3):
        client.send(request("text", n=3))
    client.send("x")
    assert [client.answer().body for _ in range(3)] == [first.body] * 3
    assert client.answer().status == 404
    assert client.post(request("text", n=3)).body == first.body
    long = raw_http.Client(server.url).post("x", headers=["X-Long: " + "y" * 70000])
    assert long.status == 431 and long.json()["error"]["code"] == "header_too_large"
    smuggled = raw_http.Client(server.url)
    smuggled.socket.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")
    assert smuggled.answer().status == 400


def test_a_client_that_stops_reading_holds_nobody_up_and_one_that_leaves_ends_its_replay(tapedeck, upstream):
    [first] = recorded(tapedeck, upstream, request("big_frames"))
    server = replay(tapedeck, "--pace", "instant")
    slow = raw_http.Client(server.url)
    slow.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    slow.send(request("big_frames"))
    slow.until(b"\r\n\r\n")
    assert raw_http.post(server.url, request("big_frames")).body == first.body
    slow.close()
    tapedeck.wait_for(lambda: "the client left" in server.log.read_text())
    tapedeck.stop(server)


def test_headers_that_would_split_the_response_do_not(tapedeck, tmp_path):
    lines = [
        {"t_ns": 1_000, "call": 1, "ev": "open", "request": {"key": "x"}, "method": "POST", "path": "/v2/deployments/stream",
         "http_status": 200, "response_headers": [["X-A", "b\r\nSet-Cookie: evil=1"], ["Bad Name", "1"], ["X-Good", "yes"]]},
        {"t_ns": 2_000, "call": 1, "ev": "frame", "raw": "data: {}\n\n"},
        {"t_ns": 3_000, "call": 1, "ev": "end", "how": "done"},
    ]
    capture = tmp_path / "split.jsonl"
    capture.write_text("".join(json.dumps(line) + "\n" for line in lines))
    if tapedeck.run("import", capture, code=None) == "":
        return  # Refused on the way in is as good.
    server = replay(tapedeck, "--pace", "instant")
    answer = raw_http.post(server.url, json.dumps({"key": "x"}))
    assert answer.status == 200 and answer.body == b"data: {}\n\n"
    assert answer.header("set-cookie") is None and answer.header("x-good") == "yes" and answer.header("bad name") is None


def test_a_port_that_is_taken_is_named_and_sigterm_ends_with_the_last_stream(tapedeck, upstream):
    recorded(tapedeck, upstream, request("text", n=10, gap_ms=30))
    server = replay(tapedeck)
    port = server.url.rsplit(":", 1)[1]
    tapedeck.run("replay", "--listen", f"127.0.0.1:{port}", code=2)
    assert f"127.0.0.1:{port}" in tapedeck.stderr and "in use" in tapedeck.stderr
    client = raw_http.Client(server.url)
    client.send(request("text", n=10, gap_ms=30))
    client.until(b"word1")
    server.send_signal(signal.SIGTERM)
    client.until(b"[DONE]")
    assert server.wait(20) == 0
    with pytest.raises(OSError):
        raw_http.Client(server.url)


@pytest.mark.parametrize("arguments", [
    (), ("@1", "--listen", "127.0.0.1:0"), ("@1", "--match", "key"), ("@1", "--loop"), ("@1", "--thread", "t"),
    ("--listen", "nowhere"), ("--listen", "127.0.0.1:0", "--match", "bodies"), ("--listen", "127.0.0.1:0", "--pace", "quick"),
    ("--listen", "127.0.0.1:0", "--as", "text"), ("--listen", "127.0.0.1:0", "--ignore", "a..b"), ("--exec", " "),
])
def test_what_makes_no_sense_is_exit_64(tapedeck, upstream, arguments):
    recorded(tapedeck, upstream, request("text", n=1))
    tapedeck.run("replay", *arguments, code=64)


ORQ = """
import os, sys
from orq_ai_sdk import Orq
with Orq(api_key="k", server_url=os.environ["ORQ_BASE_URL"]) as client:
    with client.deployments.stream(key="text", inputs={"n": 4}) as events:
        print("".join(e.data.choices[0].message.content or "" for e in events if e.data.choices))
sys.exit(7)
"""


def test_exec_sets_the_base_urls_and_exits_with_the_commands_code(tapedeck, upstream, tmp_path):
    script = tmp_path / "client.py"
    script.write_text(ORQ)
    proxy = tapedeck.serve(upstream.url)
    done = subprocess.run([sys.executable, script], env={**os.environ, "ORQ_BASE_URL": proxy.url}, capture_output=True, text=True)
    assert done.returncode == 7, done.stderr
    tapedeck.stop(proxy)
    said = tapedeck.run("replay", "--exec", f"{sys.executable} {script}", "--pace", "instant", code=7)
    assert said == done.stdout and "wörd0" in said
    assert "sha256 ok" in tapedeck.stderr and "replay listening on http://127.0.0.1:" in tapedeck.stderr
    assert tapedeck.run("replay", "--exec", "echo $OPENAI_BASE_URL $ANTHROPIC_BASE_URL").count("http://127.0.0.1:") == 2
    tapedeck.run("replay", "--exec", "kill -9 $$", code=137)
    tapedeck.run("replay", "--exec", "no-such-command-there-is", code=127)


def is_running(process):
    try:
        return pathlib.Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT], ids=lambda number: number.name)
def test_exec_passes_signals_on_to_all_that_it_started(tapedeck, upstream, tmp_path, number):
    recorded(tapedeck, upstream, request("text", n=1))
    mark = tmp_path / "started"
    process = tapedeck.popen("replay", "--exec", f"sh -c 'echo $$ > {mark}; sleep 60'; true", stderr=subprocess.DEVNULL)
    child = tapedeck.wait_for(lambda: mark.exists() and mark.read_text().strip())
    process.send_signal(number)
    assert process.wait(10) == 128 + number
    tapedeck.wait_for(lambda: not is_running(child))


def test_the_official_orq_sdk_gets_the_same_chunks(tapedeck, upstream):
    def stream(url):
        with Orq(api_key=KEY, server_url=url) as client:
            with client.deployments.stream(key="text", inputs={"n": 40}, thread={"id": "t"}) as events:
                return [event.model_dump() for event in events]

    async def stream_async(url):
        async with Orq(api_key=KEY, server_url=url) as client:
            async with await client.deployments.stream_async(key="text", inputs={"n": 40}, thread={"id": "t"}) as events:
                return [event.model_dump() async for event in events]

    proxy = tapedeck.serve(upstream.url)
    first = stream(proxy.url)
    tapedeck.stop(proxy)
    server = replay(tapedeck, "--pace", "4x")
    assert len(first) > 40 and stream(server.url) == first
    assert asyncio.run(stream_async(server.url + "/")) == first


@pytest.fixture
def openai_upstream():
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            base = {"id": "chatcmpl-1", "created": 1763640000, "model": body["model"], "object": "chat.completion.chunk"}
            words = ["Hel", "lo ", body["messages"][-1]["content"]]
            if not body.get("stream"):
                message = {"role": "assistant", "content": "".join(words)}
                whole = {**base, "object": "chat.completion", "choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}
                data = json.dumps(whole).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)
                return
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            chunks = [{**base, "choices": [{"index": 0, "delta": {"content": w}, "finish_reason": None}]} for w in words]
            for data in [*map(json.dumps, chunks), "[DONE]"]:
                frame = f"data: {data}\n\n".encode()
                self.wfile.write(b"%x\r\n%s\r\n" % (len(frame), frame))
            self.wfile.write(b"0\r\n\r\n")

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()


def test_the_official_openai_sdk_gets_the_same_streams_and_the_same_whole_answers(tapedeck, openai_upstream):
    def ask(url, text, stream):
        client = openai.OpenAI(api_key=KEY, base_url=url + "/v1", max_retries=0)
        answer = client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": text}], stream=stream)
        return [chunk.model_dump() for chunk in answer] if stream else answer.model_dump()

    proxy = tapedeck.serve(openai_upstream)
    cases = [("Ada", True), ("Grace", True), ("Ada", False)]
    first = [ask(proxy.url, *case) for case in cases]
    tapedeck.stop(proxy)
    server = replay(tapedeck)
    assert [ask(server.url, *case) for case in cases] == first
    with pytest.raises(openai.NotFoundError) as refused:
        ask(server.url, "Nobody", True)
    assert "messages[0].content" in str(refused.value)
