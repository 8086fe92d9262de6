"""What was said is found, and marked where it stands."""

import json
import os
import pty
import subprocess

import pytest

import raw_http
from conftest import BIN, Tapedeck


@pytest.fixture(scope="module")
def deck(tmp_path_factory):
    deck = Tapedeck(tmp_path_factory.mktemp("search") / "store")
    deck.run("demo", "--store", deck.store)
    return deck


def test_a_phrase_is_marked_in_every_format(deck):
    rows = deck.json("search", "refund policy")
    assert rows and all("⟦refund policy⟧" in s["text"].lower() for row in rows for s in row["snippets"])
    assert [json.loads(line) for line in deck.run("search", "refund", "policy", "--format", "ndjson").splitlines()] == rows
    assert "⟦refund policy⟧" in deck.run("search", "refund policy", "--format", "csv")
    assert "⟦refund policy⟧" in deck.run("search", "refund policy", "--format", "markdown")
    table = deck.run("search", "refund policy", "--format", "table")
    assert rows[0]["call_id"] in table and "⟦refund policy⟧" in table


def test_filters_and_prefixes_narrow_and_widen(deck):
    assert deck.json("search", "refun*") and not json.loads(deck.run("search", "refun", "--format", "json", code=1) or "[]")
    assert "no call has 'refun'" in deck.stderr
    assert len(deck.json("search", "refund", "--limit", "1")) == 1
    deck.run("search", "refund policy", "--identity", "nobody", code=1)
    assert {row["call_id"] for row in deck.json("search", "refund*")} == {
        call["call_id"] for call in deck.calls("--text", "refund*")}


@pytest.mark.parametrize("flags", [[], [" "], ["x", "--limit", "0"], ["x", "--sort", "size"], ["x", "--text", " "]])
def test_nothing_to_look_for_is_bad_usage(deck, flags):
    deck.run("search", *flags, code=64)


def test_a_terminal_shows_matches_in_reverse(deck):
    def shown(**more):
        main, other = pty.openpty()
        process = subprocess.Popen([BIN / "tapedeck", "search", "refund policy"], stdout=other, env=deck.environment(**more))
        os.close(other)
        text = b""
        try:
            while data := os.read(main, 65_536):
                text += data
        except OSError:
            pass
        os.close(main)
        assert process.wait(30) == 0
        return text.decode()
    assert "\x1b[1;7mrefund policy\x1b[0m" in shown()
    assert "\x1b" not in shown(NO_COLOR="1") and "⟦refund policy⟧" in shown(NO_COLOR="1")


def test_what_audio_says_is_found_and_base64_is_not(tapedeck, upstream):
    proxy = tapedeck.serve(upstream.url)
    for name, path in ("chat_audio", "/v1/chat/completions"), ("unknown_image", "/v1/images/generations"):
        raw_http.post(proxy.url, "{}", path=path, headers=[f"X-Play: {name}"])
    tapedeck.wait_for(lambda: [call["state"] for call in tapedeck.calls()] == ["done", "done"])
    image, audio = tapedeck.calls()
    assert [row["call_id"] for row in tapedeck.json("search", "zebra crossing")] == [audio["call_id"]]
    base64 = json.loads(tapedeck.json("show", image["call_id"], "--full")["choices"][0]["content"])["b64_json"]
    tapedeck.run("search", base64, code=1)
    shown = [tapedeck.run(*words) for words in (
        ["calls", "--format", "json"], ["show", image["call_id"], "--format", "table"],
        ["show", image["call_id"], "--format", "json"], ["frames", image["call_id"], "--format", "json"])]
    assert not [text for text in shown if base64 in text] and all("[application/octet-stream 60 B " in text for text in shown)
    pieces = json.dumps(tapedeck.json("show", audio["call_id"], "--full")["extra"])
    assert '"data": "' in pieces and "[audio 60 B sha256 " in json.dumps(tapedeck.show(audio["call_id"])["extra"]["_history"])
