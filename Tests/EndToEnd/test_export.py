"""Calls go out to other tools: lines, tables, HTTP archives."""

import base64
import csv
import io
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys

import jsonschema
import pytest
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT6

from conftest import BIN, Tapedeck

BENCH = pathlib.Path(__file__).parent.parent / "Bench"

# Debian's node-har-schema: the JSON Schema of HAR 1.2.
SCHEMAS = pathlib.Path("/usr/share/nodejs/har-schema/lib")


@pytest.fixture(scope="module")
def deck(tmp_path_factory):
    deck = Tapedeck(tmp_path_factory.mktemp("demo") / "store")
    deck.run("demo", "--store", deck.store)
    return deck


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """A store that takes a while to export."""
    folder = tmp_path_factory.mktemp("many")
    subprocess.run([sys.executable, BENCH / "gen_tapes.py", "--calls", "150", "--out", folder / "tapes"], check=True,
                   stdout=subprocess.DEVNULL)
    deck = Tapedeck(folder / "store")
    deck.run("import", folder / "tapes/arrival.jsonl", timeout=300)
    deck.run("seal")
    return deck


def test_sealed_calls_go_out_as_they_were_imported(many, tmp_path):
    path = tmp_path / "out.har"
    many.run("export", "--to", "har", "-o", path, timeout=300)
    other = Tapedeck(tmp_path / "other")
    other.run("import", path, timeout=300)
    assert leaves(other) == leaves(many) and len(leaves(many)) == 150


def leaves(deck):
    return {call["call_id"]: (call["archive"]["leaf_hash"], call["state"]) for call in deck.calls()}


def har_validator():
    contents = {path.name: json.loads(path.read_text()) for path in SCHEMAS.glob("*.json")}
    for schema in contents.values():
        schema["properties"] = {name: {**rule, **({"minimum": rule["min"]} if "min" in rule else {})}
                                for name, rule in schema.get("properties", {}).items()}
    registry = Registry().with_resources(
        (uri, Resource.from_contents(schema, default_specification=DRAFT6))
        for name, schema in contents.items() for uri in {name, schema.get("$id", name).rstrip("#")})
    return jsonschema.Draft6Validator(
        contents["har.json"], registry=registry, format_checker=jsonschema.Draft6Validator.FORMAT_CHECKER)


def test_ndjson_has_the_objects_of_show_with_the_text_of_calls(deck):
    rows = [json.loads(line) for line in deck.run("export", "--to", "ndjson").splitlines()]
    calls = {call["call_id"]: call for call in deck.calls()}
    assert [row["call_id"] for row in rows] == sorted(calls, key=lambda id: calls[id]["started_at"])
    for row in rows:
        assert row.pop("text") == calls[row["call_id"]]["text"]
        assert row == deck.show(row["call_id"])


def test_csv_has_a_row_for_each_call_and_the_same_columns_always(deck):
    text = deck.run("export", "--to", "csv", text=False).decode()
    assert text.count("\r\n") >= len(deck.calls()) + 1
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    listed = list(csv.DictReader(io.StringIO(deck.run("calls", "--sort", "oldest", "--format", "csv"), newline="")))
    assert len(rows) == len(deck.calls()) == len(listed)
    for row, other in zip(rows, listed):
        assert {key: row[key] for key in other} == other
        shown = deck.show(row["call_id"])
        assert all(json.loads(row[key] or "null") == shown[key] for key in ("request", "choices", "retrievals", "extra"))
    one = deck.run("export", "--to", "csv", "@1")
    assert one.splitlines()[0] == text.split("\r\n")[0]


def test_filters_and_calls_choose(deck):
    first = deck.run("export", "--to", "ndjson", "--identity", "user_grace")
    assert {json.loads(line)["identity_id"] for line in first.splitlines()} == {"user_grace"}
    named = deck.run("export", "--to", "ndjson", "@1", "@3", "@1")
    assert [json.loads(line)["call_id"] for line in named.splitlines()] == [
        deck.show("@3")["call_id"], deck.show("@1")["call_id"]]
    now = deck.show("@1")["started_at"]
    assert len(deck.run("export", "--to", "ndjson", "--to", now).splitlines()) == len(deck.calls()) - 1
    deck.run("export", "--to", "ndjson", "--identity", "x", "@1", code=64)
    deck.run("export", "--to", "xml", code=64)
    deck.run("export", "--to", "ndjson", "--content", code=64)
    deck.run("export", "--to", "ndjson", "--where", "DELETE FROM calls", code=64)


