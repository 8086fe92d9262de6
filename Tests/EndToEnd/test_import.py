"""Captures come in, go out, and come in again as what they were."""

import hashlib
import json
import os
import pathlib
import subprocess
import sys

import pytest

from conftest import BIN, Tapedeck, curl, request
from upstream import chunk, text_frames

BENCH = pathlib.Path(__file__).parent.parent / "Bench"


def leaves(deck):
    return {call["call_id"]: (call["archive"]["leaf_hash"], call["state"]) for call in deck.calls()}


def test_an_sse_capture_has_no_times_and_is_not_imported_twice(tapedeck, tmp_path):
    body = b"".join(text_frames(9))
    path = tmp_path / "a.sse"
    path.write_bytes(body)
    (tmp_path / "request.json").write_text(request("support", n=1))
    call = tapedeck.run("import", "--request", tmp_path / "request.json", path).strip()
    shown = tapedeck.show(call)
    assert shown["state"] == "done" and shown["deployment"] == "support" and shown["identity_id"] == "ada"
    assert shown["started_at"].startswith("2026-11-20T12:00:00")
    assert shown["timings"]["duration_ms"] is None and shown["timings"]["first_content_ms"] is None
    assert shown["timings"]["frames"] == 11
    assert tapedeck.run("cat", call, text=False) == body
    assert tapedeck.run("import", "--request", tmp_path / "request.json", path).strip() == call
    again = tapedeck.run("import", "--again", "--request", tmp_path / "request.json", path).strip()
    assert again != call and len(tapedeck.calls()) == 2
    assert tapedeck.json("frames", call)[0]["offset_ns"] is None
    assert tapedeck.run("replay", call, text=False) == body


@pytest.mark.parametrize("way", ["-", "/dev/stdin", "fifo", "redirected"])
def test_what_comes_through_a_pipe_is_what_comes_from_a_file(tapedeck, tmp_path, way):
    body = b"".join(text_frames(3000))
    (tmp_path / "a.sse").write_bytes(body)
    if way == "redirected":
        with (tmp_path / "a.sse").open("rb") as file:
            done = subprocess.run([BIN / "tapedeck", "import", "-"], stdin=file, env=tapedeck.environment(), capture_output=True, check=True)
        call = done.stdout.decode().strip()
    elif way == "fifo":
        os.mkfifo(tmp_path / "pipe")
        process = tapedeck.popen("import", tmp_path / "pipe", stdout=subprocess.PIPE)
        (tmp_path / "pipe").write_bytes(body)
        call = process.communicate(timeout=30)[0].decode().strip()
        assert process.returncode == 0
    else:
        call = tapedeck.run("import", way, stdin=body).strip()
    assert tapedeck.run("cat", call, text=False) == body
    assert tapedeck.run("import", tmp_path / "a.sse").strip() == call
    # Whatever it is shows in its beginning.
    exported = tapedeck.run("export", "--to", "frames", text=False)
    har = tapedeck.run("export", "--to", "har", text=False)
    other = Tapedeck(tmp_path / "other")
    assert other.run("import", "-", stdin=exported).strip() == call
    assert leaves(other) == leaves(tapedeck)
    assert Tapedeck(tmp_path / "third").run("import", "-", stdin=har).strip()


def test_generated_tapes_come_back_as_their_manifest_says(tapedeck, tmp_path):
    subprocess.run([sys.executable, BENCH / "gen_tapes.py", "--calls", "60", "--out", tmp_path / "tapes"], check=True,
                   stdout=subprocess.DEVNULL)
    ids = tapedeck.run("import", tmp_path / "tapes/arrival.jsonl").split()
    manifest = [json.loads(line) for line in (tmp_path / "tapes/manifest.jsonl").open()]
    assert len(ids) == len(manifest) == 60
    states = {"done": "done", "cut": "client_abort", "error": "upstream_error"}
    check = lambda: [compare(tapedeck, call, wanted, states) for call, wanted in zip(ids, manifest)]
    check()
    before = leaves(tapedeck)
    tapedeck.run("seal")
    assert leaves(tapedeck) == before
    check()
    # Out, and into another store.
    exported = tmp_path / "out.jsonl"
    exported.write_bytes(tapedeck.run("export", "--to", "frames", text=False))
    other = Tapedeck(tmp_path / "other")
    assert sorted(other.run("import", exported).split()) == sorted(ids)
    assert leaves(other) == before
    assert other.run("export", "--to", "frames", text=False) == exported.read_bytes()


def compare(deck, call, wanted, states):
    shown = deck.show(call)
    raw = deck.run("cat", call, text=False)
    assert hashlib.sha256(raw).hexdigest() == wanted["sha256"]
    assert shown["state"] == states[wanted["how"]] and shown["trace_id"] == wanted["trace_id"]
    assert shown["thread_id"] == wanted["thread"] and shown["identity_id"] == wanted["identity"]["id"]
    choice = shown["choices"][0] if shown["choices"] else {"content": "", "reasoning": "", "tool_calls": []}
    assert (choice["content"] or "") == wanted["message"] if wanted["message"] is not None else True
    if wanted["reasoning"] is not None:
        assert (choice["reasoning"] or "") == wanted["reasoning"]
    assert [{k: t[k] for k in ("index", "id", "name", "arguments")} for t in choice["tool_calls"]] == wanted["tool_calls"]
    if wanted["usage"]:
        assert shown["usage"]["total_tokens"] == wanted["usage"]["total_tokens"]
    else:
        assert shown["usage"] is None
    assert shown["timings"]["frames"] == wanted["frames"]


def test_recorded_calls_survive_export_and_import(tapedeck, upstream, tmp_path):
    proxy = tapedeck.serve(upstream.url)
    for key in ("text", "invalid_utf8", "unauthorized", "html", "closes_mid_frame", "refuse", "empty", "gzip", "invoke"):
        curl(proxy.url, request(key), check=False)
    curl(proxy.url, "not json \x01", check=False)
    tapedeck.stop(proxy)
    exported = tmp_path / "out.jsonl"
    exported.write_bytes(tapedeck.run("export", "--to", "frames", text=False))
    other = Tapedeck(tmp_path / "other")
    other.run("import", exported)
    assert leaves(other) == leaves(tapedeck) and len(leaves(other)) == 10
    for call in leaves(other):
        mine, theirs = tapedeck.show(call), other.show(call)
        for shown in (mine, theirs):
            shown["archive"].pop("file"), shown["archive"].pop("offset")
        assert mine == theirs


@pytest.mark.parametrize("name, content", [
    ("a.jsonl", b'{"t_ns":1,"call":0,"ev":"frame","raw":"data: x"}\n'),
    ("b.jsonl", b'{"t_ns":1,"call":0,"ev":"open","request":{}}\n{"t_ns":"x"}\n'),
    ("c.jsonl", b'\xff\xfe\n'),
    ("d.har", b'{}'),
])
def test_captures_that_are_none_are_refused_with_file_and_reason(tapedeck, tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content)
    tapedeck.run("import", path, code=2)
    assert name in tapedeck.stderr
    tapedeck.run("import", tmp_path / "missing.sse", code=2)
    assert "missing.sse" in tapedeck.stderr
