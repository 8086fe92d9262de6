"""The built binary is killed, or its disk fails, at every step; and its catalogue's disk is really full."""

import os
import pathlib
import shutil
import signal
import sqlite3
import subprocess

import pytest

from conftest import Tapedeck, curl, request
from upstream import text_frames

SHIM = pathlib.Path(__file__).with_name("fault.c")


@pytest.fixture(scope="session")
def shim(tmp_path_factory):
    """The library that makes the N-th request of a process go wrong: no option of the product does."""
    compiler = shutil.which("cc") or shutil.which("clang")
    if not compiler:
        pytest.skip("no C compiler")
    library = tmp_path_factory.mktemp("shim") / "fault.so"
    subprocess.run([compiler, "-O1", "-shared", "-fPIC", "-o", library, SHIM, "-ldl"], check=True)
    return library


class Faulty(Tapedeck):
    """The built binary on a disk on which something goes wrong."""

    def environment(self, **more):
        return {**super().environment(**more), **self.fault}

    def __init__(self, store, shim, kind, at=0):
        super().__init__(store)
        self.fault = {"LD_PRELOAD": str(shim), "FAULT_DIR": str(store), "FAULT_KIND": kind, "FAULT_AT": str(at)}

    def status(self, *arguments):
        """Runs a command; gives its exit code (-9: killed) and what it printed."""
        done = subprocess.run([*self.command(arguments)], capture_output=True, timeout=60, env=self.environment())
        self.stderr = done.stderr.decode(errors="replace")
        return done.returncode, done.stdout

    def command(self, arguments):
        from conftest import BIN
        return [BIN / "tapedeck", *map(str, arguments)]


def calls_and_leaves(deck):
    """Everything in the archive, by a catalogue that is made anew."""
    deck.run("index", "--rebuild", code=None)
    with sqlite3.connect(deck.store / "catalogue.sqlite") as catalogue:
        return dict(catalogue.execute("SELECT call_id, leaf_hash FROM calls"))


def every_step(tapedeck, tmp_path, shim, kind, *arguments):
    """For each N until the command gets through: a copy of the store on which request N went wrong."""
    at = in_a_row = 0
    while True:
        at += 1
        copy = tmp_path / f"copy-{kind}-{at}"
        shutil.copytree(tapedeck.store, copy)
        faulty = Faulty(copy, shim, kind, at)
        code, output = faulty.status(*arguments)
        assert code in (0, 2, -signal.SIGKILL), faulty.stderr
        if kind != "kill" and code == 2:
            assert "tapedeck" in faulty.stderr and "annot" in faulty.stderr, faulty.stderr
        yield at, code, Tapedeck(copy), output
        shutil.rmtree(copy)
        # A step that does not kill may fail without harm: only after some in a row there were no more.
        in_a_row = in_a_row + 1 if code == 0 else 0
        if in_a_row == (1 if kind == "kill" else 12):
            break
    assert at > 10


@pytest.fixture
def unsealed(tapedeck, tmp_path, upstream):
    """Journals of three writers that are gone: one closed, one killed inside of a write, and a segment from before."""
    for name, count in (("first", 3), ("second", 5)):
        path = tmp_path / f"{name}.sse"
        path.write_bytes(b"".join(text_frames(count)))
        tapedeck.run("import", path)
        if name == "first":
            tapedeck.run("seal")
    proxy = tapedeck.serve(upstream.url, "--no-index", "--no-seal")
    curl(proxy.url, request("text", n=4))
    curl(proxy.url, request("forever"), "--max-time", "0.5", check=False)
    proxy.kill()
    proxy.wait()
    journal = sorted((tapedeck.store / "archive").glob("J-*.tape"))[-1]
    with open(journal, "ab") as file:
        file.write(b"1234abcd 500 frame 1 2")
    return calls_and_leaves(tapedeck)


def test_a_seal_that_is_killed_at_any_step_loses_nothing(tapedeck, tmp_path, shim, unsealed):
    assert len(unsealed) == 4
    for at, code, copy, _ in every_step(tapedeck, tmp_path, shim, "kill", "seal"):
        if at % 3 == 0:
            assert calls_and_leaves(copy) == unsealed, f"killed at step {at}"
        copy.run("seal")
        assert calls_and_leaves(copy) == unsealed, f"sealed again after step {at}"
        left = [path.name for path in (copy.store / "archive").iterdir()]
        assert not [name for name in left if name.endswith((".tape", ".tmp"))], left


