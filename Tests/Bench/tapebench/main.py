"""The command: which rows, in which order, printed as they come and as a table at the end."""

import argparse
import os
import sys
import time

from . import archive_rows, machine, proxy_rows, replay_rows, scale_rows
from .table import table
from .tools import BIN, ROOT, build_c_tools, build_venv

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


MARKS = ("<!-- make bench FLAGS=--readme -->\n", "<!-- end of make bench -->\n")


def keep(report, readme):
    """Puts a run's results in the place of the last ones that were kept."""
    text = readme.read_text()
    begin, end = (text.index(mark) for mark in MARKS)
    readme.write_text(text[:begin] + MARKS[0] + "\n" + report + "\n\n" + text[end:])


def parsed():
    parser = argparse.ArgumentParser(prog="Tests/Bench/run", description="tapedeck beside its floors and peers, on this machine, in one run.",
                                     epilog="Exit 1 if anything failed: then a row has what went wrong where its figure would be.")
    parser.add_argument("--rounds", type=int, default=3, help="interleaved rounds (default 3)")
    parser.add_argument("--only", default=",".join(GROUPS), help="comma-separated: " + ", ".join(GROUPS))
    parser.add_argument("--quick", action="store_true", help="a tenth of the work: to see that it works, not for figures")
    parser.add_argument("--readme", action="store_true", help="keep the results in README.md; only those of a whole run in which nothing failed")
    options = parser.parse_args()
    options.only = options.only.split(",")
    if unknown := set(options.only) - set(GROUPS):
        parser.error(f"--only does not know {', '.join(sorted(unknown))}; it takes {', '.join(GROUPS)}")
    if options.readme and (options.quick or set(options.only) != set(GROUPS) or options.rounds < 3):
        parser.error("--readme keeps whole runs of at least three rounds only")
    if not (BIN / "tapedeck").exists():
        parser.error(f"{BIN}/tapedeck is not there; run `make release`, or set TAPEDECK_BIN")
    return options


def measured(options):
    """The rows one after the other; each is told as soon as it is there."""
    for name in options.only:
        for row in GROUPS[name](options.rounds, options.quick):
            print("\n".join(row.lines()), file=sys.stderr, flush=True)
            yield row


def main():
    options = parsed()
    build_c_tools()
    if NEEDS_PEERS & set(options.only):
        build_venv()
    described, began = machine.describe(), time.time()
    rows = list(measured(options))
    failed = [row.title for row in rows if row.has_failures]
    report = (f"{described}, {os.getloadavg()[0]:.1f} at the end. Medians of {options.rounds} interleaved rounds, {(time.time() - began) / 60:.0f} minutes"
              f"{'; quick: no figures to keep' if options.quick else ''}.\n\n{machine.versions()}.\n\n{table(rows)}")
    if LOADS & set(options.only) and not failed:
        report += "\n\nIn every load run: 0 errors, 0 lost or changed bytes, at the client and on tape."
    print(report)
    if failed:
        print(f"\nbench: {len(failed)} of {len(rows)} rows failed: " + "; ".join(failed), file=sys.stderr)
    elif options.readme:
        keep(report, ROOT / "README.md")
    return 1 if failed else 0
