"""Segments: how small, how fast made, checked and indexed; and indexers that others would use."""

import json
import os
import pathlib
import shutil
import sqlite3
import subprocess
import sys

from .processes import run
from .table import Row, Target
from .tools import BIN, BUILD, HERE, PYTHON, Failed


def tapes_of(calls, *flags):
    """Generated tapes, made once; their directory and raw response bytes. $BENCH_TAPES has the 2,000 if they are elsewhere."""
    default = os.environ.get("BENCH_TAPES") if not flags and calls == 2000 else None
    tapes = pathlib.Path(default or BUILD / "-".join(["tapes", str(calls), *(flag.strip("-") for flag in flags)]))
    if not (tapes / "stats.json").exists():
        run(sys.executable, HERE / "gen_tapes.py", "--seed", "1", "--calls", calls, *flags, "--no-sse", "--out", tapes)
    return tapes, json.loads((tapes / "stats.json").read_text())["raw_bytes"]


class Filled:
    """A store with the generated calls: CPU seconds of import and seal, both with index."""

    def __init__(self, name, calls, *flags, seals=True):
        self.tapes, self.raw = tapes_of(calls, *flags)
        self.store, self.calls = BUILD / name, calls
        shutil.rmtree(self.store, ignore_errors=True)
        clean = {k: v for k, v in os.environ.items() if not k.startswith("TAPEDECK_")}
        self.env = {**clean, "TAPEDECK_STORE": str(self.store)}
        _, self.import_cpu = run(BIN / "tapedeck-live", "import", self.tapes / "arrival.jsonl", env=self.env)
        if seals:
            _, self.seal_cpu = run(BIN / "tapedeck", "seal", env=self.env)
            self.verify_cpu = self.verify()
        self.check_catalogue()

    @property
    def segments(self):
        return [p for p in (self.store / "archive").iterdir() if p.name.endswith(".tape.zst")]

    def verify(self):
        return run(BIN / "tapedeck", "verify", env=self.env)[1]

    def ratio(self, without_times=False):
        size = sum(p.stat().st_size - (times_bytes(p) if without_times else 0) for p in self.segments)
        if not size:
            raise Failed("nothing was sealed")
        return self.raw / size

    def check_catalogue(self):
        base = sqlite3.connect(f"file:{self.store / 'catalogue.sqlite'}?mode=ro", uri=True)
        calls, size = base.execute("SELECT count(*), sum(bytes) FROM calls").fetchone()
        texts = base.execute("SELECT count(*) FROM call_fts").fetchone()[0]
        if (calls, size, texts) != (self.calls, self.raw, self.calls):
            raise Failed(f"the catalogue has {calls} calls, {size} bytes, {texts} texts, not {self.calls} and {self.raw}")


def times_bytes(path):
    """Bytes of the frames of arrival times, by walking the file's frames as its seek table has them."""
    data = path.read_bytes()
    count = int.from_bytes(data[-9:-5], "little")
    table, at, total = len(data) - 9 - 8 * count, 0, 0
    for index in range(count):
        size = int.from_bytes(data[table + 8 * index:table + 8 * index + 4], "little")
        if data[at:at + 4] == bytes.fromhex("512a4d18"):
            total += size
        at += size
    return total


def archive(rounds, quick):
    calls = 200 if quick else 2000
    note = f"{calls:,} calls (gen_tapes.py, seed 1)"
    target = None if quick else {"tapedeck": Target(70, 75, "value", at_least=True)}
    size = Row(f"raw response bytes : segment files, {note}, level 9", ": 1", ["tapedeck"], targets=target, digits=1)
    bare = Row("… without times", ": 1", ["tapedeck"], digits=1)
    speeds = {name: Row(f"{name}, raw MB per CPU s", "MB/s", ["tapedeck"], digits=0)
              for name in ("import of a timed capture with index", "seal with index", "verify: decode and hash everything")}
    try:
        for _ in range(rounds):
            filled = Filled("store", calls)
            for row, seconds in zip(speeds.values(), (filled.import_cpu, filled.seal_cpu, filled.verify_cpu)):
                row.take("tapedeck", lambda: filled.raw / 1e6 / seconds)
    except Failed as failure:
        for row in (size, bare, *speeds.values()):
            row.fail("tapedeck", failure)
        return [size, bare, *speeds.values()]
    size.take("tapedeck", filled.ratio)
    bare.take("tapedeck", lambda: filled.ratio(without_times=True))
    return [size, bare, _level_19(filled), *([] if quick else _other_tapes()), *speeds.values()]


