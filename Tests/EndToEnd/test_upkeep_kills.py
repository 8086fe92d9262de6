"""The built binary is killed at every step of erasing, repacking, indexing, recovering and removing old segments.

Each time the next run finishes the work: the archive verifies, and every call that was to stay is what it was.
`make faults` takes every step; otherwise some are chosen, the same each time.
"""

import os
import shutil
import signal
import subprocess

import pytest

from conftest import BIN, Tapedeck, curl
from test_durability import Faulty, shim  # noqa: F401
from test_erase import WHO, body, findings, others
from upstream import text_frames

EVERYTHING = "TAPEDECK_ALL_FAULTS" in os.environ


def leaves(deck):
    """Each call of the archive with its leaf hash: `verify` has compared these with the calls' bytes."""
    deck.run("verify")
    deck.run("index", "--rebuild")
    return {call["call_id"]: call["archive"]["leaf_hash"] for call in deck.calls()}


def unfinished(deck):
    return [path.name for path in (deck.store / "archive").iterdir() if path.name.endswith(".tmp")]


class Steps:
    """Runs something on copies of a store: once whole, to see how many steps it has, then killed at some of them."""

    def __init__(self, store, tmp_path, shim, most):
        self.store, self.tmp_path, self.shim, self.most = store, tmp_path, shim, most

    def copy(self, at, **more):
        copy = self.tmp_path / f"copy-{at}"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(self.store, copy, copy_function=shutil.copy2)
        faulty = Faulty(copy, self.shim, "kill", at)
        faulty.fault |= {"FAULT_COUNT": str(self.tmp_path / "count"), **more}
        return faulty

    def killed(self, run, **more):
        """For each of the steps the store as it was left there."""
        run(self.copy(0, **more))
        total = int((self.tmp_path / "count").read_text())
        assert total > 10
        killed = 0
        # Evenly, and of each neighbourhood another one.
        step = 1 if EVERYTHING else max(1, total // self.most)
        for index, start in enumerate(range(1, total + 1, step)):
            at = min(total, start + index * 7 % step)
            faulty = self.copy(at, **more)
            code = run(faulty)
            # Threads do not take turns in the same way each time: one of the last steps may not come.
            assert code in (0, -signal.SIGKILL), f"step {at} of {total}: {faulty.stderr}"
            killed += code != 0
            yield at, Tapedeck(faulty.store)
            shutil.rmtree(faulty.store)
        assert killed >= min(total, self.most) * 3 // 4


@pytest.fixture
def archive(tapedeck, upstream):
    """Calls of Anna and of others: in segments, and in the journal of a recorder that was killed in mid-stream."""
    for round in range(2):
        proxy = tapedeck.serve(upstream.url)
        for n in range(2):
            curl(proxy.url, others(2 * round + n))
            curl(proxy.url, body())
        tapedeck.stop(proxy)
    proxy = tapedeck.serve(upstream.url, "--no-seal")
    curl(proxy.url, others(8))
    curl(proxy.url, body())
    tapedeck.wait_for(lambda: len(tapedeck.calls()) == 10)
    proxy.kill()
    proxy.wait()
    return tapedeck


def command(*arguments):
    return lambda faulty: faulty.status(*arguments)[0]


def test_an_erasure_that_is_killed_at_any_step_is_finished_by_the_next(archive, tmp_path, shim):
    assert findings(archive.store)
    mine = {call["call_id"] for call in archive.calls("--identity", WHO["id"])}
    before = leaves(archive)
    kept = {call: leaf for call, leaf in before.items() if call not in mine}
    assert (len(mine), len(kept)) == (5, 5)
    erase = ("erase", "--identity", WHO["id"], "--yes")
    for at, left in Steps(archive.store, tmp_path, shim, 14).killed(command(*erase)):
        left.run("verify")
        if at % 2 and (left.store / "archive" / "erasures").exists():
            # Nobody has to ask again.
            left.run("seal")
            left.run("index")
        else:
            left.run(*erase, code=None)
        assert findings(left.store) == [], f"killed at step {at}"
        assert leaves(left) == kept, f"killed at step {at}"
        assert not unfinished(left) and not (left.store / "archive" / "erasures").exists()


def test_a_repack_that_is_killed_at_any_step_loses_nothing(archive, tmp_path, shim):
    archive.run("seal")
    before = leaves(archive)
    for at, left in Steps(archive.store, tmp_path, shim, 7).killed(command("repack", "--level", "19")):
        left.run("verify")
        left.run("repack", "--level", "19")
        assert leaves(left) == before, f"killed at step {at}"
        assert not unfinished(left)


def test_an_index_run_that_is_killed_at_any_step_is_completed_by_the_next(archive, tmp_path, shim):
    archive.run("index", "--rebuild")
    whole = dump(archive)
    (archive.store / "catalogue.sqlite").unlink()
    for at, left in Steps(archive.store, tmp_path, shim, 10).killed(command("index"), FAULT_CATALOGUE="1"):
        left.run("index")
        assert dump(left) == whole, f"killed at step {at}"


def dump(deck):
    """The catalogue, but for what counts rows and when."""
    sql = "SELECT * FROM v_calls ORDER BY call_id; SELECT * FROM v_usage_daily ORDER BY 1, 2, 3, 4;"
    return subprocess.run(["sqlite3", deck.store / "catalogue.sqlite", sql], capture_output=True, check=True).stdout


def serving(upstream, done, *flags):
    """Runs a recorder until it was killed, or has done at its start what it should: then it is stopped."""

    def run(faulty):
        log = faulty.store.parent / "serve.log"
        with open(log, "wb") as errors:
            process = subprocess.Popen(
                [BIN / "tapedeck", "serve", "--upstream", upstream.url, "--listen", "127.0.0.1:0", "--ui", "off",
                 "--no-index", *flags], env=faulty.environment(), stderr=errors, stdout=subprocess.DEVNULL)
        try:
            faulty.wait_for(lambda: process.poll() is not None
                            or "listening" in log.read_text() and done(faulty.store / "archive"))
            if process.poll() is None:
                process.terminate()
            return process.wait(30)
        finally:
            process.kill()
            faulty.stderr = log.read_text()

    return run


def test_a_recovery_at_start_that_is_killed_at_any_step_is_finished_by_the_next(archive, tmp_path, shim, upstream):
    before = leaves(archive)
    [dead] = (archive.store / "archive").glob("J-*.tape")
    with open(dead, "ab") as file:
        file.write(b"1234abcd 500 frame 1 2")

    def done(path):
        return not (path / dead.name).exists() and len(list(path.glob("S-*"))) == 3

    run = serving(upstream, done)
    for at, left in Steps(archive.store, tmp_path, shim, 7).killed(run):
        left.run("verify")
        assert run(left) == 0, f"started again after it was killed at step {at}"
        assert leaves(left) == before, f"killed at step {at}"
        assert not unfinished(left)


def test_retention_that_is_killed_at_any_step_is_finished_by_the_next(tapedeck, tmp_path, shim, upstream):
    for year in (2020, 2021, 2040):
        path = tmp_path / f"{year}.sse"
        path.write_bytes(b"".join(text_frames(3)) + b": %d\n\n" % year)
        tapedeck.run("import", "--started-at", f"{year}-01-01T00:00:00Z", path)
        tapedeck.run("seal")
    checkpoint = tmp_path / "checkpoint"
    checkpoint.write_text(tapedeck.run("checkpoint"))
    before = leaves(tapedeck)
    [young] = [call["call_id"] for call in tapedeck.calls("--from", "2039-01-01")]
    run = serving(upstream, lambda path: len(list(path.glob("S-*.zst"))) == 1, "--keep", "30d")
    for at, left in Steps(tapedeck.store, tmp_path, shim, 7).killed(run):
        left.run("verify", "--checkpoint", checkpoint)
        assert before.items() >= leaves(left).items()
        assert run(left) == 0, f"started again after it was killed at step {at}"
        left.run("verify", "--checkpoint", checkpoint)
        assert leaves(left) == {young: before[young]}, f"killed at step {at}"
        assert len(list((left.store / "archive").glob("*.leaves"))) == 2 and not unfinished(left)
