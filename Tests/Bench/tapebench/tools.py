"""What is measured with: C tools, a venv of peers, and where they lie."""

import os
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent.parent
ROOT = HERE.parent.parent
BUILD = ROOT / ".build" / "bench"
BIN = pathlib.Path(os.environ.get("TAPEDECK_BIN", ROOT / ".build/release")).resolve()
VENV = BUILD / "venv"
PYTHON = VENV / "bin" / "python"

PEERS = ["aiohttp", "zstandard", "mitmproxy", "reel-vcr", "duckdb", "orjson"]

C_TOOLS = {
    "upstream": ["-msse4.2"],
    "loadclient": ["-msse4.2"],
    "relay": ["-lzstd"],
    "jitter": [],
    "libcrc32c.so": ["-msse4.2", "-shared", "-fPIC"],
}


class Failed(Exception):
    """A measurement that went wrong. It is printed where its figure would be."""


def build_c_tools():
    BUILD.mkdir(parents=True, exist_ok=True)
    for name, flags in C_TOOLS.items():
        target, source = BUILD / name, HERE / (name.removeprefix("lib").removesuffix(".so") + ".c")
        if not target.exists() or target.stat().st_mtime < source.stat().st_mtime:
            subprocess.run(["gcc", "-O2", "-o", target, source, *flags], check=True)


def build_venv():
    """Makes the venv of peers. What cannot be installed is a failure of the peer's own rows, not of the run."""
    ready = VENV / "ready"
    if ready.exists() and ready.read_text() == " ".join(PEERS):
        return
    subprocess.run([sys.executable, "-m", "venv", VENV], check=True)
    done = subprocess.run([PYTHON, "-m", "pip", "install", "-q", "--disable-pip-version-check", *PEERS])
    if done.returncode == 0:
        ready.write_text(" ".join(PEERS))
    else:
        print("the peers of PyPI could not be installed: their rows will say so", file=sys.stderr)


def scratch():
    """Where load runs keep their stores: memory if there is some, since the disk is not what is measured."""
    return "/dev/shm" if os.path.isdir("/dev/shm") else None
