#!/usr/bin/env python3
"""pages.py - how long `tapedeck serve` takes for each of its pages: CPU of the server and time to the last byte.

    python3 Tests/Bench/pages.py STORE [--rounds 5] [--serve PROGRAM]      STORE of gen_calls.py, or any other

Each page is asked for once first, then --rounds times, in which sums are made anew; the least of those is what the page
costs, the rest is what else the machine did; then once more, with what the server keeps. Writes nothing into STORE.
"""
import argparse
import json
import os
import pathlib
import re
import subprocess
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]


def cpu(process):
    fields = pathlib.Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def pages(latest):
    """Of the latest call come an identity, a thread and so on that are there."""
    month = "from=2025-06-01&to=2025-07-01"
    q = lambda key: urllib.parse.quote(latest[key] or "", safe="")
    call = latest["call_id"]
    return {
        "calls": "/", "calls, 2nd page": f"/?after={call}", "calls of an identity": f"/?identity={q('identity_id')}",
        "calls of a thread": f"/?thread={q('thread_id')}", "calls of a tag": "/?tag=vip",
        "calls of a deployment": f"/?deployment={q('deployment')}", "calls of a model": f"/?model={q('model')}",
        "calls of a model that nobody has": "/?model=nobody", "calls of a provider that nobody has": "/?provider=nobody",
        "failed calls": "/?state=upstream_error", "failed calls of a deployment": f"/?state=upstream_error&deployment={q('deployment')}",
        "calls of a month": "/?" + month, "calls of 30 s and more": "/?min-duration=30s", "calls of an hour and more": "/?min-duration=1h",
        "most tokens": "/?sort=tokens", "longest": "/?sort=longest", "slowest first token": "/?sort=ttft",
        "most tokens, page before": f"/?sort=tokens&before={call}", "most tokens of a model": f"/?sort=tokens&model={q('model')}",
        "search: a phrase": "/?text=refund+policy", "search: a prefix": "/?text=renew*", "a condition": "/?where=total_tokens+%3E+1000",
        "call": f"/calls/{call}", "replay": f"/calls/{call}/replay", "timeline": f"/calls/{call}/timeline",
        "thread": f"/thread?id={q('thread_id')}", "trace": f"/trace?id={q('trace_id')}", "diff": "/diff?a=@1&b=@2",
        "usage by model": "/usage", "usage by identity": "/usage?by=identity", "usage by thread": "/usage?by=thread",
        "usage by tag": "/usage?by=tag", "usage by deployment": "/usage?by=deployment", "usage by day": "/usage?by=day",
        "usage of an identity": f"/usage?by=model&identity={q('identity_id')}&age=all", "usage of all time": "/usage?age=all",
        "usage of all time by identity": "/usage?age=all&by=identity", "identities": "/identities", "identities of all time": "/identities?age=all",
        "store": "/store", "/metrics": "/metrics", "API: calls": "/api/v1/calls", "API: usage": "/api/v1/usage?by=model&" + month, "API: status": "/api/v1/status",
    }


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("store", type=pathlib.Path)
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--serve", type=pathlib.Path, default=ROOT / ".build/release/tapedeck-live")
    given = options.parse_args()
    with tempfile.NamedTemporaryFile("w+") as log:
        process = subprocess.Popen([given.serve, "serve", "--store", given.store, "--ui", "127.0.0.1:0", "--no-index", "--no-seal"], stderr=log)
        try:
            while not (found := re.search(r"ui listening on (http://\S+)", pathlib.Path(log.name).read_text())):
                assert process.poll() is None, pathlib.Path(log.name).read_text()
                time.sleep(0.05)
            measure(process, found[1], given.rounds)
        finally:
            process.terminate()
            process.wait(30)


def measure(process, url, rounds):
    [latest] = json.load(urllib.request.urlopen(url + "/api/v1/calls?limit=1"))
    print(f"{'page':38} {'first ms':>9} {'least ms':>9} {'CPU ms':>8} {'again ms':>9} {'kB':>7}")
    for name, path in pages(latest).items():
        def ask(path):
            before, start = cpu(process), time.perf_counter()
            try:
                size = len(urllib.request.urlopen(url + path).read())
            except urllib.error.HTTPError as error:
                size = f"({error.code})"
            return (time.perf_counter() - start) * 1000, (cpu(process) - before) * 1000, size
        # Sums are kept while nothing is written: each round asks for another number of rows.
        is_kept = path.startswith(("/usage", "/identities"))
        others = [f"{path}{'&' if '?' in path else '?'}top={51 + number}" if is_kept else path for number in range(rounds)]
        first, asked = ask(path), [ask(other) for other in others]
        again, size = ask(path)[0], first[2] if isinstance(first[2], str) else f"{first[2] / 1000:.1f}"
        least, work = min(time for time, _, _ in asked), sum(work for _, work, _ in asked) / rounds
        print(f"{name:38} {first[0]:9.1f} {least:9.1f} {work:8.1f} {again:9.1f} {size:>7}", flush=True)


if __name__ == "__main__":
    main()
