"""One load run: the upstream, what stands in between, the client, and what has to hold for it to count."""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
from dataclasses import dataclass, replace

from .processes import Running, free_port
from .tools import BUILD, Failed, scratch


@dataclass(frozen=True)
class Load:
    streams: int
    frames: int
    gap_us: int = 0
    size: int = 500
    #: How many requests in all; each stream one unless told.
    requests: int = 0
    timeout: int = 180

    def __post_init__(self):
        object.__setattr__(self, "requests", self.requests or self.streams)

    def part(self, share):
        return replace(self, frames=max(20, int(self.frames * share)))

    @property
    def flags(self):
        return ["-c", self.streams, "-r", self.requests, "-n", self.frames, "-g", self.gap_us, "-s", self.size, "-t", self.timeout]


def client(load, port, *flags):
    """What the load client saw. It checks order and checksum of every stream by itself.

    - Raises: `Failed` with the kinds and numbers of errors.
    """
    command = [BUILD / "loadclient", "-p", port, *load.flags, *flags]
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=load.timeout + 60)
    try:
        result = json.loads(done.stdout.strip().splitlines()[-1])
    except (ValueError, IndexError) as error:
        raise Failed(f"the load client said nothing: {done.stderr[-200:]}") from error
    if os.environ.get("BENCH_VERBOSE"):
        print(json.dumps(result), file=sys.stderr)
    kinds = {kind: count for kind, count in result["err"].items() if count}
    if kinds or result["errors"]:
        raise Failed(f"{result['ok']} of {load.requests} streams arrived; errors {kinds}")
    if done.returncode or result["ok"] != load.requests or result["frames"] != load.requests * load.frames:
        raise Failed(f"{result['ok']} of {load.requests} streams, {result['frames']} of {load.requests * load.frames} frames arrived")
    return result


def run_load(subject, load, during=None):
    """One run through `subject`: the client's result, and `whole_cpu_us_per_frame` of the process to its very end, and of what it
    left to do.

    - `during(target, directory)`: a context manager around the load, for what watches it.
    """
    with tempfile.TemporaryDirectory(dir=scratch()) as directory:
        directory = pathlib.Path(directory)
        port = free_port()
        with Running(BUILD / "upstream", "-p", port, log=directory / "upstream.log") as upstream:
            upstream.wait_for_port(port)
            with subject.running(directory, port) as target:
                flags = ["-u", target.path, *(["-m", target.process.pid] if target.process else [])]
                if during:
                    with during(target, directory):
                        result = client(load, target.port, *flags)
                else:
                    result = client(load, target.port, *flags)
        if target.process:
            result["whole_cpu_us_per_frame"] = (target.process.cpu_seconds + subject.rest(directory)) * 1e6 / result["frames"]
        subject.check(directory, load, result)
        return result