def _level_19(filled):
    row = Row("… repacked to level 19", ": 1", ["tapedeck"], digits=1)

    def measure():
        run(BIN / "tapedeck", "repack", "--level", "19", env=filled.env)
        filled.verify()
        return filled.ratio()
    row.take("tapedeck", measure)
    return row


def _other_tapes():
    for title, calls, flags in (("… of 200 calls", 200, ()), ("… of 2,000 calls with random padding in every frame", 2000, ("--obfuscation", "1.0"))):
        row = Row(title, ": 1", ["tapedeck"], digits=1)
        row.take("tapedeck", lambda: Filled("store-other", calls, *flags).ratio())
        yield row


# Indexing.

FLOOR = "zstd -dc (indexes nothing)"
PEERS = {"DuckDB, one thread": ("index_duckdb.py", ".duckdb"), "Python, orjson and sqlite3": ("index_orjson.py", ".sqlite")}


def frames_file(tapes):
    """The same frames as the peers read them: JSON lines in order of arrival, zstd."""
    path = BUILD / (tapes.name + ".frames.ndjson.zst")
    if not path.exists():
        partial = path.with_suffix(".tmp")
        with subprocess.Popen(["zstd", "-3", "-q", "-f", "-o", partial], stdin=subprocess.PIPE) as zstd, open(tapes / "arrival.jsonl", "rb") as lines:
            for line in lines:
                if b'"ev":"frame"' in line[:80]:
                    raw = json.loads(line).get("raw", "").strip()
                    if raw.startswith("data: {") and "\n" not in raw:
                        zstd.stdin.write(raw[6:].encode() + b"\n")
            zstd.stdin.close()
        if zstd.returncode:
            raise Failed("zstd could not write the frames of the peers")
        partial.rename(path)
    return path


def index(rounds, quick):
    calls = 200 if quick else 2000
    sealed = Row("index of sealed segments with full text, whole process, raw MB per CPU s", "MB/s", ["tapedeck", FLOOR, *PEERS],
                 targets={"tapedeck": Target(600, 1000, "value", at_least=True)}, digits=0)
    live = {flags: Row(f"index{' --rebuild' if flags else ''} of live journals", "MB/s", ["tapedeck"], digits=0) for flags in ((), ("--rebuild",))}
    try:
        filled, unsealed = Filled("store", calls), Filled("store-live", calls, seals=False)
        if unsealed.segments:
            raise Failed("there are segments where journals are to be indexed")
        frames = frames_file(filled.tapes)
    except Failed as failure:
        for row in (sealed, *live.values()):
            for name in row.cells:
                row.fail(name, failure)
        return [sealed, *live.values()]
    for _ in range(max(rounds, 3)):
        sealed.take("tapedeck", lambda: filled.raw / 1e6 / _index(filled, "--rebuild"))
        sealed.take(FLOOR, lambda: filled.raw / 1e6 / run("zstd", "-dcq", "-o", "/dev/null", "-f", frames)[1])
        for name, (script, suffix) in PEERS.items():
            sealed.take(name, lambda: filled.raw / 1e6 / _peer(script, suffix, frames, calls))
        for flags, row in live.items():
            row.take("tapedeck", lambda: unsealed.raw / 1e6 / _index(unsealed, *flags))
    return [sealed, *live.values()]


def _index(filled, *flags):
    if not flags:
        for path in filled.store.glob("catalogue.sqlite*"):
            path.unlink()
    _, seconds = run(BIN / "tapedeck", "index", *flags, env=filled.env)
    filled.check_catalogue()
    return seconds


def _peer(script, suffix, frames, calls):
    out = BUILD / f"peer{suffix}"
    for path in BUILD.glob(out.name + "*"):
        path.unlink()
    said, seconds = run(PYTHON, HERE / "peers" / script, frames, out)
    # Some calls have no frame with an id, by design of the tapes.
    if not 0.9 * calls <= int(said) <= calls:
        raise Failed(f"{script} found {int(said)} of {calls} calls")
    return seconds
