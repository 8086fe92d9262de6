"""What can go wrong with upstream, client, process and disk, and what the tape says of it."""

import json
import os
import pathlib
import signal
import socket
import subprocess
import threading
import time

import pytest

from conftest import BIN, curl, request
from upstream import Upstream, text_frames

CASES = [
    ("closes_mid_frame", "upstream_cut", "truncated", "Hel"),
    ("unauthorized", "upstream_error", "http_error", None),
    ("html", "upstream_error", "http_error", None),
    ("error_frame", "upstream_error", "error_frame", "Hel"),
    ("empty", "upstream_cut", "empty", None),
    ("refuse", "upstream_error", None, None),
]


@pytest.mark.parametrize("key, state, defect, content", CASES)
def test_a_failing_upstream_is_taped_as_what_it_is(tapedeck, upstream, key, state, defect, content):
    proxy = tapedeck.serve(upstream.url)
    curl(proxy.url, request(key), check=False)
    tapedeck.stop(proxy)
    shown = tapedeck.show("@1")
    assert shown["state"] == state and shown["complete"] is False
    assert shown["defects"]
    if defect:
        assert defect in [d["kind"] for d in shown["defects"]]
    if content:
        assert shown["choices"][0]["content"] == content
    assert shown["identity_id"] == "ada"


def test_a_cut_reaches_the_client_as_a_cut(tapedeck, upstream):
    proxy = tapedeck.serve(upstream.url)
    done = subprocess.run(["curl", "-sS", "-N", "-d", request("closes_mid_frame"), proxy.url + "/v2/deployments/stream"],
                          capture_output=True)
    assert done.returncode == 18, done.stderr  # CURLE_PARTIAL_FILE
    assert done.stdout.endswith(b"01JD0Z6Q8R3T5V7W9XABCDEFGH")


def test_a_refused_connection_is_a_502_that_says_so(tapedeck):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    proxy = tapedeck.serve(f"http://127.0.0.1:{port}")
    answer = curl(proxy.url, request("text"), "-i").decode()
    assert answer.startswith("HTTP/1.1 502") and "efused" in answer
    tapedeck.stop(proxy)
    shown = tapedeck.show("@1")
    assert shown["state"] == "upstream_error" and shown["http_status"] is None
    assert "efused" in shown["error"]["message"]


def test_an_upstream_that_stalls_is_a_timeout(tapedeck, upstream):
    proxy = tapedeck.serve(upstream.url, "--idle-timeout", "1")
    curl(proxy.url, request("stalls", seconds=4), check=False)
    tapedeck.stop(proxy)
    shown = tapedeck.show("@1")
    assert shown["state"] == "timeout" and shown["choices"][0]["content"] == "Hel"


def test_a_client_that_leaves_is_a_client_abort(tapedeck, upstream):
    proxy = tapedeck.serve(upstream.url)
    curl(proxy.url, request("forever"), "--max-time", "0.5", check=False)
    [call] = tapedeck.wait_for(lambda: tapedeck.calls("--state", "client_abort"))
    assert call["timings"]["frames"] > 10
    tapedeck.wait_for(lambda: upstream.aborted)


