"""Questions to a store of a million calls, whole processes."""

import json
import os
import pathlib
import random
import sqlite3
import subprocess
import sys

from .processes import run
from .table import Row, Target
from .tools import BIN, BUILD, HERE, Failed

SQLITE = "sqlite3 on the same catalogue"
MONTH = ("2025-03-01", "2025-04-01")


class Million:
    """The store, made once from gen_calls.py (or $BENCH_MILLION), with a catalogue of this version."""

    def __init__(self, calls):
        self.calls = calls
        self.store = pathlib.Path(os.environ.get("BENCH_MILLION") or BUILD / f"calls-{calls}")
        clean = {k: v for k, v in os.environ.items() if not k.startswith("TAPEDECK_")}
        self.env = {**clean, "TAPEDECK_STORE": str(self.store)}
        self.catalogue = self.store / "catalogue.sqlite"
        if not (self.store / "archive").is_dir():
            self._make()
        if "BENCH_MILLION" not in os.environ:
            self._refresh()
        if (found := self.ask("SELECT count(*) FROM calls")[0][0]) != calls:
            raise Failed(f"{self.store} has {found} calls, not {calls}")

    def ask(self, sql, *values):
        try:
            return sqlite3.connect(f"file:{self.catalogue}?mode=ro", uri=True).execute(sql, values).fetchall()
        except sqlite3.Error as error:
            raise Failed(f"{self.catalogue}: {error}") from error

    def pick(self, count):
        """Id, trace and bytes of some calls from anywhere."""
        low, high = self.ask("SELECT min(call_key), max(call_key) FROM calls")[0]
        return [self.ask("SELECT call_id, trace_id, bytes FROM calls WHERE call_key >= ? AND trace_id IS NOT NULL ORDER BY call_key LIMIT 1", key)[0]
                for key in random.Random(1).sample(range(low, high - 100), count)]

    def _make(self):
        print(f"bench: making a store of {self.calls:,} calls, once; some minutes", file=sys.stderr)
        partial = self.store.with_name(self.store.name + ".partial")
        subprocess.run(["rm", "-rf", partial], check=True)
        env = {**self.env, "TAPEDECK_STORE": str(partial)}
        capture = self.store.with_name(self.store.name + ".jsonl")
        with open(capture, "wb") as lines:
            subprocess.run([sys.executable, HERE / "gen_calls.py", "--calls", str(self.calls)], stdout=lines, check=True)
        run(BIN / "tapedeck-live", "import", capture, env=env)
        capture.unlink()
        run(BIN / "tapedeck", "seal", env=env)
        partial.rename(self.store)

    def _refresh(self):
        try:
            run(BIN / "tapedeck", "index", env=self.env)
        except Failed:
            run(BIN / "tapedeck", "index", "--rebuild", env=self.env)


def scale(rounds, quick):
    calls = 20000 if quick else 1_000_000
    note = f"at {calls:,} calls, whole process"
    look = Target(15, 5, "value")
    rows = {"show": Row(f"show CALL {note}", "ms CPU", ["tapedeck", SQLITE], targets={"tapedeck": look}, digits=1),
            "trace": Row(f"calls --trace {note}", "ms CPU", ["tapedeck", SQLITE], targets={"tapedeck": look}, digits=1),
            "usage": Row(f"usage by identity for a month {note}", "ms CPU", ["tapedeck", SQLITE], targets={"tapedeck": Target(25, 10, "value")}, digits=1),
            "cat": Row(f"cat CALL {note}", "ms CPU", ["tapedeck"], digits=1),
            "version": Row("start: --version", "ms CPU", ["tapedeck"], digits=1)}
    try:
        store = Million(calls)
        picked = store.pick(max(9, rounds))
    except Failed as failure:
        for row in rows.values():
            for name in row.cells:
                row.fail(name, failure)
        return rows.values()
    for call, trace, size in picked:
        rows["show"].take("tapedeck", lambda: _show(store, call, trace))
        rows["show"].take(SQLITE, lambda: _sqlite(store, f"SELECT * FROM v_calls WHERE call_id = '{call}'", 1))
        rows["trace"].take("tapedeck", lambda: _trace(store, call, trace))
        rows["trace"].take(SQLITE, lambda: _sqlite(store, f"SELECT * FROM v_calls WHERE trace_id = '{trace}'", 1))
        rows["cat"].take("tapedeck", lambda: _cat(store, call, size))
        rows["version"].take("tapedeck", lambda: run(BIN / "tapedeck", "--version")[1] * 1000)
    for _ in range(max(9, rounds)):
        rows["usage"].take("tapedeck", lambda: _usage(store))
        rows["usage"].take(SQLITE, lambda: _sqlite(store, f"SELECT identity_id, count(*), sum(total_tokens) FROM v_calls WHERE NOT mock AND "
                                                          f"day >= '{MONTH[0]}' AND day < '{MONTH[1]}' GROUP BY 1", 1))
    return rows.values()


def _json(store, *command):
    out, seconds = run(BIN / "tapedeck", *command, "--format", "json", env=store.env)
    return json.loads(out), seconds * 1000


def _show(store, call, trace):
    shown, milliseconds = _json(store, "show", call)
    if (shown["call_id"], shown["trace_id"]) != (call, trace):
        raise Failed(f"show {call} showed {shown['call_id']} of trace {shown['trace_id']}")
    return milliseconds


def _trace(store, call, trace):
    found, milliseconds = _json(store, "calls", "--trace", trace)
    if [row["call_id"] for row in found] != [call]:
        raise Failed(f"calls --trace {trace} gave {[row['call_id'] for row in found]}, not {call}")
    return milliseconds


def _cat(store, call, size):
    out, seconds = run(BIN / "tapedeck", "cat", call, env=store.env)
    if len(out) != size:
        raise Failed(f"cat {call} gave {len(out)} bytes of {size}")
    return seconds * 1000


def _usage(store):
    found, milliseconds = _json(store, "usage", "--by", "identity", "--from", MONTH[0], "--to", MONTH[1])
    sums = (len(found), sum(row["calls"] for row in found), sum(row["total_tokens"] or 0 for row in found))
    want = store.ask("SELECT count(DISTINCT identity_id), count(*), sum(total_tokens) FROM v_calls WHERE NOT mock AND day >= ? AND day < ?", *MONTH)[0]
    if sums != want:
        raise Failed(f"usage has {sums} identities, calls, tokens; the rows of calls have {want}")
    return milliseconds


def _sqlite(store, sql, least):
    out, seconds = run("sqlite3", "-readonly", "-json", store.catalogue, sql)
    if len(json.loads(out or "[]")) < least:
        raise Failed(f"sqlite3 found nothing for {sql}")
    return seconds * 1000