@pytest.mark.parametrize("target, empty", [
    ("ndjson", ""), ("csv", "call_id,response_id,"), ("har", '"entries":[\n]'), ("frames", ""), ("tape", "tapedeck-tape/"), ("otlp", ""),
])
def test_nothing_to_export_is_an_empty_export_and_no_failure(deck, tmp_path, target, empty):
    """Exit 1 is for look-ups; a CALL that is named is one."""
    path = tmp_path / {"ndjson": "x.ndjson", "frames": "x.jsonl", "har": "x.har", "tape": "x.tape"}.get(target, "x")
    path.write_text("before")
    deck.run("export", "--to", target, "-o", path, "--thread", "nobody")
    assert "no call matches" in deck.stderr
    text = path.read_text()
    assert empty in text and text != "before" and len(text.splitlines()) == len(deck.run("export", "--to", target, "--thread", "nobody").splitlines())
    if target in ("har", "frames", "tape"):
        assert deck.run("import", path) == ""
    deck.run("export", "--to", target, "01ZZZZ", code=1)


@pytest.mark.skipif(not SCHEMAS.exists(), reason="needs Debian's node-har-schema; run make deps")
def test_har_is_valid_and_says_what_was_said(deck):
    har = json.loads(deck.run("export", "--to", "har"))
    problems = [f"{list(error.path)}: {error.message}" for error in har_validator().iter_errors(har)]
    assert not problems, problems[:5]
    assert har["log"]["version"] == "1.2" and len(har["log"]["entries"]) == len(deck.calls())
    for entry in har["log"]["entries"]:
        shown = deck.show(entry["_tapedeck"]["call_id"])
        content = entry["response"]["content"]
        body = base64.b64decode(content["text"]) if content.get("encoding") == "base64" else content["text"].encode()
        assert body == deck.run("cat", shown["call_id"], text=False) and content["size"] == len(body)
        assert entry["startedDateTime"] == shown["started_at"] and entry["response"]["status"] == (shown["http_status"] or 0)
        assert json.loads(entry["request"]["postData"]["text"]) == shown["request"]
        timings = entry["timings"]
        assert entry["time"] == pytest.approx(timings["send"] + timings["wait"] + timings["receive"])
        assert entry["time"] == pytest.approx(shown["timings"]["duration_ms"] or 0)


def test_the_har_schema_sees_mistakes(deck):
    if not SCHEMAS.exists():
        pytest.skip("needs Debian's node-har-schema; run make deps")
    har = json.loads(deck.run("export", "--to", "har", "@1"))
    for path, value in [(("time",), -1), (("request", "url"), "not a url"), (("startedDateTime",), "today"),
                        (("response", "content"), {}), (("request", "headers"), [{"name": "x"}])]:
        broken = json.loads(json.dumps(har))
        place = broken["log"]["entries"][0]
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = value
        assert list(har_validator().iter_errors(broken)), path


def test_har_comes_back_as_what_it_was(deck, tmp_path):
    path = tmp_path / "out.har"
    assert deck.run("export", "--to", "har", "--output", path) == ""
    assert oct(path.stat().st_mode & 0o777) == "0o600"
    other = Tapedeck(tmp_path / "other")
    ids = other.run("import", path).split()
    assert leaves(other) == leaves(deck) and set(ids) == set(leaves(deck))
    assert other.run("export", "--to", "frames", text=False) == deck.run("export", "--to", "frames", text=False)
    assert other.run("import", path).split() == ids and len(other.calls()) == len(ids)
    other.run("verify")


