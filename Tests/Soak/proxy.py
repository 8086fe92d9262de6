#!/usr/bin/env python3
"""Streams through a recording proxy that is killed again and again: is all that a client received on tape?

    Tests/Soak/proxy.py [--minutes 20] [--streams 256] [--seed N] [--keep]      (make soak-proxy MINUTES=…)

Clients stream through `tapedeck serve` (indexing, sealing) from the upstream of the benchmark: fast and slow streams,
clients that leave in the middle, that read slowly, that keep their connection. The proxy is ended with kill -9 at random
moments and started anew. Each client keeps the length and SHA-256 of the body bytes that it received. At the end

- each call that a client got a response head of is on tape, and begins with exactly the bytes that the client received;
  one that the client got to its end is whole, `done`, and has the checksum that the upstream gave it;
- `verify` is clean;
- the catalogue that was kept up to date all along says what `index --rebuild` says.

Exit 1 with what is wrong, and the store stays. Loopback only.
"""

import argparse
import asyncio
import collections
import hashlib
import json
import os
import pathlib
import random
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "Bench"))

from tapebench.processes import Running, free_port
from tapebench.tapes import checksum
from tapebench.tools import BIN, BUILD, build_c_tools

PATH = "/v2/deployments/stream"
REFUSED, CUT, LEFT, WHOLE = "refused", "cut", "left", "whole"


class Received:
    """What one client got of one call."""

    __slots__ = ("asked", "number", "call", "head", "length", "digest", "end", "status")

    def __init__(self, number, asked):
        self.number, self.asked, self.call, self.head, self.status = number, asked, None, False, None
        self.length, self.digest, self.end = 0, hashlib.sha256(), REFUSED

    def record(self):
        """What is kept of it on disk, for whoever looks into a failure."""
        return {"request": self.number, "call": self.call, "status": self.status, "bytes": self.length,
                "sha256": self.digest.hexdigest(), "end": self.end, "asked": self.asked}

    def take(self, data):
        self.length += len(data)
        self.digest.update(data)


