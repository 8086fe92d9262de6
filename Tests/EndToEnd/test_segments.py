"""Sealed segments under stock tools, and repacked."""

import hashlib
import json
import pathlib
import re
import subprocess
import sys

import pytest

from conftest import curl, request

BENCH = pathlib.Path(__file__).parent.parent / "Bench"


def segments(deck):
    return sorted((deck.store / "archive").glob("S-*.tape.zst"))


def grep(deck, phrase):
    """The lines that `zstd -dc S… | grep -F phrase` prints."""
    shown = subprocess.run(["zstd", "-dc", *segments(deck)], capture_output=True, check=True).stdout
    done = subprocess.run(["grep", "-F", phrase], input=shown, capture_output=True)
    return done.stdout.decode().splitlines()


@pytest.fixture
def tapes(tapedeck, tmp_path):
    """Sixty generated calls, sealed; ids and manifest."""
    subprocess.run([sys.executable, BENCH / "gen_tapes.py", "--calls", "60", "--out", tmp_path / "tapes"], check=True,
                   stdout=subprocess.DEVNULL)
    ids = tapedeck.run("import", tmp_path / "tapes/arrival.jsonl").split()
    tapedeck.run("seal")
    return list(zip(ids, (json.loads(line) for line in (tmp_path / "tapes/manifest.jsonl").open())))


def test_stock_tools_find_a_phrase_that_was_split_over_tokens(tapedeck, tapes):
    found = 0
    for call, wanted in tapes[:30]:
        raw = tapedeck.run("cat", call, text=False)
        phrases = re.findall(r"[a-z]+ [a-z]+ [a-z]+ [a-z]+ [a-z]+", wanted["message"] or "")
        for phrase in [phrase for phrase in phrases if phrase.encode() not in raw][1:8:3]:
            assert any(line.startswith(call) for line in grep(tapedeck, phrase)), phrase
            found += 1
    assert found > 20


def test_what_a_segment_shows_is_text_that_explains_itself(tapedeck, tapes):
    for path in segments(tapedeck):
        assert subprocess.run(["zstd", "-tq", path]).returncode == 0
        shown = subprocess.run(["zstd", "-dc", path], capture_output=True, check=True).stdout
        text = shown.decode("utf-8")
        assert "\0" not in text and not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", text)
        assert text.startswith("tapedeck-segment/1 template/1\nThis is a tapedeck segment")
        assert "schema/archive.md" in text[:2000]


def test_repack_keeps_every_call_and_every_proof(tapedeck, tapes):
    before = {call: hashlib.sha256(tapedeck.run("cat", call, text=False)).hexdigest() for call, _ in tapes}
    assert before == {call: wanted["sha256"] for call, wanted in tapes}
    leaves = {row["call_id"]: row["archive"]["leaf_hash"] for row in tapedeck.calls()}
    root = tapedeck.run("checkpoint")
    size = sum(path.stat().st_size for path in segments(tapedeck))
    names = [path.name for path in segments(tapedeck)]
    tapedeck.run("repack", "--level", "19")
    assert [path.name for path in segments(tapedeck)] == names
    assert sum(path.stat().st_size for path in segments(tapedeck)) < size
    assert tapedeck.run("checkpoint") == root
    assert {row["call_id"]: row["archive"]["leaf_hash"] for row in tapedeck.calls()} == leaves
    assert {call: hashlib.sha256(tapedeck.run("cat", call, text=False)).hexdigest() for call, _ in tapes} == before
    tapedeck.run("verify")
    again = [path.read_bytes() for path in segments(tapedeck)]
    tapedeck.run("repack", "--level", "19")
    assert [path.read_bytes() for path in segments(tapedeck)] == again
    # A catalogue that knows the places of before finds the calls all the same.
    shown = tapedeck.show(tapes[3][0])
    assert shown["call_id"] == tapes[3][0]


def test_repack_takes_a_level(tapedeck):
    tapedeck.run("import", "/dev/null", code=None)
    for level in ("0", "23", "x"):
        tapedeck.run("repack", "--level", level, code=64)
