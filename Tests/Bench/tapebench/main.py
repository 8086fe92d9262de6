"""The command: which rows, in which order, printed as they come and as a table at the end."""

import argparse
import os
import sys
import time

from . import archive_rows, machine, proxy_rows, replay_rows, scale_rows
from .table import table
from .tools import BIN, build_c_tools, build_venv

GROUPS = {
    "proxy": proxy_rows.cpu,
    "latency": proxy_rows.latency,
    "memory": proxy_rows.memory,
    "replay": replay_rows.replay,
    "archive": archive_rows.archive,
    "index": archive_rows.index,
    "scale": scale_rows.scale,
    "lag": proxy_rows.lag,
}
LOADS = {"proxy", "latency", "memory", "replay", "lag"}
NEEDS_PEERS = {"proxy", "latency", "memory", "index"}


def main():
    parser = argparse.ArgumentParser(prog="Tests/Bench/run", description="tapedeck beside its floors and peers, on this machine, in one run.",
                                     epilog="Exit 1 if anything failed: then a row has what went wrong where its figure would be.")
    parser.add_argument("--rounds", type=int, default=3, help="interleaved rounds (default 3)")
    parser.add_argument("--only", default=",".join(GROUPS), help="comma-separated: " + ", ".join(GROUPS))
    parser.add_argument("--quick", action="store_true", help="a tenth of the work: to see that it works, not for figures")
    arguments = parser.parse_args()
    only = arguments.only.split(",")
    if unknown := set(only) - set(GROUPS):
        parser.error(f"--only does not know {', '.join(sorted(unknown))}; it takes {', '.join(GROUPS)}")
    if not (BIN / "tapedeck").exists():
        parser.error(f"{BIN}/tapedeck is not there; run `make release`, or set TAPEDECK_BIN")
    build_c_tools()
    if NEEDS_PEERS & set(only):
        build_venv()
    described, began, rows = machine.describe(), time.time(), []
    for name in only:
        for row in GROUPS[name](arguments.rounds, arguments.quick):
            rows.append(row)
            print("\n".join(row.lines()), file=sys.stderr, flush=True)
    print(f"{described}. Medians of {arguments.rounds} interleaved rounds"
          f"{', quick: no figures to keep' if arguments.quick else ''}, {(time.time() - began) / 60:.0f} minutes, "
          f"load average at the end {os.getloadavg()[0]:.1f}.\n\n{machine.versions()}.\n\n{table(rows)}")
    failed = [row.title for row in rows if row.has_failures]
    if failed:
        print(f"\nbench: {len(failed)} of {len(rows)} rows failed: " + "; ".join(failed), file=sys.stderr)
    elif LOADS & set(only):
        print("\nIn every load run: 0 errors, 0 lost or changed bytes, at the client and on tape.")
    return 1 if failed else 0
