#!/usr/bin/env python3
"""Pictures of the dashboards over the demo's store: `make screenshots`. Loopback only; needs Debian's chromium.

    dashboards/screenshots.py [NAME…]      into dashboards/screenshots/NAME.png
"""

import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import contextmanager

HERE = pathlib.Path(__file__).resolve().parent
BIN = pathlib.Path(os.environ.get("TAPEDECK_BIN", HERE.parent / ".build/debug")).resolve()


@contextmanager
def running(log, *command, ready, **environment):
    """A process until the end of the block; gives what `ready` finds in what it prints."""
    with open(log, "wb") as sink:
        process = subprocess.Popen([str(part) for part in command], stdout=sink, stderr=sink, env={**os.environ, **environment})
    try:
        deadline = time.monotonic() + 60
        while not (found := re.search(ready, log.read_text())):
            if process.poll() is not None or time.monotonic() > deadline:
                sys.exit(f"{command[0]} did not start: {log.read_text()[-1000:]}")
            time.sleep(0.1)
        yield found[1]
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def picture(url, name, scratch, width=1400, height=1000):
    with urllib.request.urlopen(url):  # An error page would make a fine picture, too.
        pass
    target = HERE / "screenshots" / f"{name}.png"
    target.parent.mkdir(exist_ok=True)
    subprocess.run(["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", f"--user-data-dir={scratch}/profile",
                    f"--window-size={width},{height}", "--virtual-time-budget=20000", f"--screenshot={target}", url],
                   check=True, capture_output=True, timeout=120)
    print(f"{target.relative_to(HERE.parent)}: {target.stat().st_size // 1000} kB")


def datasette(store, scratch):
    with running(scratch / "datasette.log", HERE / "datasette/start", store, "--port", "0", ready=r"running on (http://\S+)",
                 TAPEDECK=str(BIN / "tapedeck"), DATASETTE=str(pathlib.Path(sys.executable).with_name("datasette"))) as url:
        picture(url + "/-/dashboards/tapedeck", "datasette", scratch, height=1900)


def web(store, scratch):
    """The pages that one opens first; Tests/EndToEnd/test_web.py takes all of them."""
    found = subprocess.run([BIN / "tapedeck", "calls", "--store", store, "--deployment", "maths-reasoning", "--format", "json"],
                           capture_output=True, check=True)
    call = json.loads(found.stdout)[0]["call_id"]
    pages = {"calls": "/", "call": f"/calls/{call}", "replay": f"/calls/{call}/replay", "usage": "/usage"}
    with running(scratch / "serve.log", BIN / "tapedeck-live", "serve", "--ui", "127.0.0.1:0", ready=r"ui listening on (http://\S+)",
                 TAPEDECK_STORE=str(store)) as url:
        for name, path in pages.items():
            picture(url + path, f"web-{name}", scratch)


def prometheus(store, scratch):
    """A Prometheus that scraped some calls, with two of the panels' queries."""
    sdk = BIN / "tapedeck-live"
    with running(scratch / "upstream.log", sdk, "demo", "--upstream", "127.0.0.1:0", ready=r"(http://127\.0\.0\.1:\d+)") as upstream, \
            running(scratch / "serve.log", sdk, "serve", "--upstream", upstream, "--listen", "127.0.0.1:0", "--ui", "127.0.0.1:0",
                    ready=r"ui listening on (http://\S+)", TAPEDECK_STORE=str(scratch / "recorded")) as ui:
        proxy = re.search(r"proxy listening on (http://\S+)", (scratch / "serve.log").read_text())[1]
        configuration = scratch / "prometheus.yml"
        configuration.write_text(f"global: {{scrape_interval: 1s}}\nscrape_configs: [{{job_name: tapedeck, static_configs: "
                                 f"[{{targets: ['{ui.removeprefix('http://')}']}}]}}]\n")
        with running(scratch / "prometheus.log", "prometheus", f"--config.file={configuration}", "--web.listen-address=127.0.0.1:0",
                     f"--storage.tsdb.path={scratch}/tsdb", ready=r"Listening on.*address=(127\.0\.0\.1:\d+)") as address:
            end = time.monotonic() + 45
            while time.monotonic() < end:
                for key in ("maths-reasoning", "support-refunds", "handbook-search"):
                    body = f'{{"key":"{key}","stream":true,"invoke_options":{{"include_usage":true}}}}'.encode()
                    try:
                        urllib.request.urlopen(urllib.request.Request(proxy + "/v2/deployments/stream", body, {"Content-Type": "application/json"})).read()
                    except OSError:
                        pass
            query = "&".join(f"g{n}.expr={urllib.request.quote(expr)}&g{n}.tab=0&g{n}.range_input=1m" for n, expr in enumerate([
                "sum by (deployment) (rate(tapedeck_calls_total[15s]))",
                "histogram_quantile(0.95, sum by (le) (rate(gen_ai_client_operation_time_to_first_chunk_seconds_bucket[15s])))"]))
            picture(f"http://{address}/classic/graph?{query}", "prometheus", scratch, height=1300)


PICTURES = {"web": web, "datasette": datasette, "prometheus": prometheus}


def main():
    wanted = sys.argv[1:] or list(PICTURES)
    if unknown := set(wanted) - set(PICTURES):
        sys.exit(f"there is no picture {', '.join(sorted(unknown))}; there are {', '.join(PICTURES)}")
    if not shutil.which("chromium"):
        sys.exit("pictures need Debian's chromium: make deps")
    with tempfile.TemporaryDirectory() as scratch:
        scratch = pathlib.Path(scratch)
        store = scratch / "store"
        subprocess.run([BIN / "tapedeck", "demo", "--store", store], check=True, capture_output=True)
        for name in wanted:
            PICTURES[name](store, scratch)


if __name__ == "__main__":
    main()
