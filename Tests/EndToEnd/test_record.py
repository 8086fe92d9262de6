"""`tapedeck record`: one call, like curl, and what it leaves behind."""

import os
import re
import signal
import subprocess
import time

import pytest

from conftest import KEY, request
from upstream import text_frames


def test_the_bytes_go_to_stdout_the_call_id_to_stderr_and_the_key_comes_from_the_environment(tapedeck, upstream):
    out = tapedeck.run("record", "--url", upstream.url + "/v2/deployments/stream", "-d", request("text", n=7),
                       "-H", "X-Mine: yes", text=False)
    assert out == b"".join(text_frames(7))
    call = re.search(r"call ([0-9A-Z]{26})", tapedeck.stderr)[1]
    headers = {name.lower(): value for name, value in upstream.requests[0]["headers"]}
    assert headers["authorization"] == f"Bearer {KEY}" and headers["x-mine"] == "yes"
    assert headers["content-type"] == "application/json"
    shown = tapedeck.show(call)
    assert shown["state"] == "done" and shown["deployment"] == "text" and shown["usage"]["prompt_tokens"] == 100
    assert tapedeck.run("cat", call, text=False) == out


def test_bodies_come_from_files_and_from_stdin(tapedeck, upstream, tmp_path):
    (tmp_path / "body.json").write_text(request("text", n=1))
    url = upstream.url + "/v2/deployments/stream"
    tapedeck.run("record", "--url", url, "-d", f"@{tmp_path}/body.json")
    tapedeck.run("record", "--url", url, "-d", "-", stdin=request("text", n=1).encode())
    assert upstream.requests[0]["body"] == upstream.requests[1]["body"] == request("text", n=1).encode()
    tapedeck.run("record", "--url", url, "-d", "@/no/such/file", code=64)
    assert "/no/such/file" in tapedeck.stderr and len(upstream.requests) == 2


@pytest.mark.parametrize("key", ["unauthorized", "error_frame", "closes_mid_frame", "refuse"])
def test_an_http_or_stream_error_exits_with_2_and_stays_on_tape(tapedeck, upstream, key):
    tapedeck.run("record", "--url", upstream.url + "/v2/deployments/stream", "-d", request(key), code=2)
    assert len(tapedeck.stderr.splitlines()) >= 2
    assert len(tapedeck.calls()) == 1


def test_ctrl_c_ends_as_client_abort(tapedeck, upstream):
    process = tapedeck.popen("record", "--url", upstream.url + "/v2/deployments/stream", "-d", request("forever"),
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    got = process.stdout.read(2000)
    process.send_signal(signal.SIGINT)
    rest = process.stdout.read()
    assert process.wait(10) == 130
    [call] = tapedeck.calls()
    assert call["state"] == "client_abort"
    assert tapedeck.run("cat", "@1", text=False).startswith(got + rest)


def test_what_was_recorded_can_be_piped_into_head(tapedeck, upstream):
    tapedeck.run("record", "--url", upstream.url + "/v2/deployments/stream", "-d", request("text", n=5000))
    done = subprocess.run(f"set -o pipefail; {tapedeck_binary()} cat @1 | head -c 10", shell=True, executable="/bin/bash",
                          capture_output=True, env=tapedeck.environment())
    assert done.returncode == 0 and done.stdout == b'data: {"id' and done.stderr == b""


@pytest.mark.parametrize("sink, code", [("head -c 300 >/dev/null", 0), (None, 2)])
def test_a_reader_of_stdout_that_leaves_is_a_client_abort(tapedeck, upstream, sink, code):
    command = f"{tapedeck_binary()} record --url {upstream.url}/v2/deployments/stream -d '{request('forever')}'"
    command = f"set -o pipefail; {command} | {sink}" if sink else f"{command} >/dev/full"
    done = subprocess.run(command, shell=True, executable="/bin/bash", capture_output=True, env=tapedeck.environment(), timeout=30)
    assert done.returncode == code, done.stderr
    [call] = tapedeck.calls()
    assert call["state"] == "client_abort" and call["timings"]["frames"] > 0


def tapedeck_binary():
    from conftest import BIN
    return BIN / "tapedeck"


def test_replay_keeps_the_pace(tapedeck, upstream):
    tapedeck.run("record", "--url", upstream.url + "/v2/deployments/stream", "-d", request("text", n=20, gap_ms=20))
    raw = tapedeck.run("cat", "@1", text=False)
    last = tapedeck.json("frames", "@1")[-1]["offset_ns"] / 1e9

    def seconds(*pace):
        start = time.monotonic()
        assert tapedeck.run("replay", "@1", "--as", "raw", *pace, text=False) == raw
        return time.monotonic() - start

    assert seconds() >= last  # never early
    assert seconds("--pace", "0.5x") >= 2 * last
    assert seconds("--pace", "fixed:50ms") >= 21 * 0.05
    seconds("--pace", "instant")
    text = tapedeck.run("replay", "@1", "--as", "text", "--pace", "instant")
    assert text.startswith("wörd0 数据 \"q\"\nword1 word2 ") and text.endswith("word19 \n")


def test_events_of_a_file_and_of_stdin(tapedeck, tmp_path):
    body = b"id: 7\nevent: x\nretry: 5\ndata: a\ndata: b\n\ndata: c\n\n: comment\n\ndata: unfinished"
    path = tmp_path / "a.sse"
    path.write_bytes(body)
    expected = '{"event":"x","data":"a\\nb","id":"7","retry":5}\n{"event":"message","data":"c","id":"7","retry":null}\n'
    assert tapedeck.run("events", path) == expected
    assert tapedeck.run("events", "-", stdin=body) == expected
    tapedeck.run("events", tmp_path / "none.sse", code=2)
