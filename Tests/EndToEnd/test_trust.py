"""verify, checkpoint, proof and tapes through the built binary: exit codes, and signatures and proofs as others check them."""

import base64
import hashlib
import json
import pathlib
import shutil
import subprocess

import pytest

from conftest import Tapedeck


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    """The demo's calls, sealed in two segments."""
    deck = Tapedeck(tmp_path_factory.mktemp("trust") / "store")
    deck.run("demo", "--store", deck.store)
    deck.run("seal")
    capture = deck.store.parent / "one.sse"
    capture.write_bytes(b'data: {"id":"x","created":"2026-01-02T03:04:05Z"}\n\ndata: [DONE]\n\n')
    deck.run("import", capture)
    deck.run("seal")
    return deck


@pytest.fixture
def deck(original, tmp_path):
    """A copy to spoil."""
    shutil.copytree(original.store, tmp_path / "store")
    return Tapedeck(tmp_path / "store")


def segments(deck):
    return sorted((deck.store / "archive").glob("S-*"))


def verify(deck, *arguments, code=0):
    return json.loads(deck.run("verify", *arguments, "--format", "json", code=code))


def calls_of(deck, segment):
    return {c["call_id"] for c in deck.calls() if deck.show(c["call_id"])["archive"]["file"] == segment.name}


# An independent reader of notes and proofs: RFC 6962, c2sp.org/signed-note, and openssl for Ed25519.

def node(left, right):
    return hashlib.sha256(b"\x01" + left + right).digest()


def root_of(leaf, index, size, path):
    """RFC 9162 2.1.3.2."""
    place, last, hash = index, size - 1, leaf
    for sibling in path:
        assert last > 0
        if place & 1 or place == last:
            hash = node(sibling, hash)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            hash = node(hash, sibling)
        place, last = place >> 1, last >> 1
    assert last == 0
    return hash


def checkpoint_of(text):
    origin, size, root = text.split("\n")[:3]
    return origin, int(size), base64.b64decode(root)


def openssl_accepts(note, verifier, tmp_path):
    text, _, signatures = note.rpartition("\n\n")
    name, key_id, key = verifier.split("+", 2)
    key = base64.b64decode(key)
    assert key[0] == 1 and hashlib.sha256(name.encode() + b"\n" + key).digest()[:4].hex() == key_id
    dash, signer, signature = signatures.strip().split(" ")
    signature = base64.b64decode(signature)
    assert dash == "—" and signer == name and signature[:4].hex() == key_id
    (tmp_path / "text").write_text(text + "\n")
    (tmp_path / "sig").write_bytes(signature[4:])
    # An Ed25519 public key as SubjectPublicKeyInfo.
    (tmp_path / "key.der").write_bytes(bytes.fromhex("302a300506032b6570032100") + key[1:])
    done = subprocess.run(
        ["openssl", "pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-inkey", tmp_path / "key.der", "-rawin",
         "-in", tmp_path / "text", "-sigfile", tmp_path / "sig"], capture_output=True)
    return done.returncode == 0


def test_a_sealed_store_is_sound(deck):
    report = verify(deck)
    assert report["ok"] and report["damage"] == [] and report["notes"] == []
    assert report["calls"] == {"sealed": 12, "erased": 0, "removed": 0, "unsealed": 0, "open": 0, "lost": 0}
    assert [c["result"] for c in report["checkpoints"]] == ["same"]
    table = deck.run("verify", "--format", "table")
    assert "12 calls in 2 segments" in table and "all is as it was recorded" in table


def test_it_works_without_catalogue_and_on_a_store_that_cannot_be_written(deck):
    for file in deck.store.glob("catalogue.sqlite*"):
        file.unlink()
    call = sorted(segments(deck))[0].name
    assert verify(deck)["ok"]
    for path in [*deck.store.rglob("*"), deck.store]:
        path.chmod(0o500 if path.is_dir() else 0o400)
    try:
        assert verify(deck)["ok"]
        assert deck.run("checkpoint").count("\n") == 3
    finally:
        for path in [deck.store, *deck.store.rglob("*")]:
            path.chmod(0o700 if path.is_dir() else 0o600)
    assert call


