import json
import os
import pathlib
import re
import signal
import subprocess
import time
import urllib.error
import urllib.request

import pytest

from upstream import Upstream

BIN = pathlib.Path(os.environ.get("TAPEDECK_BIN", ".build/debug")).resolve()
KEY = "sk-orq-very-secret-8a7b6c5d4e"


class Tapedeck:
    """The built binary on one store."""

    def __init__(self, store):
        self.store = pathlib.Path(store)
        self.running = []

    def environment(self, **more):
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("TAPEDECK_", "ORQ_"))}
        return {**clean, "TAPEDECK_STORE": str(self.store), "ORQ_API_KEY": KEY, **more}

    def run(self, *arguments, code=0, stdin=b"", timeout=60, text=True, prefix=()):
        done = subprocess.run(
            [*prefix, BIN / "tapedeck", *map(str, arguments)],
            input=stdin, capture_output=True, timeout=timeout, env=self.environment(),
        )
        if code is not None:
            assert done.returncode == code, (arguments, done.returncode, done.stdout[-2000:], done.stderr[-4000:])
        self.stderr = done.stderr.decode(errors="replace")
        return done.stdout.decode() if text else done.stdout

    def json(self, *arguments, code=0):
        return json.loads(self.run(*arguments, "--format", "json", code=code))

    def show(self, call):
        return self.json("show", call)

    def calls(self, *filters):
        """The calls that match; exit code 1 is an empty list."""
        return json.loads(self.run("calls", *filters, "--format", "json", code=None) or "[]")

    def popen(self, *arguments, prefix=(), **kwargs):
        process = subprocess.Popen(
            [*prefix, BIN / "tapedeck", *map(str, arguments)], env=self.environment(), **kwargs
        )
        self.running.append(process)
        return process

    def serve(self, upstream, *flags, prefix=()):
        """Starts the proxy; gives its process, with `.url` and `.log` set."""
        ui = [] if "--ui" in flags else ["--ui", "off"]
        return self.listening("proxy", "serve", "--upstream", upstream, "--listen", "127.0.0.1:0", *ui, *flags, prefix=prefix)

    def replay_server(self, *flags):
        """Starts the replay server; gives its process, with `.url` and `.log` set."""
        return self.listening("replay", "replay", "--listen", "127.0.0.1:0", *flags)

    def listening(self, what, *arguments, prefix=()):
        log = self.store.parent / f"{what}-{len(self.running)}.log"
        process = self.popen(*arguments, prefix=prefix, stderr=open(log, "wb"), stdout=subprocess.DEVNULL)
        process.log = log
        deadline = time.monotonic() + 20
        while not (found := re.search(what + r" listening on (http://\S+)", log.read_text())):
            assert process.poll() is None and time.monotonic() < deadline, log.read_text()
            time.sleep(0.02)
        process.url = found[1]
        return process

    def serve_ui(self, *flags):
        """Starts a server of the pages alone; gives its address, with its process in `.server`."""
        self.server = self.listening("ui", "serve", "--ui", "127.0.0.1:0", "--no-index", "--no-seal", *flags)
        return self.server.url

    def ui_of(self, proxy):
        """Where the pages of a proxy are."""
        return self.wait_for(lambda: re.search(r"ui listening on (http://\S+)", proxy.log.read_text()))[1]

    def kill_all(self):
        for process in self.running:
            if process.poll() is None:
                process.kill()
                process.wait()

    def stop(self, process, code=0):
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == code, process.log.read_text()

    def wait_for(self, condition, seconds=15):
        """What `condition` gives once it is true."""
        deadline = time.monotonic() + seconds
        while not (value := condition()):
            assert time.monotonic() < deadline, "it never came true"
            time.sleep(0.05)
        return value


@pytest.fixture
def upstream():
    server = Upstream()
    yield server
    server.stop()


@pytest.fixture
def tapedeck(tmp_path):
    deck = Tapedeck(tmp_path / "store")
    yield deck
    deck.kill_all()


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """The store of the demo, and its pages at `.ui`."""
    deck = Tapedeck(tmp_path_factory.mktemp("demo") / "store")
    deck.run("demo", "--store", deck.store)
    deck.ui = deck.serve_ui()
    yield deck
    deck.kill_all()


def get(url, method="GET", data=None, **headers):
    """Status, headers and body; names of headers with _ for -."""
    asked = urllib.request.Request(url, method=method, data=data, headers={k.replace("_", "-"): v for k, v in headers.items()})
    try:
        with urllib.request.urlopen(asked, timeout=60) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read()


def request(key, **inputs):
    return json.dumps({"key": key, "stream": True, "inputs": inputs, "identity": {"id": "ada"}, "thread": {"id": "t1"}})


def curl(url, body, *flags, timeout=60, check=True):
    """The response body as curl gives it."""
    command = ["curl", "-sS", "-N", "-X", "POST", "-H", "Content-Type: application/json",
               "-H", f"Authorization: Bearer {KEY}", "--data-binary", body, *flags, url + "/v2/deployments/stream"]
    done = subprocess.run(command, capture_output=True, timeout=timeout)
    if check:
        assert done.returncode == 0, done.stderr
    return done.stdout
