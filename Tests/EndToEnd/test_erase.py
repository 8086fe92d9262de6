"""`tapedeck erase` beside a running recorder: every file is read as it lies and decompressed, and has nothing left."""

import json
import os
import pathlib
import pty
import subprocess
import time

from conftest import BIN, curl
from test_shapes import documented, merged

WHO = {"id": "user-anna-7731", "email": "anna.7731@example.com", "display_name": "Anna Zweifelsohne"}
PROMPT = "Where is my pink umbrella"
ANSWER = "It hangs behind the zebra door, quite as always."
# What must be nowhere. The answer comes in pieces of four characters, so the whole of it is in decoded text alone.
SECRETS = [*WHO.values(), PROMPT, "thread-of-anna", "meta-of-anna", "zebra door", "umbrella", "zebra"]


def body(say=ANSWER, gap_ms=0, who=WHO, prompt=PROMPT, thread="thread-of-anna", tag="meta-of-anna"):
    return json.dumps({
        "key": "echo", "stream": True, "identity": who, "thread": {"id": thread, "tags": [tag]},
        "metadata": {"note": tag}, "messages": [{"role": "user", "content": prompt}],
        "inputs": {"say": say, "gap_ms": gap_ms},
    })


def others(n):
    return body(say=f"Nothing to see here, number {n}.", who={"id": f"other-{n}"}, prompt=f"hello {n}", thread=f"t{n}",
                tag="other")




def contents(path):
    """A file as it lies, and what is compressed in it."""
    data = path.read_bytes()
    yield data
    if data[:4] == b"\x28\xb5\x2f\xfd":
        # zstd skips the frames of cuts, times and salts, which have no text in them.
        yield subprocess.run(["zstd", "-dc"], input=data, capture_output=True).stdout


def findings(store, secrets=SECRETS):
    """Every file of the store, and which words are in it."""
    found = []
    for path in sorted(pathlib.Path(store).rglob("*")):
        if not path.is_file():
            continue
        for content in contents(path):
            lowered = content.lower()
            for word in secrets:
                for form in {word, json.dumps(word)[1:-1]}:
                    if form.lower().encode() in lowered:
                        found.append((path.name, word))
    return found


def leaves(tapedeck):
    return {c["call_id"]: c["archive"]["leaf_hash"] for c in tapedeck.calls()}


def test_an_identity_is_gone_from_every_file_and_the_others_are_whole(tapedeck, upstream):
    proxy = tapedeck.serve(upstream.url)
    for n in range(6):
        curl(proxy.url, others(n))
        curl(proxy.url, body())
    tapedeck.stop(proxy)
    proxy = tapedeck.serve(upstream.url)
    curl(proxy.url, body())
    curl(proxy.url, others(7))
    tapedeck.wait_for(lambda: len(tapedeck.calls()) == 14)
    assert findings(tapedeck.store)
    before = {c: tapedeck.run("cat", c, text=False) for c in leaves(tapedeck)}
    mine = {c["call_id"] for c in tapedeck.calls("--identity", WHO["email"])}
    hashes = leaves(tapedeck)
    assert len(mine) == 7
    [segment] = [p.name for p in (tapedeck.store / "archive").glob("S-*")]

    # By the email, beside the recorder; the last call still lies in its live journal.
    report = tapedeck.json("erase", "--identity", WHO["email"], "--yes")
    assert report["calls_erased"] == 7 and set(report["calls"]) == mine and report["pending"] == []
    assert segment in report["files_rewritten"] and report["kept_usage"] is False
    assert findings(tapedeck.store) == []

    # The recorder goes on, and the others are what they were.
    curl(proxy.url, others(8))
    tapedeck.wait_for(lambda: len(tapedeck.calls()) == 8)
    after = leaves(tapedeck)
    for call in set(before) - mine:
        assert tapedeck.run("cat", call, text=False) == before[call] and after[call] == hashes[call]
    for call in mine:
        tapedeck.run("show", call, code=1)
        assert "was erased at 20" in tapedeck.stderr
        tapedeck.run("cat", call[:20], code=1)
    tapedeck.run("calls", "--identity", WHO["id"], code=1)
    assert tapedeck.json("status")["calls"]["erased"] == 7
    tapedeck.stop(proxy)
    assert findings(tapedeck.store) == []
    tapedeck.run("index", "--rebuild")
    assert findings(tapedeck.store) == [] and tapedeck.json("status")["calls"]["erased"] == 7
    # Nothing found is no success.
    tapedeck.run("erase", "--identity", WHO["id"], "--yes", code=1)
    assert "nothing to erase" in tapedeck.stderr


