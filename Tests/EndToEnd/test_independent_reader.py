"""The reader that knows schema/archive.md only: on the golden archive, and on what was recorded just now."""

import hashlib
import json
import pathlib
import shutil
import subprocess
import sys

import pytest

from conftest import curl, request
from upstream import text_frames

TESTS = pathlib.Path(__file__).parent.parent
READER = TESTS / "IndependentReader/tapereader.py"
GOLDEN = TESTS / "Golden/v1"


def read(store, *arguments, code=0):
    """What the reader says of each call, by id; and its complaints."""
    done = subprocess.run([sys.executable, READER, store, *map(str, arguments)], capture_output=True, text=True)
    assert done.returncode == code, done.stderr
    return {call["call_id"]: call for call in map(json.loads, done.stdout.splitlines())}, done.stderr


def signed():
    return ["--checkpoint", GOLDEN / "signed.checkpoint", "--key", (GOLDEN / "verifier.key").read_text()]


def test_it_reads_the_golden_archive():
    calls, _ = read(GOLDEN / "store", *signed())
    manifest = [entry for entry in json.loads((GOLDEN / "manifest.json").read_text()) if not entry.get("erased")]
    assert len(manifest) >= 48 and calls.keys() == {entry["call_id"] for entry in manifest}
    for entry in manifest:
        call = calls[entry["call_id"]]
        for key in ("sha256", "request_sha256", "leaf_hash", "bytes"):
            assert call[key] == entry[key], entry["name"]
        assert call["frames"] == len(entry["frames"])


@pytest.fixture
def golden(tmp_path):
    shutil.copytree(GOLDEN / "store", tmp_path / "store")
    return tmp_path / "store"


@pytest.mark.parametrize("kind", ["S-*", "J-*", "checkpoint"])
def test_it_sees_a_changed_byte(golden, kind):
    for path in golden.glob("archive/" + kind):
        data = path.read_bytes()
        for place in (len(data) // 3, len(data) // 2, len(data) - 12):
            path.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1:])
            done = subprocess.run([sys.executable, READER, golden], capture_output=True, text=True)
            # The end of a journal may be one that was torn.
            assert done.returncode == 2 or (kind == "J-*" and "no whole record" in done.stderr), (path, place)
        path.write_bytes(data)


def test_it_sees_that_the_newest_calls_are_gone_and_that_a_signature_is_another(golden, tmp_path):
    forged = tmp_path / "forged"
    note = (GOLDEN / "signed.checkpoint").read_bytes()
    forged.write_bytes(note.replace(b"\n4", b"\n3", 1))
    assert forged.read_bytes() != note
    _, said = read(golden, "--checkpoint", forged, *signed()[2:], code=2)
    assert "not signed" in said
    sorted(golden.glob("archive/S-*"))[-1].unlink()
    _, said = read(golden, *signed(), code=2)
    assert "counts" in said


def test_it_reads_what_was_recorded_and_sealed_just_now(tapedeck, upstream, tmp_path):
    bodies = set()
    server = tapedeck.serve(upstream.url, "--no-index", "--no-seal")
    for words in (3, 40):
        upstream.frames = text_frames(words)
        bodies.add(hashlib.sha256(curl(server.url, request("support", n=words))).hexdigest())
    tapedeck.stop(server)
    for _ in range(2):
        calls, _ = read(tapedeck.store)
        assert bodies <= {call["sha256"] for call in calls.values()}
        tapedeck.run("index")
        assert {id: call["leaf_hash"] for id, call in calls.items()} == {
            call["call_id"]: call["archive"]["leaf_hash"] for call in tapedeck.calls()}
        tapedeck.run("seal")
    assert not list(tapedeck.store.glob("archive/J-*"))
    (tmp_path / "now.checkpoint").write_text(tapedeck.run("checkpoint"))
    read(tapedeck.store, "--checkpoint", tmp_path / "now.checkpoint")