class Traffic:
    """Clients that ask, receive and ask again until told to stop."""

    def __init__(self, port, seed):
        self.port, self.random, self.received, self.stopping = port, random.Random(seed), [], False

    async def run(self, streams):
        await asyncio.gather(*(self._client(random.Random(self.random.random())) for _ in range(streams)))

    async def _client(self, random_):
        connection = None
        while not self.stopping:
            received = Received(len(self.received), self._plan(random_))
            self.received.append(received)
            try:
                connection = await asyncio.wait_for(self._exchange(received, random_, connection), 120)
            except asyncio.TimeoutError:
                received.end, connection = "hung", None
            except (OSError, EOFError, ValueError):
                received.end, connection = CUT if received.head else REFUSED, None
            if received.asked["gap"] == 0:
                # Those that take no time would be nearly all.
                await asyncio.sleep(random_.uniform(0, 2))
            if received.end in (REFUSED, CUT):
                await asyncio.sleep(random_.uniform(0.05, 0.4))

    @staticmethod
    def _plan(random_):
        gap = random_.choice([0, 10_000, 20_000, 50_000, 100_000, 200_000])
        frames = random_.randint(1, 200) if gap == 0 else random_.randint(1, max(5, 6_000_000 // gap))
        return {"frames": frames, "gap": gap, "size": random_.choice([200, 300, 500, 1000]),
                "leaves": random_.randint(1, frames) if random_.random() < 0.1 else None,
                "slow": random_.random() < 0.05, "closes": random_.random() < 0.5}

    async def _exchange(self, received, random_, connection):
        plan = received.asked
        reader, writer = connection or await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(self._request(received))
            await self._head(received, reader)
            frames = 0
            while size := int((await reader.readuntil(b"\r\n")).strip() or b"-1", 16):
                if size < 0:
                    raise ValueError("a chunk without size")
                left = size
                while left:
                    data = await reader.read(left)
                    if not data:
                        raise EOFError
                    received.take(data)
                    left -= len(data)
                await reader.readexactly(2)
                frames += 1
                if plan["leaves"] is not None and frames >= plan["leaves"]:
                    received.end = LEFT
                    return None
                if plan["slow"]:
                    await asyncio.sleep(0.05)
            await reader.readexactly(2)
            received.end = WHOLE
            if plan["closes"]:
                return None
            kept, writer = (reader, writer), None
            return kept
        finally:
            if writer:
                writer.close()

    def _request(self, received):
        plan = received.asked
        body = json.dumps({"key": f"soak-{received.number % 7}", "stream": True, "identity": {"id": f"client-{received.number % 31}"},
                           "thread": {"id": f"thread-{received.number // 4}", "tags": [f"tag-{received.number % 3}"]},
                           "metadata": {"soak": str(received.number)}, "messages": [{"role": "user", "content": f"question {received.number}"}]}).encode()
        head = (f"POST {PATH} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
                f"x-mock-frames: {plan['frames']}\r\nx-mock-gap-us: {plan['gap']}\r\nx-mock-size: {plan['size']}\r\nx-mock-crc: 1\r\n\r\n")
        return head.encode() + body

    async def _head(self, received, reader):
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        received.head, received.status = True, int(head.split(" ", 2)[1])
        if found := re.search(r"(?im)^x-tapedeck-call:\s*(\S+)", head):
            received.call = found[1]
        if received.status != 200 or "chunked" not in head.lower():
            raise ValueError(head)


class Proxy:
    """`tapedeck serve` on one port, started again after each kill."""

    LONGEST_STOP = 30

    def __init__(self, store, upstream, log):
        self.store, self.upstream, self.log, self.port = store, upstream, log, free_port()
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("TAPEDECK_", "ORQ_"))}
        self.environment = {**clean, "TAPEDECK_STORE": str(store), "XDG_CONFIG_HOME": str(store.parent)}
        self.kills, self.slowest_start, self.peak_mb, self.process = 0, 0.0, 0.0, None

    def start(self):
        began = time.monotonic()
        with open(self.log, "ab") as sink:
            at = sink.tell()
            self.process = subprocess.Popen(
                [BIN / "tapedeck-live", "serve", "--upstream", f"http://127.0.0.1:{self.upstream}", "--listen", f"127.0.0.1:{self.port}",
                 "--ui", "off"], stdin=subprocess.DEVNULL, stdout=sink, stderr=sink, env=self.environment)
        while b"proxy listening" not in self.log.read_bytes()[at:]:
            if self.process.poll() is not None or time.monotonic() - began > 60:
                raise SystemExit(f"soak: the proxy did not start again: {self.log.read_bytes()[at:].decode()[-2000:]}")
            time.sleep(0.01)
        self.slowest_start = max(self.slowest_start, time.monotonic() - began)

    def look(self):
        """Dying by itself is a finding, too."""
        if self.process.poll() is not None:
            raise SystemExit(f"soak: the proxy ended by itself, code {self.process.returncode}: {self.log.read_text()[-2000:]}")
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        self.peak_mb = max(self.peak_mb, int(re.search(r"VmRSS:\s*(\d+)", status)[1]) / 1024)

    def kill(self):
        self.look()
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.kills += 1

    def stop(self):
        """The last one is told to stop. What those that were killed have left it may leave, too, and it is sealed then."""
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        try:
            if (code := self.process.wait(self.LONGEST_STOP)) != 0:
                raise SystemExit(f"soak: told to stop, the proxy ended with {code}: {self.log.read_text()[-2000:]}")
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            return f"told to stop, it was at work still after {self.LONGEST_STOP} s, and was killed"
        return f"stopping took {time.monotonic() - began:.1f} s"