def read_until_killed(proxy, got, index, gap_ms):
    process = subprocess.Popen(
        ["curl", "-sS", "-N", "-d", request(f"forever-{index}", gap_ms=gap_ms), proxy.url + "/v2/deployments/stream"],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    got[index] = b""
    while piece := process.stdout.read1(1 << 20):
        got[index] += piece
    process.wait()


@pytest.mark.parametrize("gap_ms", [5, 0])
def test_kill_9_loses_nothing_that_a_client_received(tapedeck, upstream, gap_ms):
    proxy = tapedeck.serve(upstream.url)
    got = {}
    readers = [threading.Thread(target=read_until_killed, args=(proxy, got, i, gap_ms)) for i in range(16)]
    for reader in readers:
        reader.start()
    tapedeck.wait_for(lambda: len(got) == 16 and all(got.values()))
    time.sleep(1)
    proxy.kill()
    proxy.wait()
    for reader in readers:
        reader.join()
    assert sum(len(received) for received in got.values()) > 100_000
    tapedeck.run("index")
    calls = tapedeck.calls("--state", "lost")
    assert len(calls) == 16
    for call in calls:
        taped = tapedeck.run("cat", call["call_id"], text=False)
        [received] = [value for who, value in got.items() if call["deployment"] == f"forever-{who}"]
        assert taped.startswith(received)
    longest = max(calls, key=lambda call: call["timings"]["frames"])["call_id"]
    shown = tapedeck.show(longest)
    assert shown["state"] == "lost" and shown["choices"][0]["content"].startswith("piece 0 piece 1 ")
    assert tapedeck.run("replay", longest, "--pace", "instant", text=False) == tapedeck.run(
        "cat", longest, text=False)
    # And after sealing nothing has changed.
    before = {c["call_id"]: tapedeck.run("cat", c["call_id"], text=False) for c in calls}
    tapedeck.run("seal")
    tapedeck.run("index")
    for call, raw in before.items():
        assert tapedeck.run("cat", call, text=False) == raw
        assert tapedeck.show(call)["state"] == "lost"


def test_a_full_disk_does_not_stop_the_stream_and_the_gap_is_recorded(tapedeck, upstream):
    """The size limit of the process plays the full disk: no file may grow beyond 256 KiB."""
    proxy = tapedeck.serve(upstream.url, "--no-index", "--no-seal", prefix=["prlimit", "--fsize=262144:unlimited"])
    body = request("big_frames")
    direct = curl(upstream.url, body)
    assert curl(proxy.url, body) == direct
    # Room again.
    subprocess.run(["prlimit", "--fsize=unlimited:unlimited", "--pid", str(proxy.pid)], check=True)
    tapedeck.wait_for(lambda: "takes writes again" in proxy.log.read_text())
    small = curl(proxy.url, request("text", n=5))
    assert small == b"".join(text_frames(5))
    tapedeck.stop(proxy)
    assert "archive" in proxy.log.read_text().lower()
    tapedeck.run("index")
    assert tapedeck.run("cat", "@1", text=False) == small
    assert tapedeck.json("status")["gaps"]["calls"] == 1
    # The recorder saw the end of the stream, although the tape has not.
    shown = tapedeck.show("@2")
    assert shown["state"] == "done" and "not the tape" in shown["defects"][0]["message"]
    assert direct.startswith(tapedeck.run("cat", "@2", text=False)[:1000]) and "not the tape" in tapedeck.stderr


def test_a_damaged_call_is_given_out_with_a_word_and_an_exit_code(tapedeck, tmp_path):
    path = tmp_path / "a.sse"
    path.write_bytes(b"".join(text_frames(3)))
    call = tapedeck.run("import", path).strip()
    [journal] = (tapedeck.store / "archive").glob("J-*.tape")
    bytes_ = journal.read_bytes()
    journal.write_bytes(bytes_.replace(b"[DONE]", b"[D0NE]"))
    commands = [["cat", call], ["show", call], ["replay", call], ["frames", call], ["events", call],
                ["export", "--to", "frames", call]]

    def check():
        for command in commands:
            assert tapedeck.run(*command, code=2), command
            assert call in tapedeck.stderr and "the archive is damaged" in tapedeck.stderr, (command, tapedeck.stderr)

    check()
    tapedeck.run("index", "--rebuild", code=2)
    assert call in tapedeck.stderr
    tapedeck.run("seal", code=2)
    check()
    tapedeck.run("index", "--rebuild", code=2)
    assert call in tapedeck.stderr
    assert tapedeck.calls()[0]["complete"] is False


def test_two_processes_record_into_one_store(tapedeck, upstream):
    first, second = tapedeck.serve(upstream.url), tapedeck.serve(upstream.url)
    for proxy in (first, second, first, second):
        curl(proxy.url, request("text", n=3))
    tapedeck.stop(first)
    tapedeck.stop(second)
    assert [call["state"] for call in tapedeck.calls()] == ["done"] * 4


def test_the_second_recorder_of_a_store_keeps_the_catalogue_when_the_first_ends(tapedeck, upstream):
    first = tapedeck.serve(upstream.url)
    second = tapedeck.serve(upstream.url)
    curl(second.url, request("text", n=1))
    tapedeck.wait_for(lambda: len(tapedeck.calls("--state", "done")) == 1)
    tapedeck.stop(first)
    curl(second.url, request("text", n=1))
    tapedeck.wait_for(lambda: len(tapedeck.calls("--state", "done")) == 2)
    tapedeck.stop(second)


def test_a_second_sigterm_ends_at_once_and_the_call_is_lost(tapedeck, upstream):
    proxy = tapedeck.serve(upstream.url)
    client = subprocess.Popen(["curl", "-sS", "-N", "-d", request("forever"), proxy.url + "/v2/deployments/stream"],
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    client.stdout.read(100)
    proxy.send_signal(signal.SIGTERM)
    time.sleep(0.5)
    assert proxy.poll() is None, "the first signal drains"
    proxy.send_signal(signal.SIGTERM)
    proxy.wait(5)
    client.wait(5)
    tapedeck.run("index")
    assert [call["state"] for call in tapedeck.calls()] == ["lost"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP, signal.SIGQUIT], ids=lambda number: number.name)
def test_other_signals_drain_too(tapedeck, upstream, number):
    proxy = tapedeck.serve(upstream.url)
    client = subprocess.Popen(["curl", "-sS", "-N", "-d", request("text", n=40, gap_ms=30), proxy.url + "/v2/deployments/stream"],
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    before = client.stdout.read(100)
    proxy.send_signal(number)
    if number == signal.SIGHUP:
        proxy.send_signal(number)
    assert b"[DONE]" in before + client.stdout.read()
    assert proxy.wait(15) == 0
    assert [call["state"] for call in tapedeck.calls()] == ["done"]


def test_nohup_is_respected(tapedeck, upstream):
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        proxy = tapedeck.serve(upstream.url)
    finally:
        signal.signal(signal.SIGHUP, before)
    proxy.send_signal(signal.SIGHUP)
    assert b"[DONE]" in curl(proxy.url, request("text", n=2))
    assert proxy.poll() is None
    tapedeck.stop(proxy)


def test_stores_that_are_none(tapedeck, tmp_path):
    missing = tmp_path / "nowhere"
    tapedeck.run("calls", "--store", missing, code=2)
    assert str(missing) in tapedeck.stderr and not missing.exists()
    other = tmp_path / "other"
    other.mkdir()
    (other / "holiday.jpg").write_bytes(b"x")
    for command in ("calls", "index", "seal", "status"):
        tapedeck.run(command, "--store", other, code=2)
        assert "not a" in tapedeck.stderr and str(other) in tapedeck.stderr
    assert [p.name for p in other.iterdir()] == ["holiday.jpg"]


def test_a_store_of_a_newer_major_version_is_refused_untouched(tapedeck, upstream):
    proxy = tapedeck.serve(upstream.url)
    curl(proxy.url, request("text"))
    tapedeck.stop(proxy)
    marker = tapedeck.store / "tapedeck.json"
    value = json.loads(marker.read_text())
    value["version"] = 99
    marker.write_text(json.dumps(value))
    before = {p: p.read_bytes() for p in tapedeck.store.rglob("*") if p.is_file()}
    for command in ("calls", "index", "seal", "status"):
        tapedeck.run(command, code=2)
        assert "99" in tapedeck.stderr or "newer" in tapedeck.stderr
    assert {p: p.read_bytes() for p in tapedeck.store.rglob("*") if p.is_file()} == before


def test_a_store_that_is_read_only_can_be_asked_but_not_written(tapedeck, upstream):
    proxy = tapedeck.serve(upstream.url)
    curl(proxy.url, request("text"))
    tapedeck.stop(proxy)
    # root may write everywhere, so another user asks.
    prefix = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] if os.getuid() == 0 else []
    for path in [tapedeck.store.parent, tapedeck.store, *tapedeck.store.rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)
    parent = tapedeck.store.parent
    while parent != pathlib.Path("/") and os.getuid() == 0:
        parent.chmod(parent.stat().st_mode | 0o055)
        parent = parent.parent
    assert "done" in tapedeck.run("calls", prefix=prefix)
    assert tapedeck.run("cat", "@1", prefix=prefix, text=False) == b"".join(text_frames(20))
    tapedeck.run("record", "--url", upstream.url + "/v2/deployments/stream", "-d", request("text"), prefix=prefix, code=2)
    assert "annot" in tapedeck.stderr or "ermission" in tapedeck.stderr or "read-only" in tapedeck.stderr


@pytest.mark.parametrize("arguments, code", [
    (["calls", "--nonsense"], 64), (["show"], 64), (["frobnicate"], 64), (["replay", "@1", "--pace", "fast"], 64),
    (["usage", "--by", "moon"], 64), (["calls", "--from", "the day before"], 64), (["calls", "--format", "xml"], 64),
    (["show", "01JD0Z6Q8R3T5V7W9XZZZZZZZZ"], 1), (["show", "@99"], 1), (["cat", "nope"], 1), (["frames", "@9"], 1),
    (["calls", "--identity", "nobody"], 1), (["usage", "--identity", "nobody", "--by", "model"], 1),
    (["serve", "--upstream", "ftp://x", "--listen", "127.0.0.1:0"], 64), (["serve", "--upstream", "http://x", "--listen", "nowhere"], 64),
])
def test_wrong_words_and_unknown_calls_have_their_exit_codes(tapedeck, upstream, arguments, code):
    tapedeck.run("record", "--url", upstream.url + "/v2/deployments/stream", "-d", request("text", n=2))
    assert tapedeck.run(*arguments, code=code) == ""
    assert tapedeck.stderr.strip()
