"""What a load run can go through: nothing, the floor, tapedeck, the peers. Each knows how it is started on a free port.

`running(directory, upstream)` is a context manager; what it gives has the port and path to load, and the process to
watch. `check(directory, load, result)` runs after the process has ended and raises `Failed` if the tape is not what
was sent.
"""

import json
import os
import pathlib
import shutil
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass

from . import tapes
from .processes import Running, free_port, run
from .tools import BIN, BUILD, HERE, PYTHON, VENV, Failed

PATH = "/v2/deployments/stream"


@dataclass
class Target:
    port: int
    process: Running | None = None
    path: str = PATH


class Subject:
    name = "direct"
    #: What part of a row's frames it gets. Slow peers would take minutes; the figure is per frame.
    share = 1.0

    @contextmanager
    def running(self, directory, upstream):
        yield Target(upstream)

    def check(self, directory, load, result):
        pass

    def rest(self, directory):
        return 0


class Relay(Subject):
    name = "relay -o"

    @contextmanager
    def running(self, directory, upstream):
        port = free_port()
        with Running(BUILD / "relay", "-l", port, "-u", upstream, "-o", directory / "relay.zst", log=directory / "relay.log") as relay:
            yield Target(relay.wait_for_port(port), relay)

    def check(self, directory, load, result):
        """A floor that recorded nothing would be no floor: all bytes of the bodies have to be in its file."""
        unpacked = subprocess.run(["zstd", "-dcq", directory / "relay.zst"], stdout=subprocess.PIPE)
        if unpacked.returncode or len(unpacked.stdout) < result["body_MB"] * 1e6:
            raise Failed(f"relay recorded {len(unpacked.stdout)} bytes of {result['body_MB']} MB")


class Tapedeck(Subject):
    def __init__(self, name="tapedeck", flags=("--no-index", "--no-seal")):
        self.name, self.flags = name, flags

    def environment(self, directory):
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("TAPEDECK_", "ORQ_"))}
        return {**clean, "TAPEDECK_STORE": str(directory / "store"), "XDG_CONFIG_HOME": str(directory)}

    @contextmanager
    def running(self, directory, upstream):
        with Running(BIN / "tapedeck-live", "serve", "--upstream", f"http://127.0.0.1:{upstream}", "--listen", "127.0.0.1:0",
                     "--ui", "off", *self.flags, log=directory / "serve.log", env=self.environment(directory)) as serve:
            yield Target(int(serve.wait_for_line(r"proxy listening on http://127.0.0.1:(\d+)")), serve)

    def check(self, directory, load, result):
        tapes.check(self.environment(directory), load)

    def rest(self, directory):
        """CPU seconds of sealing and indexing what was left to do when it had ended."""
        if "--no-seal" in self.flags:
            return 0
        environment = self.environment(directory)
        _, seconds = run(BIN / "tapedeck", "seal", env=environment)
        journals = [path.name for path in (directory / "store" / "archive").glob("J-*")]
        if journals:
            raise Failed(f"{', '.join(journals)} cannot be sealed")
        return seconds + run(BIN / "tapedeck", "index", env=environment)[1]


class Nginx(Subject):
    name = "nginx, records nothing"

    CONFIGURATION = """
daemon off; master_process off; pid {directory}/nginx.pid; error_log stderr warn; worker_rlimit_nofile 20000;
events {{ worker_connections 19000; }}
http {{
  access_log off;
  client_body_temp_path {directory}/body; proxy_temp_path {directory}/proxy; fastcgi_temp_path {directory}/fastcgi;
  uwsgi_temp_path {directory}/uwsgi; scgi_temp_path {directory}/scgi;
  upstream mock {{ server 127.0.0.1:{upstream}; keepalive 64; }}
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location / {{ proxy_pass http://mock; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering off; }}
  }}
}}
"""

    @contextmanager
    def running(self, directory, upstream):
        port, configuration = free_port(), directory / "nginx.conf"
        configuration.write_text(self.CONFIGURATION.format(directory=directory, upstream=upstream, port=port))
        program = shutil.which("nginx") or "/usr/sbin/nginx"
        with Running(program, "-p", directory, "-e", "stderr", "-c", configuration, log=directory / "nginx.log") as nginx:
            yield Target(nginx.wait_for_port(port), nginx)


class Aiohttp(Subject):
    name = "aiohttp recorder"
    share = 0.25

    @contextmanager
    def running(self, directory, upstream):
        port = free_port()
        with Running(PYTHON, HERE / "peers/aiohttp_recorder.py", port, upstream, directory / "aiohttp.zst", log=directory / "aiohttp.log") as peer:
            yield Target(peer.wait_for_port(port), peer)

    def check(self, directory, load, result):
        unpacked = subprocess.run(["zstd", "-dcq", directory / "aiohttp.zst"], stdout=subprocess.PIPE)
        wanted(self.name, unpacked.stdout.count(b"\n"), load.requests * (load.frames + 1))


class Mitmproxy(Subject):
    name = "mitmproxy, per-chunk script"
    share = 0.05

    @contextmanager
    def running(self, directory, upstream):
        port = free_port()
        with Running(VENV / "bin/mitmdump", "-q", "--set", f"confdir={directory}", "--set", f"tape={directory}/chunks", "--listen-host", "127.0.0.1",
                     "--listen-port", port, "--mode", f"reverse:http://127.0.0.1:{upstream}", "-s", HERE / "peers/mitm_recorder.py",
                     log=directory / "mitm.log") as peer:
            yield Target(peer.wait_for_port(port, 60), peer)

    def check(self, directory, load, result):
        bodies = {}
        for line in open(directory / "chunks", encoding="utf-8"):
            _, flow, chunk = json.loads(line)
            bodies.setdefault(flow, []).append(chunk)
        wanted(self.name, sum("".join(chunks).count('"t=') for chunks in bodies.values()), load.requests * load.frames)


class ReelVCR(Subject):
    name = "reel-vcr"
    share = 0.02

    @contextmanager
    def running(self, directory, upstream):
        port = free_port()
        with Running(VENV / "bin/reel", "record", "--cassette", directory / "cassette.jsonl", "--host", "127.0.0.1", "--port", port,
                     "--upstream", f"http://127.0.0.1:{upstream}", log=directory / "reel.log", cwd=directory, ends_well=(0, -15, 143)) as peer:
            yield Target(peer.wait_for_port(port, 60), peer, "/openai" + PATH)

    def check(self, directory, load, result):
        cassette = directory / "cassette.jsonl"
        wanted(self.name, cassette.read_bytes().count(b"\n") if cassette.exists() else 0, load.requests, "calls")


def wanted(name, found, least, what="frames"):
    if found < least:
        raise Failed(f"{name} has {found} of {least} {what} on tape")


RELAY, TAPEDECK, DIRECT = Relay(), Tapedeck(), Subject()
TAPEDECK_WHOLE = Tapedeck("tapedeck, indexing and sealing", ())
PEERS = [Nginx(), Aiohttp(), Mitmproxy(), ReelVCR()]