async def soak(proxy, traffic, minutes, streams, seed):
    random_ = random.Random(seed + 1)
    clients = asyncio.create_task(traffic.run(streams))
    end, said = time.monotonic() + minutes * 60, time.monotonic()
    while (now := time.monotonic()) < end:
        at = min(end, now + random_.uniform(2, 30))
        while time.monotonic() < at:
            await asyncio.sleep(min(1, max(0, at - time.monotonic())))
            proxy.look()
        proxy.kill()
        await asyncio.sleep(random_.choice([0, 0, 0.5]))
        proxy.start()
        if time.monotonic() - said > 60:
            said = time.monotonic()
            print(f"soak: {(end - said) / 60:.0f} minutes to go, {len(traffic.received)} requests, {proxy.kills} kills", file=sys.stderr, flush=True)
    traffic.stopping = True
    await clients


# What has to hold.


def tapes(environment):
    """Each call on tape: (number, id, state, body, its frames but the last two)."""
    calls = {}
    with subprocess.Popen([BIN / "tapedeck-live", "export", "--to", "frames"], stdout=subprocess.PIPE, env=environment) as export:
        for line in export.stdout:
            event = json.loads(line)
            if event["ev"] == "open":
                request = event["request"] if "request" in event else json.loads(event["request_raw"])
                calls[event["call"]] = (int(request["metadata"]["soak"]), event["call_id"], [])
            elif event["ev"] == "frame":
                calls[event["call"]][2].append(event["raw"].encode())
            else:
                number, call, frames = calls.pop(event["call"])
                yield number, call, event["how"], frames
    if export.returncode:
        raise SystemExit(f"soak: export ended with {export.returncode}")


def compare(received, environment):
    """Problems, and the states of the calls on tape."""
    problems, states, seen = [], collections.Counter(), set()
    for number, call, state, frames in tapes(environment):
        states[state] += 1
        if number in seen:
            problems.append(f"request {number} is on tape twice")
        seen.add(number)
        problems += problems_of(received[number], call, state, frames)
    for one in received:
        if one.head and one.number not in seen:
            problems.append(f"request {one.number}, of which a client got {one.length} bytes, is not on tape")
        if one.end == "hung":
            problems.append(f"request {one.number} got nothing for two minutes")
        if one.head and one.status != 200:
            problems.append(f"request {one.number} got status {one.status}")
    return problems, states


def problems_of(one, call, state, frames):
    name, body = f"request {one.number} (call {call}, {state})", b"".join(frames)
    if len(body) < one.length:
        yield f"{name}: the client received {one.length} bytes, {len(body)} are on tape"
    elif hashlib.sha256(body[:one.length]).digest() != one.digest.digest():
        yield f"{name}: what is on tape is not what the client received"
    if one.call and one.call != call:
        yield f"{name}: its response said call {one.call}"
    if one.end == WHOLE:
        if state != "done" or len(body) != one.length or len(frames) != one.asked["frames"] + 2:
            yield f"{name}: the client got all of it, on tape are {len(body)} of {one.length} bytes, {len(frames)} frames"
        elif checksum(b"".join(frames[:-2])) != int(frames[-2][6:].strip(), 16):
            yield f"{name}: what is on tape is not what upstream sent"


HIDDEN = {"call_key", "modified_ns", "boot"}
WORDS = ["question", "client", "the", "1", "soak"]


