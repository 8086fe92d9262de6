"""The recording proxy under load: CPU, added latency, memory, how soon a call is in the catalogue."""

import sqlite3
import statistics
import threading
import time
from contextlib import contextmanager

from .load import Load, run_load
from .subjects import DIRECT, PEERS, RELAY, TAPEDECK, TAPEDECK_WHOLE
from .table import Row, Target
from .tools import Failed


def field(result, *path):
    for key in path:
        result = result.get(key) if isinstance(result, dict) else None
    if result is None:
        raise Failed(f"the load client did not report {'.'.join(path)}")
    return result


def cpu(rounds, quick):
    for streams, frames in ((16, 20000), (256, 2000)):
        load = Load(streams, frames // 10 if quick else frames)
        subjects = [RELAY, TAPEDECK, *PEERS]
        recording = Row(f"CPU per 500 B frame, {streams} streams back to back, recording", "µs", [s.name for s in subjects], RELAY.name,
                        {TAPEDECK.name: Target(1.6, 1.2)})
        # Sealing comes after a journal is closed, so a short load run sees little of it; the last row sees all, also what
        # the process left to the next start, which `tapedeck seal` does then.
        both = [Row(title, "µs", [RELAY.name, TAPEDECK_WHOLE.name], RELAY.name, {TAPEDECK_WHOLE.name: Target(3.0, 2.0)})
                for title in ("the same with indexer and sealing, whole process, while the load runs",
                              "… and on until all is sealed and indexed and the process has ended")]
        measures = [(recording, ("proxy", "cpu_us_per_frame")), (both[0], ("proxy", "cpu_us_per_frame")), (both[1], ("whole_cpu_us_per_frame",))]
        for _ in range(rounds):
            for subject in [*subjects, TAPEDECK_WHOLE]:
                _take_all(subject, load.part(1 if quick else subject.share), measures)
        yield from (recording, *both)


def _take_all(subject, load, measures):
    """One run, whose figures go into each row that has the subject."""
    rows = [(row, path) for row, path in measures if subject.name in row.cells]
    try:
        result = run_load(subject, load)
    except Failed as failure:
        for row, _ in rows:
            row.fail(subject.name, failure)
        return
    for row, path in rows:
        row.take(subject.name, lambda: field(result, *path))


def latency(rounds, quick):
    """What standing in between adds to a frame's way, over the way without anybody in between in the same round."""
    load = Load(64, 50 if quick else 200, 20000)
    row = Row("added latency p50, 64 streams × 20 ms", "µs", [s.name for s in (RELAY, TAPEDECK, *PEERS)], RELAY.name,
              {TAPEDECK.name: Target(1.8, 1.3)}, digits=1)
    path = Row("… of which the way without anybody in between", "µs", [DIRECT.name], digits=1)
    for _ in range(rounds):
        direct = path.take(DIRECT.name, lambda: field(run_load(DIRECT, load), "transit_us", "p50"))
        for subject in (RELAY, TAPEDECK, *PEERS):
            if direct is None:
                row.fail(subject.name, "the run without anybody in between failed")
            else:
                row.take(subject.name, lambda: field(run_load(subject, load), "transit_us", "p50") - direct)
    yield row
    yield path


def memory(rounds, quick):
    for streams, must, aim in ((256, 45, 30), (2000, 90, 60)):
        load = Load(streams, 20 if quick else 60, 50000)
        yield _memory(load, rounds, [RELAY, TAPEDECK, *PEERS[:2]], f"memory, {streams:,} open streams", Target(must, aim, "value"))
    # Mostly silent: there is a frame every other second.
    yield _memory(Load(8000, 5, 2_000_000), 1, [RELAY, TAPEDECK], "memory, 8,000 streams, a frame each 2 s", None)


def _memory(load, rounds, subjects, title, target):
    row = Row(title, "MB", [s.name for s in subjects], targets={TAPEDECK.name: target} if target else None, digits=1)
    for _ in range(rounds):
        for subject in subjects:
            row.take(subject.name, lambda: field(run_load(subject, load), "proxy", "rss_peak_MB"))
    return row


def lag(rounds, quick):
    """How long after its end a call is in the catalogue, while the proxy records, indexes and seals."""
    for title, load in (("256 streams back to back", Load(256, 200, requests=512 if quick else 2048)),
                        ("64 streams × 20 ms", Load(64, 100 if quick else 300, 20000))):
        p50, longest = (Row(f"a call's end until it is in the catalogue, {title}, {which}", "ms", [TAPEDECK_WHOLE.name], digits=0)
                        for which in ("p50", "longest"))
        for _ in range(rounds):
            watcher = Watcher(load)
            try:
                run_load(TAPEDECK_WHOLE, load, watcher.watching)
                found = watcher.lags()
            except Failed as failure:
                p50.fail(TAPEDECK_WHOLE.name, failure)
                longest.fail(TAPEDECK_WHOLE.name, failure)
                continue
            p50.take(TAPEDECK_WHOLE.name, lambda: statistics.median(found) * 1000)
            longest.take(TAPEDECK_WHOLE.name, lambda: max(found) * 1000)
        yield p50
        yield longest


class Watcher:
    """Reads the catalogue every 10 ms, and looks whether its sums agree with each other each time."""

    def __init__(self, load):
        self.load, self.seen, self.wrong, self.done = load, {}, None, threading.Event()

    @contextmanager
    def watching(self, target, directory):
        thread = threading.Thread(target=self._watch, args=(directory / "store" / "catalogue.sqlite",))
        thread.start()
        try:
            yield
            time.sleep(1.5)
        finally:
            self.done.set()
            thread.join()

    def lags(self):
        if self.wrong:
            raise Failed(self.wrong)
        if len(self.seen) != self.load.requests:
            raise Failed(f"{len(self.seen)} of {self.load.requests} calls are in the catalogue 1.5 s after the last")
        return list(self.seen.values())

    def _watch(self, path):
        try:
            while not path.exists() and not self.done.wait(0.01):
                pass
            time.sleep(0.3)
            base = sqlite3.connect(f"file:{path}?mode=ro", uri=True, isolation_level=None)
            while not self.done.wait(0.01):
                self._look(base)
        except sqlite3.Error as error:
            self.wrong = f"a reader of the catalogue got: {error}"

    def _look(self, base):
        base.execute("BEGIN")
        ended = base.execute("SELECT call_key, started_ns + duration_ns FROM calls WHERE state <> 'open' AND duration_ns IS NOT NULL").fetchall()
        whole = base.execute("SELECT count(*), sum(bytes), sum(frames) FROM calls").fetchone()
        parts = base.execute("SELECT sum(n), sum(b), sum(f) FROM (SELECT count(*) n, sum(bytes) b, sum(frames) f FROM calls GROUP BY state)").fetchone()
        base.execute("COMMIT")
        if whole[0] and whole != parts:
            self.wrong = f"sums of the catalogue disagree: {whole} and {parts}"
        now = time.time()
        for key, end in ended:
            self.seen.setdefault(key, now - end / 1e9)