@pytest.mark.parametrize("where", ["first", "start", "third", "middle", "late", "index", "sums", "table", "last"])
def test_a_changed_byte_is_reported_with_the_calls(deck, where):
    segment = segments(deck)[0]
    data = bytearray(segment.read_bytes())
    calls = calls_of(deck, segment)
    size = len(data)
    offset = {"first": 0, "start": 30, "third": size // 3, "middle": size // 2, "late": size * 3 // 4,
              "index": size - 400, "sums": size - 100, "table": size - 40, "last": size - 1}[where]
    data[offset] ^= 0x10
    segment.write_bytes(data)
    report = verify(deck, code=2)
    assert not report["ok"]
    assert {call for item in report["damage"] for call in item["calls"]} == calls
    one = sorted(calls)[0]
    verdict = verify(deck, one, code=2)
    assert not verdict["ok"] and verdict["call_id"] == one
    # The other segment's calls are as they were.
    assert verify(deck, sorted({c["call_id"] for c in deck.calls()} - calls)[0])["ok"]


@pytest.mark.parametrize("change", ["append", "cut", "insert", "empty"])
def test_bytes_more_or_less_are_reported(deck, change):
    segment = segments(deck)[0]
    data = segment.read_bytes()
    segment.write_bytes({"append": data + b"\0", "cut": data[:-1], "empty": b"",
                         "insert": data[:200] + b"x" + data[200:]}[change])
    report = verify(deck, code=2)
    assert segment.name in {item["file"] for item in report["damage"]}