def test_har_of_a_browser_is_imported_without_its_secrets(tmp_path):
    deck = Tapedeck(tmp_path / "store")
    stream = 'data: {"id":"1","model":"gpt-4o","choices":[{"index":0,"delta":{"content":"héllo"},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
    entry = lambda url, response, **more: {
        "startedDateTime": "2026-03-01T10:00:00.000+01:00", "time": 250.5, "cache": {}, "pageref": "page_1",
        "request": {"method": "POST", "url": url, "httpVersion": "h2", "cookies": [{"name": "sid", "value": "cookie-secret"}],
                    "headers": [{"name": ":method", "value": "POST"}, {"name": "authorization", "value": "Bearer sk-har-secret-1"},
                                {"name": "cookie", "value": "sid=cookie-secret"}, {"name": "content-type", "value": "application/json"}],
                    "queryString": [], "headersSize": -1, "bodySize": 10,
                    "postData": {"mimeType": "application/json", "text": '{"model":"gpt-4o","messages":[{"role":"user","content":"hi"}]}'}},
        "response": {"status": 200, "statusText": "OK", "httpVersion": "h2", "redirectURL": "", "headersSize": -1, "bodySize": -1,
                     "cookies": [], "headers": [{"name": "set-cookie", "value": "sid=cookie-secret-2"},
                                                {"name": "content-type", "value": "text/event-stream"}], "content": response},
        "timings": {"blocked": 10, "dns": -1, "connect": -1, "ssl": -1, "send": 0.5, "wait": 200, "receive": 40}, **more}
    har = {"log": {"version": "1.2", "creator": {"name": "Browser", "version": "1"}, "pages": [{"id": "page_1"}], "entries": [
        {"startedDateTime": "2026-03-01T09:59:59Z", "request": {"method": "GET", "url": "https://chat.example/logo.png"},
         "response": {"status": 200, "content": {"mimeType": "image/png", "size": 3, "text": "AAAA", "encoding": "base64"}}},
        entry("https://api.openai.com/v1/chat/completions?api_key=query-secret", {"mimeType": "text/event-stream", "size": 9, "text": stream}),
        entry("https://api.openai.com/v1/chat/completions", {
            "mimeType": "text/event-stream", "size": 9, "encoding": "base64",
            "text": base64.encodebytes(stream.encode()).decode()}),
    ]}}
    path = tmp_path / "browser.har"
    path.write_bytes(b"\xef\xbb\xbf" + json.dumps(har).encode())
    ids = deck.run("import", path).split()
    assert len(ids) == 2 and "left out 1 entry" in deck.stderr
    for call in ids:
        shown = deck.show(call)
        assert shown["choices"][0]["content"] == "héllo" and shown["state"] == "done" and shown["model"] == "gpt-4o"
        assert shown["started_at"] == "2026-03-01T09:00:00.000000000Z" and shown["timings"]["first_content_ms"] is None
        assert deck.run("cat", call, text=False) == stream.encode()
    files = [file for file in deck.store.rglob("*") if file.is_file()]
    for secret in (b"sk-har-secret-1", b"cookie-secret", b"query-secret"):
        assert not [file for file in files if secret in file.read_bytes()]
    assert deck.run("import", path).split() == ids


@pytest.mark.parametrize("text", [
    b"", b"{", b'{"log":{"entries":[{"request":{"url":5}}]}}', b'{"log":{"entries":[{"request":{"url":"http://x/"}}', b"\xff\xfe{",
    b'{"log":' * 100_000, b'{"log":{"entries":[' + b'{"a":' * 100_000, b"[" * 1_000_000,
], ids=["empty", "begun", "types", "cut", "utf-16", "deep", "deep entry", "lists"])
def test_a_har_that_is_none_changes_nothing(tmp_path, text):
    deck = Tapedeck(tmp_path / "store")
    path = tmp_path / "bad.har"
    path.write_bytes(text)
    assert deck.run("import", path, code=2) == ""
    assert str(path) in deck.stderr and "nothing of it was taken" in deck.stderr
    assert deck.calls() == []


def test_a_file_is_there_as_a_whole_or_not_at_all(deck, many, tmp_path):
    path = tmp_path / "out.ndjson"
    path.write_text("before")
    deck.run("export", "--to", "ndjson", "-o", path)
    assert path.read_text() == deck.run("export", "--to", "ndjson")
    assert list(tmp_path.iterdir()) == [path]
    # The disk is full, the folder is not there.
    small = ["bash", "-c", 'ulimit -f 100; exec "$@"', "_"]
    path.write_text("before")
    for target in ("ndjson", "csv", "har", "frames", "tape"):
        many.run("export", "--to", target, "-o", path, code=2, prefix=small)
        assert f"cannot write {path}: File too large" in many.stderr
        assert path.read_text() == "before" and list(tmp_path.iterdir()) == [path]
    deck.run("export", "--to", "csv", "-o", tmp_path / "no" / "x.csv", code=2)
    deck.run("export", "--to", "csv", "-o", tmp_path, code=2)
    assert path.read_text() == "before" and list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_export_that_is_interrupted_leaves_nothing(many, tmp_path, number):
    process = many.popen("export", "--to", "ndjson", "-o", tmp_path / "out")
    many.wait_for(lambda: process.poll() is not None or list(tmp_path.iterdir()))
    process.send_signal(number)
    assert process.wait(20) == -number
    assert list(tmp_path.iterdir()) == []


def test_a_reader_that_goes_away_is_no_failure(deck):
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; for i in 1 2 3; do {BIN}/tapedeck export --to har | head -c 10 >/dev/null || exit; done"],
        env=deck.environment(), capture_output=True)
    assert done.returncode == 0, done.stderr


def test_damaged_calls_are_told_and_the_others_go_out(deck, tmp_path):
    copy = Tapedeck(tmp_path / "copy")
    shutil.copytree(deck.store, copy.store)
    copy.run("seal")
    copy.run("index")
    segment = next(copy.store.rglob("S-*.tape.zst"))
    content = bytearray(segment.read_bytes())
    content[len(content) // 2] ^= 0xFF
    os.chmod(segment, 0o600)
    segment.write_bytes(content)
    for target in ("ndjson", "csv", "har", "frames"):
        copy.run("export", "--to", target, code=2)
        assert "call 0" in copy.stderr, copy.stderr