def test_a_call_that_streams_is_erased_when_it_ends(tapedeck, upstream):
    proxy = tapedeck.serve(upstream.url)
    client = subprocess.Popen(["curl", "-sS", "-N", "-d", body(gap_ms=250), proxy.url + "/v2/deployments/stream"],
                              stdout=subprocess.PIPE)
    tapedeck.wait_for(tapedeck.calls)
    curl(proxy.url, others(1))
    report = tapedeck.json("erase", "--identity", WHO["id"], "--yes")
    assert report["calls_erased"] == 0
    assert merged(report) == documented("erase") and list(report) == list(documented("erase"))
    [pending] = report["pending"]
    assert "still streams" in pending["why"]
    # The client gets all of it.
    heard = b"".join(json.loads(f[6:])["choices"][0]["message"]["content"].encode()
                     for f in client.stdout.read().split(b"\n\n") if f.startswith(b"data: {"))
    assert heard.decode() == ANSWER and client.wait(10) == 0
    # Nobody has to ask again, and it is not left to the seal of every half minute.
    tapedeck.wait_for(lambda: not findings(tapedeck.store), seconds=20)
    tapedeck.wait_for(lambda: not (tapedeck.store / "archive" / "erasures").exists(), seconds=20)
    tapedeck.run("show", pending["call_id"], code=1)
    assert len(tapedeck.calls()) == 1
    tapedeck.stop(proxy)
    assert findings(tapedeck.store) == []


def test_kept_usage_adds_up_to_the_same(tapedeck, upstream):
    proxy = tapedeck.serve(upstream.url)
    for n in range(3):
        curl(proxy.url, others(n))
        curl(proxy.url, body())
    tapedeck.stop(proxy)
    how = ("--by", "model,provider,deployment,day", "--totals")
    before = tapedeck.json("usage", *how)
    assert before[-1]["calls"] == 6 and before[-1]["total_tokens"] == 720
    report = tapedeck.json("erase", "--identity", WHO["id"], "--keep-usage", "--yes")
    assert report["calls_erased"] == 3 and report["kept_usage"] is True
    assert findings(tapedeck.store) == []
    assert tapedeck.json("usage", *how) == before
    assert {row["group"]["identity"] for row in tapedeck.json("usage", "--by", "identity")} == {
        None, "other-0", "other-1", "other-2"}
    assert len(tapedeck.calls()) == 3
    tapedeck.run("index", "--rebuild")
    assert tapedeck.json("usage", *how) == before
    [call, *_] = report["calls"]
    tapedeck.run("show", call, code=1)
    assert "was erased at" in tapedeck.stderr
    # What was kept can go too.
    tapedeck.json("erase", "--call", call, "--yes")
    assert tapedeck.json("usage", *how)[-1]["calls"] == 5


def test_by_call_and_by_age(tapedeck, upstream):
    proxy = tapedeck.serve(upstream.url)
    for n in range(4):
        curl(proxy.url, others(n))
    tapedeck.stop(proxy)
    ids = [c["call_id"] for c in tapedeck.calls()]
    report = tapedeck.json("erase", "--call", "@1", "--call", ids[2], "--yes")
    assert set(report["calls"]) == {ids[0], ids[2]}
    tapedeck.run("erase", "--older-than", "1d", "--yes", code=1)
    time.sleep(1.1)
    assert tapedeck.json("erase", "--older-than", "1s", "--yes")["calls_erased"] == 2
    tapedeck.run("calls", code=1)


def test_without_yes_nobody_is_taken_by_surprise(tapedeck, upstream):
    proxy = tapedeck.serve(upstream.url)
    curl(proxy.url, body())
    tapedeck.stop(proxy)
    tapedeck.run("erase", "--identity", WHO["id"], code=64)
    assert "--yes" in tapedeck.stderr
    tapedeck.run("erase", "--yes", code=64)
    tapedeck.run("erase", "--identity", WHO["id"], "--older-than", "1d", "--yes", code=64)
    for answer, code in ((b"n\n", 2), (b"y\n", 0)):
        primary, secondary = pty.openpty()
        process = subprocess.Popen([BIN / "tapedeck", "erase", "--identity", WHO["id"]], stdin=secondary,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=tapedeck.environment())
        os.write(primary, answer)
        out, err = process.communicate(timeout=60)
        assert process.returncode == code, err
        assert b"1 call of identity" in err and b"cannot be undone" in err
        assert bool(findings(tapedeck.store)) == (code == 2)


def test_a_store_without_catalogue_is_searched_as_it_lies(tapedeck, upstream):
    proxy = tapedeck.serve(upstream.url, "--no-index", "--no-seal")
    for n in range(3):
        curl(proxy.url, others(n))
        curl(proxy.url, body())
    report = tapedeck.json("erase", "--identity", WHO["email"].upper(), "--yes")
    assert report["calls_erased"] == 3 and report["pending"] == []
    assert findings(tapedeck.store) == [] and not (tapedeck.store / "catalogue.sqlite").exists()
    tapedeck.stop(proxy)
    tapedeck.run("index")
    assert len(tapedeck.calls()) == 3