def test_every_file_of_the_archive_counts(deck):
    for file in sorted((deck.store / "archive").iterdir()):
        data = bytearray(file.read_bytes())
        whole = bytes(data)
        data[len(data) // 2] ^= 1
        file.write_bytes(data)
        assert file.name in {item["file"] for item in verify(deck, code=2)["damage"]}
        file.write_bytes(whole)
    assert verify(deck)["ok"]


def test_removed_segments_are_reported(deck, tmp_path):
    kept = tmp_path / "kept"
    kept.write_text(deck.run("checkpoint"))
    newest = max(segments(deck), key=lambda s: s.stat().st_mtime_ns)
    calls = calls_of(deck, newest)
    data = newest.read_bytes()
    newest.unlink()
    report = verify(deck, "--checkpoint", kept, code=2)
    assert [c["result"] for c in report["checkpoints"]] == ["removed", "removed"]
    # Which calls they were is known to the catalogue.
    assert [item["calls"] for item in report["damage"] if item["file"] == newest.name] == [sorted(calls)]
    assert not verify(deck, code=2)["ok"]
    assert deck.run("checkpoint", code=2) == "" and "not whole" in deck.stderr
    newest.write_bytes(data)
    oldest = min(segments(deck), key=lambda s: s.stat().st_mtime_ns)
    oldest = next(s for s in segments(deck) if s != newest)
    oldest.unlink()
    report = verify(deck, "--checkpoint", kept, code=2)
    assert any("are in no file" in item["message"] for item in report["damage"])


def test_a_signed_checkpoint_is_checked_by_openssl_and_by_its_key(deck, tmp_path):
    key, note = tmp_path / "key", tmp_path / "note"
    verifier = deck.run("checkpoint", "--new-key", key).strip()
    assert key.stat().st_mode & 0o777 == 0o600 and key.read_text().startswith("PRIVATE+KEY+tapedeck/")
    deck.run("checkpoint", "--new-key", key, code=2)  # never over a key that is there
    deck.run("checkpoint", "--new-key", tmp_path / "k2", "--name", "a b", code=64)
    note.write_text(deck.run("checkpoint", "--sign", key))
    assert openssl_accepts(note.read_text(), verifier, tmp_path)
    report = verify(deck, "--checkpoint", note, "--key", verifier)
    assert report["checkpoints"][1]["signature"] == "valid"
    (tmp_path / "verifier").write_text(verifier + "\n")
    verify(deck, "--checkpoint", note, "--key", tmp_path / "verifier")
    other = deck.run("checkpoint", "--new-key", tmp_path / "other", "--name", "example.com/log").strip()
    assert verify(deck, "--checkpoint", note, "--key", other, code=2)["checkpoints"][1]["signature"] == "missing"
    text = note.read_text()
    note.write_text(text.replace("\n12\n", "\n11\n"))
    assert not openssl_accepts(note.read_text(), verifier, tmp_path)
    report = verify(deck, "--checkpoint", note, "--key", verifier, code=2)
    assert report["checkpoints"][1]["result"] == "different" and report["checkpoints"][1]["signature"] == "wrong"
    note.write_text("no checkpoint\n")
    deck.run("verify", "--checkpoint", note, code=2)
    deck.run("verify", "--key", verifier, code=64)


def test_a_proof_holds_without_the_archive_and_for_an_independent_reader(deck, tmp_path):
    call = deck.calls()[3]["call_id"]
    text = deck.run("proof", call)
    path = tmp_path / "proof"
    path.write_text(text)
    elsewhere = Tapedeck(tmp_path / "nowhere")
    checked = elsewhere.json("proof", "--check", path)
    assert checked["ok"] and checked["call_id"] == call and checked["covers"] == "call"
    proof = json.loads(text)
    assert proof["leaf"] == deck.show(call)["archive"]["leaf_hash"]
    assert hashlib.sha256(deck.run("cat", call, text=False)).hexdigest() == proof["raw_sha256"]

    meta = hashlib.sha256()
    for part in (proof["open"], proof["request"], proof["head"], proof["end"]):
        meta.update((2**64 - 1 if part is None else len(part.encode())).to_bytes(8, "little") + (part or "").encode())
    leaf = hashlib.sha256(b"\0" + bytes.fromhex(proof["salt"]) + meta.digest() + bytes.fromhex(proof["raw_sha256"])
                          + bytes.fromhex(proof["times_sha256"])).digest()
    assert leaf.hex() == proof["leaf"]
    _, size, root = checkpoint_of(proof["checkpoint"])
    assert root_of(leaf, proof["leaf_number"], size, [bytes.fromhex(h) for h in proof["inclusion"]]) == root

    kept = tmp_path / "kept"
    kept.write_text(deck.run("checkpoint"))
    elsewhere.run("proof", "--check", path, "--checkpoint", kept)
    kept.write_text(kept.read_text().replace("\n12\n", "\n13\n"))
    elsewhere.run("proof", "--check", path, "--checkpoint", kept, code=2)
    # Of an unsigned checkpoint nothing vouches for its first line, the archive's name, and its size only as far as the
    # path's length depends on it; for the root the path does.
    name, size_line, root_line, *rest = proof["checkpoint"].split("\n")
    changed = {key: proof[key].replace("0", "1") if "0" in proof[key] else proof[key] + " "
               for key in ("call_id", "leaf", "salt", "open", "request", "end", "raw_sha256")}
    other_root = ("B" if root_line[0] == "A" else "A") + root_line[1:]
    changed["checkpoint"] = "\n".join([name, size_line, other_root, *rest])
    for key, value in changed.items():
        wrong = {**proof, key: value}
        path.write_text(json.dumps(wrong))
        elsewhere.run("proof", "--check", path, code=2)
    path.write_text("{}")
    elsewhere.run("proof", "--check", path, code=2)
    elsewhere.run("proof", "--check", tmp_path / "none", code=2)


def test_who_asks_for_a_proof_of_what_has_none_is_told(deck, tmp_path):
    deck.run("proof", "01KZZZZZZZZZZZZZZZZZZZZZZZ", code=1)
    deck.run("proof", code=64)
    capture = tmp_path / "two.sse"
    capture.write_bytes(b"data: two\n\n")
    call = deck.run("import", capture).strip()
    deck.run("proof", call, code=2)
    assert "tapedeck seal" in deck.stderr
    assert verify(deck, call)["place"] == "journal"
    assert verify(deck)["calls"]["unsealed"] == 1


def test_one_checkpoint_goes_on_from_another(deck, tmp_path):
    old, new, document = tmp_path / "old", tmp_path / "new", tmp_path / "document"
    old.write_text(deck.run("checkpoint"))
    for index in range(3):
        capture = tmp_path / f"{index}.sse"
        capture.write_bytes(b"data: %d\n\n" % index)
        deck.run("import", capture)
        deck.run("seal")
    new.write_text(deck.run("checkpoint"))
    assert verify(deck, "--checkpoint", old, "--checkpoint", new)["ok"]
    document.write_text(deck.run("proof", "--consistency", old, new))
    assert Tapedeck(tmp_path / "nowhere").json("proof", "--check", document)["ok"]
    deck.run("proof", "--consistency", new, old, code=2)
    document.write_text(document.read_text().replace("\\n12\\n", "\\n11\\n"))
    deck.run("proof", "--check", document, code=2)


# Tapes

def test_a_tape_goes_into_another_store_and_back_unchanged(deck, tmp_path):
    tape = tmp_path / "calls.tape"
    tape.write_bytes(deck.run("export", "--to", "tape", text=False))
    ids = [line.split()[1] for line in tape.read_text().splitlines() if line.startswith("call ")]
    assert len(ids) == 12 and tape.read_text().startswith("tapedeck-tape/1\n# This is a tape")
    assert all(c >= " " or c == "\n" for c in tape.read_text())
    other = Tapedeck(tmp_path / "other")
    assert other.run("import", tape).split() == ids
    assert "the leaf hash of all 12 calls is right" in other.stderr and "12 are proven to be of the 12 calls" in other.stderr
    for call in ids:
        assert other.show(call)["archive"]["leaf_hash"] == deck.show(call)["archive"]["leaf_hash"]
        assert other.run("cat", call, text=False) == deck.run("cat", call, text=False)
    assert other.run("import", tape).split() == ids and len(other.calls()) == 12  # skipped
    other.run("seal")
    assert verify(other)["ok"]
    again = other.run("import", "--again", tape).split()
    assert len(again) == 12 and not set(again) & set(ids)


def test_bytes_of_any_kind_come_back(deck, tmp_path):
    capture = tmp_path / "odd.sse"
    capture.write_bytes(bytes(range(256)) + b"\r\n\r\n" + "é\u202e\u2028 \\n \\x41".encode() + b"\xff\xfe\n\n" + b"x" * 50000)
    call = deck.run("import", "--request", capture, capture).strip()
    tape = tmp_path / "odd.tape"
    tape.write_text(deck.run("export", "--to", "tape", call))
    assert not any(ord(c) < 32 and c != "\n" or c in "\u202e\u2028\x7f" for c in tape.read_text())
    other = Tapedeck(tmp_path / "other")
    assert other.run("import", tape).strip() == call and "1 had no proof" in other.stderr
    assert other.run("cat", call, text=False) == capture.read_bytes()
    assert other.show(call)["archive"]["leaf_hash"] == deck.show(call)["archive"]["leaf_hash"]


def test_a_damaged_tape_is_refused_whole(deck, tmp_path):
    tape, other = tmp_path / "calls.tape", Tapedeck(tmp_path / "other")
    whole = deck.run("export", "--to", "tape", "@1", "@2", text=False)
    lines = whole.split(b"\n")
    spoilt = [whole[:-1][:-5], whole.replace(b"data:", b"date:", 1), whole + b"more\n", b"\n".join(lines[:-8] + lines[-7:]),
              whole.replace(b"tapedeck-tape/1", b"tapedeck-tape/2", 1), whole[: len(whole) // 2], b""]
    for data in spoilt:
        assert data != whole
        tape.write_bytes(data)
        assert other.run("import", tape, code=2) == ""
        assert "cannot import" in other.stderr
    tape.write_bytes(whole)
    assert len(other.run("import", tape).split()) == 2