def test_a_seal_whose_disk_fails_at_any_step_loses_nothing(tapedeck, tmp_path, shim, unsealed):
    failed = 0
    for at, code, copy, _ in every_step(tapedeck, tmp_path, shim, "eio", "seal"):
        failed += code == 2
        copy.run("seal")
        assert calls_and_leaves(copy) == unsealed, f"after step {at}"
    assert failed > 10


@pytest.mark.parametrize("kind", ["eintr", "short"])
def test_interrupted_and_short_requests_change_nothing(tapedeck, tmp_path, shim, unsealed, kind, upstream):
    faulty = Faulty(tapedeck.store, shim, kind)
    code, output = faulty.status("record", "--url", upstream.url + "/v2/deployments/stream", "-d", request("text", n=3))
    assert (code, output) == (0, b"".join(text_frames(3)))
    code, _ = faulty.status("seal")
    assert code == 0, faulty.stderr
    after = calls_and_leaves(tapedeck)
    assert len(after) == len(unsealed) + 1 and unsealed.items() <= after.items()


def test_a_recording_that_is_killed_at_any_step_has_on_tape_what_the_client_got(tapedeck, tmp_path, shim, upstream):
    (tapedeck.store).mkdir()
    whole = b"".join(text_frames(3))
    command = ("record", "--url", upstream.url + "/v2/deployments/stream", "-d", request("text", n=3))
    seen = set()
    for at, code, copy, received in every_step(tapedeck, tmp_path, shim, "kill", *command):
        seen.add(len(received))
        assert whole.startswith(received)
        if received:
            copy.run("index")
            assert copy.run("cat", "@1", text=False).startswith(received), f"killed at step {at}"
        # The next recording goes well, whatever is left.
        assert copy.run(*command, text=False) == whole, f"after step {at}"
        copy.run("seal")
    assert len(whole) in seen


def small_disk(path):
    """A file system of 4 MiB; None where one cannot be had."""
    path.mkdir()
    if os.getuid() or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "none", path], capture_output=True).returncode:
        return None
    return path


def test_a_full_disk_stops_the_catalogue_and_not_the_archive(tapedeck, tmp_path):
    """SQLite on a disk that is really full; without root a limit on the size of files plays it."""
    source = tmp_path / "long.sse"
    source.write_bytes(b"".join(text_frames(400)))
    disk = small_disk(tmp_path / "disk")
    deck = Tapedeck((disk or tmp_path) / "store")
    try:
        for number in range(6):
            deck.run("import", "--again", "--started-at", f"2026-01-01T00:00:0{number}Z", source)
        deck.run("seal")
        (deck.store / "catalogue.sqlite").unlink()
        if disk:
            with open(disk / "filler", "wb") as filler:
                while os.statvfs(disk).f_bavail > 2:
                    filler.write(bytes(4096))
                    filler.flush()
            deck.run("index", code=2)
        else:
            deck.run("index", code=2, prefix=["prlimit", "--fsize=65536"])
        assert "full" in deck.stderr or "space" in deck.stderr or "large" in deck.stderr, deck.stderr
        if disk:
            (disk / "filler").unlink()
        deck.run("index")
        assert len(deck.calls()) == 6
        assert deck.run("cat", "@1", text=False) == source.read_bytes()
        followed = calls_and_leaves(deck)
        assert len(followed) == 6
    finally:
        if disk:
            subprocess.run(["umount", "-l", disk], check=True)


def test_journals_of_dead_writers_are_sealed_when_a_recorder_starts(tapedeck, upstream):
    first = tapedeck.serve(upstream.url)
    curl(first.url, request("text", n=3))
    first.kill()
    first.wait()
    archive = tapedeck.store / "archive"
    [journal] = archive.glob("J-*.tape")
    second = tapedeck.serve(upstream.url)
    tapedeck.wait_for(lambda: list(archive.glob("S-*")) and not journal.exists())
    tapedeck.wait_for(lambda: [call["state"] for call in tapedeck.calls()] == ["done"])
    assert tapedeck.run("cat", "@1", text=False) == b"".join(text_frames(3))
    tapedeck.stop(second)
