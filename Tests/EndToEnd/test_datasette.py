"""dashboards/datasette over the demo's catalogue: the charts are in the DOM of a browser, and say what tapedeck says."""

import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import urllib.parse
import urllib.request

import pytest

from conftest import BIN, Tapedeck

START = pathlib.Path(__file__).parents[2] / "dashboards" / "datasette" / "start"
BROWSER = shutil.which("chromium")

pytestmark = pytest.mark.skipif(not BROWSER, reason="needs Debian's chromium: make deps")


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    deck = Tapedeck(tmp_path_factory.mktemp("demo") / "store")
    deck.run("demo", "--store", deck.store)
    return deck


@pytest.fixture(scope="module")
def dashboard(demo, tmp_path_factory):
    """The dashboard's address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = tmp_path_factory.mktemp("datasette") / "log"
    environment = {**os.environ, "TAPEDECK": str(BIN / "tapedeck"), "DATASETTE": str(pathlib.Path(sys.executable).with_name("datasette"))}
    process = subprocess.Popen([START, demo.store, "--port", str(port)], env=environment, stdout=open(log, "wb"), stderr=subprocess.STDOUT)
    url = f"http://127.0.0.1:{port}/-/dashboards/tapedeck"

    def answers():
        assert process.poll() is None, log.read_text()
        try:
            return urllib.request.urlopen(url).status == 200
        except OSError:
            return False
    demo.wait_for(answers, 60)
    yield url
    process.terminate()
    process.wait(20)


def dom(url, tmp_path):
    """What the browser has made of the page: by card its HTML."""
    command = [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path}/profile", "--window-size=1400,1900",
               "--virtual-time-budget=20000", "--dump-dom", url]
    page = subprocess.run(command, capture_output=True, text=True, timeout=120).stdout
    cards = re.split(r'<div id="card-([a-z-]+)"', page)
    return dict(zip(cards[1::2], cards[2::2]))


def text(card):
    return re.sub(r"\s+", " ", re.sub(r"<style.*?</style>|<[^>]*>", " ", card, flags=re.S))


CHARTS = ["cost-by-model", "tokens-by-identity", "ttft", "failures"]
TABLES = ["ttft-by-model", "top-threads", "latest-failures", "unpriced", "defects"]


def test_every_chart_is_in_the_dom_and_has_marks(dashboard, tmp_path):
    cards = dom(dashboard, tmp_path)
    assert sorted(cards) == sorted(["calls", "cost", "tokens", "failed", *CHARTS, *TABLES])
    for chart in CHARTS:
        assert 'role="graphics-document"' in cards[chart], chart
        assert cards[chart].count('role="graphics-symbol"') >= 2, chart
    for table in TABLES:
        assert cards[table].count("<tr") >= 2, table
    assert "error" not in " ".join(text(card).lower() for name, card in cards.items() if name in CHARTS[:3])


def test_the_figures_are_those_of_tapedeck_also_under_a_filter(dashboard, demo, tmp_path):
    for filters, flags in (({}, []), ({"model": "gpt-4o-mini"}, ["--model", "gpt-4o-mini"]),
                           ({"identity": "user_grace", "date_from": "2020-01-01"}, ["--identity", "user_grace"]),
                           ({"date_to": "2020-01-01"}, ["--to", "2020-01-01"])):
        cards = dom(dashboard + "?" + urllib.parse.urlencode(filters), tmp_path)
        totals = json.loads(demo.run("usage", "--totals", "--by", "day", *flags, "--format", "json", code=None) or "[{}]")[-1]
        assert f" {totals.get('calls', 0)} " in text(cards["calls"]) + " ", filters
        assert f"${float(totals.get('cost_usd') or 0):.4f}" in text(cards["cost"]).replace("$ ", "$"), filters
        assert str(totals.get("total_tokens") or 0) in text(cards["tokens"]), filters


def test_a_store_without_catalogue_is_refused_with_what_to_do(tmp_path):
    store = Tapedeck(tmp_path / "nothing")
    done = subprocess.run([START, store.store], env={**os.environ, "TAPEDECK": str(BIN / "tapedeck"), "DATASETTE": "false"},
                          capture_output=True, text=True, timeout=30)
    assert done.returncode != 0 and "tapedeck" in done.stderr
