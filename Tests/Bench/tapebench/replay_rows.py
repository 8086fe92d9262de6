"""How late frames leave the replay server, beside how late a plain C process is woken in the same minute."""

import pathlib
import re
import tempfile

from .load import Load, client, run_load
from .processes import Running, free_port, run
from .subjects import TAPEDECK
from .table import Row, Target
from .tools import BIN, BUILD, Failed, scratch

FLOOR = "jitter t (wake-up alone)"
MICROSECONDS = {"us": 1, "ms": 1000, "s": 1000000}


def replay(rounds, quick):
    load = Load(256, 50 if quick else 200, 20000)
    rows = [Row(f"replay lateness {name}, 256 streams × 20 ms", "µs", [FLOOR, "tapedeck"], FLOOR, {"tapedeck": Target(must, aim)}, digits=1)
            for name, must, aim in (("p50", 3, 1.5), ("p99", 2, 1.2))]
    with tempfile.TemporaryDirectory(dir=scratch()) as directory:
        directory = pathlib.Path(directory)
        try:
            _record(directory, load)
        except Failed as failure:
            for row in rows:
                row.fail(FLOOR, failure)
                row.fail("tapedeck", failure)
            return rows
        for _ in range(rounds):
            for subject, measure in ((FLOOR, lambda: _jitter(load)), ("tapedeck", lambda: _replay(directory, load))):
                try:
                    found = measure()
                except Failed as failure:
                    found = failure
                for row, index in zip(rows, (0, 1)):
                    row.fail(subject, found) if isinstance(found, Failed) else row.take(subject, lambda: found[index])
    return rows


def _record(directory, load):
    port = free_port()
    with Running(BUILD / "upstream", "-p", port, log=directory / "upstream.log") as upstream:
        upstream.wait_for_port(port)
        with TAPEDECK.running(directory, port) as target:
            result = client(load, target.port)
    TAPEDECK.check(directory, load, result)


def _jitter(load):
    out, _ = run(BUILD / "jitter", "t", load.streams, 4)
    return [float(value) for value in re.search(r"p50 ([\d.]+) .*p99 ([\d.]+)", out.decode()).groups()]


def _replay(directory, load):
    """p50 and p99 as the server's log has them; the client checks order and checksum of what it got."""
    log = directory / "replay.log"
    with Running(BIN / "tapedeck-live", "replay", "--listen", "127.0.0.1:0", "--match", "sequence", log=log,
                 env=TAPEDECK.environment(directory)) as server:
        client(load, int(server.wait_for_line(r"replay listening on http://127.0.0.1:(\d+)")))
    total = re.search(r"replayed in all: (\d+) calls, .* sha256 ok for (\d+), late p50 ([\d.]+) (\w+), p99 ([\d.]+) (\w+)", log.read_text())
    if not total or int(total[1]) != load.requests or int(total[2]) != load.requests:
        raise Failed("the replay server's log: " + log.read_text()[-300:])
    return float(total[3]) * MICROSECONDS[total[4]], float(total[5]) * MICROSECONDS[total[6]]
