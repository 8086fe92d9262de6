"""Starting, watching and ending the processes that are measured."""

import os
import pathlib
import re
import resource
import signal
import socket
import subprocess
import time

from .tools import Failed


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Running:
    """A process that ends with the block.

    `with` gives itself; afterwards `cpu_seconds` is what the process used in all. Its end is looked at: one that died
    by itself, would not stop or came to a bad end is a failure, whatever its load run said.
    """

    def __init__(self, *command, log, env=None, cwd=None, ends_well=(0,)):
        self.name = pathlib.Path(str(command[0])).name
        self.log = pathlib.Path(log)
        self.ends_well = ends_well
        self.cpu_seconds = None
        try:
            with open(self.log, "wb") as sink:
                self.process = subprocess.Popen(
                    [str(part) for part in command], stdin=subprocess.DEVNULL, stdout=sink, stderr=sink, env=env, cwd=cwd)
        except OSError as error:
            raise Failed(f"{self.name} did not start: {error.strerror}") from error
        self.pid = self.process.pid

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        alive = self._wait(0)
        if alive:
            self.process.send_signal(signal.SIGTERM)
            if self._wait(60):
                self.process.kill()
                self._wait(10)
                if kind is None:
                    raise Failed(f"{self.name} did not stop when told to")
        if kind is not None:
            return
        if not alive:
            raise Failed(f"{self.name} ended by itself, code {self.process.returncode}: {self.tail()}")
        if self.process.returncode not in self.ends_well:
            raise Failed(f"{self.name} ended with code {self.process.returncode}: {self.tail()}")

    def _wait(self, seconds):
        """True if it still runs after so long. Reaps it by itself, since only that tells what it used."""
        deadline = time.monotonic() + seconds
        while self.process.returncode is None:
            pid, status, usage = os.wait4(self.pid, os.WNOHANG)
            if pid:
                self.process.returncode = os.waitstatus_to_exitcode(status)
                self.cpu_seconds = usage.ru_utime + usage.ru_stime
            elif time.monotonic() >= deadline:
                return True
            else:
                time.sleep(0.01)
        return False

    def tail(self):
        return self.log.read_text(errors="replace").strip()[-300:].replace("\n", " ⏎ ") or "it said nothing"

    def wait_for_port(self, port, seconds=30):
        self._wait_until(lambda: _accepts(port), f"listen on port {port}", seconds)
        return port

    def wait_for_line(self, pattern, seconds=30):
        """The pattern's first group, from what it prints."""
        return self._wait_until(lambda: (m := re.search(pattern, self.log.read_text(errors="replace"))) and m[1], "say that it is ready", seconds)

    def _wait_until(self, condition, what, seconds):
        deadline = time.monotonic() + seconds
        while not (value := condition()):
            if not self._wait(0):
                raise Failed(f"{self.name} did not start: {self.tail()}")
            if time.monotonic() > deadline:
                raise Failed(f"{self.name} did not {what} within {seconds} s: {self.tail()}")
            time.sleep(0.02)
        return value


def _accepts(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
        return True
    except OSError:
        return False


def run(*command, env=None, cwd=None, stdin=None, timeout=3600):
    """Standard output and CPU seconds of a command that has to succeed."""
    name = pathlib.Path(str(command[0])).name
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    try:
        done = subprocess.run([str(part) for part in command], stdin=stdin or subprocess.DEVNULL, capture_output=True,
                              env=env, cwd=cwd, timeout=timeout)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Failed(f"{name} did not run: {error}") from error
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise Failed(f"{' '.join(map(str, command[:3]))} … exit {done.returncode}: {done.stderr.decode(errors='replace')[-300:]}")
    return done.stdout, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
