"""Names the machine and the versions: a figure without them says nothing."""

import os
import platform
import re
import shutil
import subprocess
import time

from .tools import BIN, PYTHON


def _first(pattern, text, default="?"):
    found = re.search(pattern, text, re.M)
    return found[1].strip() if found else default


def _said(*command):
    try:
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout + done.stderr


def describe():
    cpu = _first(r"^model name\s*:(.*)$", open("/proc/cpuinfo").read(), "unknown CPU")
    memory = int(_first(r"^MemTotal:\s*(\d+)", open("/proc/meminfo").read(), "0")) / 1e6
    system = _first(r'^PRETTY_NAME="(.*)"$', open("/etc/os-release").read()) if os.path.exists("/etc/os-release") else platform.system()
    return (f"{os.cpu_count()} cores of {cpu}, {memory:.0f} GB, {system}, Linux {platform.release()}, "
            f"{time.strftime('%Y-%m-%d %H:%M UTC', time.gmtime())}; load average at the start {os.getloadavg()[0]:.1f}")


def versions():
    found = {
        "tapedeck": _first(r"(\S+)\s*$", _said(BIN / "tapedeck", "--version")),
        "nginx": _first(r"nginx/(\S+)", _said(shutil.which("nginx") or "/usr/sbin/nginx", "-v")),
        "zstd": _first(r"v(\d[\d.]*)", _said("zstd", "--version")),
        "sqlite": _first(r"^(\d[\d.]*)", _said("sqlite3", "--version")),
        "gcc": _first(r"(\d+\.\d+\.\d+)", _said("gcc", "-dumpfullversion")),
        "Python": platform.python_version(),
    }
    packages = _said(PYTHON, "-m", "pip", "list", "--disable-pip-version-check", "--format", "freeze")
    for package in ("aiohttp", "mitmproxy", "reel-vcr", "duckdb", "orjson"):
        found[package] = _first(rf"^{package}==(\S+)$", packages)
    return ", ".join(f"{name} {version}" for name, version in found.items())