def dump(store, environment):
    """Everything that the catalogue says, without the numbers of its rows."""
    base = sqlite3.connect(f"file:{store / 'catalogue.sqlite'}?mode=ro", uri=True)
    lines = []
    for (table,) in base.execute("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'call_fts%' AND name NOT LIKE 'usage_%'"
                                 " AND name NOT LIKE 'sqlite_%' ORDER BY name").fetchall():
        # Rows without a name of their own go by that of their call.
        joined = table in ("call_text", "call_tags")
        cursor = base.execute(f"SELECT t.* {', c.call_id' if joined else ''} FROM {table} t {'JOIN calls c USING (call_key)' if joined else ''}")
        columns = [column[0] for column in cursor.description]
        lines += sorted(f"{table}: " + " ".join(f"{c}={v!r}" for c, v in zip(columns, row) if c not in HIDDEN) for row in cursor)
    for word in WORDS:
        found = base.execute("SELECT call_id FROM calls WHERE call_key IN (SELECT rowid FROM call_fts WHERE call_fts MATCH ?) ORDER BY 1", (f'"{word}"',))
        lines.append(f"full text {word}: {hashlib.sha256(repr(found.fetchall()).encode()).hexdigest()}")
    usage = subprocess.run([BIN / "tapedeck", "usage", "--by", "identity,tag,deployment,model,state,hour", "--totals", "--format", "ndjson"],
                           env={**environment, "TAPEDECK_STORE": str(store)}, capture_output=True, text=True, check=True)
    return lines + usage.stdout.splitlines()


def check_archive(store, environment, scratch):
    verify = subprocess.run([BIN / "tapedeck", "verify", "--format", "json"], env=environment, capture_output=True, text=True)
    report = json.loads(verify.stdout)
    if verify.returncode or not report["ok"]:
        yield f"verify: exit {verify.returncode}, damage {report['damage'][:5]}"
    rebuilt = scratch / "rebuilt"
    shutil.copytree(store, rebuilt, copy_function=os.link, ignore=shutil.ignore_patterns("catalogue*", "*.lock"))
    subprocess.run([BIN / "tapedeck", "index", "--rebuild"], env={**environment, "TAPEDECK_STORE": str(rebuilt)}, check=True, capture_output=True)
    kept, anew = (set(dump(place, environment)) for place in (store, rebuilt))
    for mark, lines in (("-", kept - anew), ("+", anew - kept)):
        for line in sorted(lines)[:5]:
            yield f"catalogue, kept up to date (-) and rebuilt (+): {mark} {line[:600]}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--streams", type=int, default=256)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--keep", action="store_true", help="leave the store there also when all is well")
    options = parser.parse_args()
    build_c_tools()
    place = BUILD.parent / "soak"
    place.mkdir(parents=True, exist_ok=True)
    scratch = pathlib.Path(tempfile.mkdtemp(prefix="proxy-", dir=place))
    print(f"soak: seed {options.seed}, {options.streams} streams, {options.minutes:g} minutes, store {scratch / 'store'}", file=sys.stderr, flush=True)
    port = free_port()
    with Running(BUILD / "upstream", "-p", port, log=scratch / "upstream.log") as upstream:
        upstream.wait_for_port(port)
        proxy = Proxy(scratch / "store", port, scratch / "serve.log")
        traffic = Traffic(proxy.port, options.seed)
        proxy.start()
        asyncio.run(soak(proxy, traffic, options.minutes, options.streams, options.seed))
        received = traffic.received
        with open(scratch / "received.ndjson", "w") as lines:
            lines.writelines(json.dumps(one.record()) + "\n" for one in received)
        stopped = proxy.stop()
    for command in ("seal", "index"):
        subprocess.run([BIN / "tapedeck", command], env=proxy.environment, check=True, capture_output=True)
    problems, states = compare(received, proxy.environment)
    problems += check_archive(proxy.store, proxy.environment, scratch)
    ends = collections.Counter(one.end for one in received)
    print(f"{len(received)} requests ({', '.join(f'{n} {end}' for end, n in ends.most_common())}), {proxy.kills} kills, "
          f"{sum(one.length for one in received):,} bytes received; on tape: {', '.join(f'{n} {state}' for state, n in states.most_common())}; "
          f"slowest start {proxy.slowest_start * 1000:.0f} ms, peak memory {proxy.peak_mb:.0f} MB, {stopped}; failures {len(problems)}")
    for problem in problems[:50]:
        print("FAILED:", problem)
    if problems:
        print(f"the store and the log are in {scratch}; seed {options.seed}")
        return 1
    if not options.keep:
        shutil.rmtree(scratch)
    return 0


if __name__ == "__main__":
    sys.exit(main())
