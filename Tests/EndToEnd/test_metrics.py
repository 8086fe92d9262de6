"""`/metrics`, read by promtool and scraped by a real Prometheus; rules and dashboards against what it has."""

import json
import math
import pathlib
import re
import shutil
import subprocess
import threading
import time
import urllib.parse
import urllib.request

import pytest

from conftest import curl, request

DASHBOARDS = pathlib.Path(__file__).parents[2] / "dashboards"

pytestmark = pytest.mark.skipif(not shutil.which("promtool"), reason="needs Debian's prometheus: make deps")


def ui(tapedeck, proxy):
    return tapedeck.wait_for(lambda: re.search(r"ui listening on (http://\S+)", proxy.log.read_text()))[1]


def scrape(url):
    with urllib.request.urlopen(url + "/metrics") as answer:
        assert answer.status == 200 and answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
        return answer.read().decode()


def samples(text):
    """Name and labels as written -> value."""
    return {line.rsplit(" ", 1)[0]: float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if not line.startswith("#")}


def promtool(*arguments, stdin=None):
    return subprocess.run(["promtool", *map(str, arguments)], input=stdin, capture_output=True, text=True)


def wait_for_calls(tapedeck, url, count):
    def found():
        text = scrape(url)
        ended = sum(value for name, value in samples(text).items() if name.startswith("tapedeck_calls_total{"))
        return ended >= count and text
    return tapedeck.wait_for(found)


def test_metrics_count_what_was_recorded_and_promtool_finds_nothing_to_say(tapedeck, upstream):
    proxy = tapedeck.serve(upstream.url, "--ui", "127.0.0.1:0")
    url = ui(tapedeck, proxy)
    empty = scrape(url)
    for n in range(3):
        curl(proxy.url, request("text", n=5, gap_ms=30))
    curl(proxy.url, request("unauthorized"), check=False)
    curl(proxy.url, request("closes-mid-frame"), check=False)
    text = wait_for_calls(tapedeck, url, 5)
    for page in (empty, text):
        done = promtool("check", "metrics", stdin=page)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    found = samples(text)
    who = 'deployment="text",provider="openai",model="gpt-4o-mini"'
    assert found[f'tapedeck_calls_total{{{who},state="done"}}'] == 3
    assert found[f'tapedeck_tokens_total{{{who},type="prompt"}}'] == 300
    assert found[f'tapedeck_tokens_total{{{who},type="completion"}}'] == 60
    want = sum(float(row["cost_usd"]) for row in tapedeck.json("usage", "--by", "deployment") if row["group"]["deployment"] == "text")
    assert found[f"tapedeck_cost_usd_total{{{who}}}"] == pytest.approx(want) and want > 0
    operation = 'gen_ai_operation_name="chat",gen_ai_provider_name="openai",gen_ai_response_model="gpt-4o-mini",deployment="text"'
    assert found[f"gen_ai_client_operation_duration_seconds_count{{{operation}}}"] == 3
    assert found[f'gen_ai_client_operation_duration_seconds_bucket{{{operation},le="0.08"}}'] == 0
    assert found[f'gen_ai_client_operation_duration_seconds_bucket{{{operation},le="81.92"}}'] == 3
    assert found[f'gen_ai_client_token_usage_bucket{{{operation},gen_ai_token_type="input",le="64"}}'] == 0
    assert found[f'gen_ai_client_token_usage_bucket{{{operation},gen_ai_token_type="input",le="256"}}'] == 3
    assert found[f'gen_ai_client_token_usage_sum{{{operation},gen_ai_token_type="output"}}'] == 60
    cut = operation.replace('"text"', '"closes-mid-frame"')
    assert found[f'gen_ai_client_operation_duration_seconds_count{{{cut},error_type="upstream_cut"}}'] == 1
    assert found['tapedeck_defects_total{kind="http_error"}'] == 1
    # 3 × 7 frames, of which the first has none before it; 30 ms apart, but the last that ends the stream.
    assert found["gen_ai_client_operation_time_per_output_chunk_seconds_count"] == 3 * 6 + 1
    assert 15 <= found["gen_ai_client_operation_time_per_output_chunk_seconds_count"] - \
        found['gen_ai_client_operation_time_per_output_chunk_seconds_bucket{le="0.02"}'] <= 18
    assert found["tapedeck_frames_total"] == sum(call["timings"]["frames"] for call in tapedeck.calls())
    assert found["tapedeck_open_streams"] == 0 and found["tapedeck_calls_started_total"] == 5
    assert found["tapedeck_archive_gap_bytes_total"] == 0 and found["tapedeck_archive_damage"] == 0
    assert found["tapedeck_journal_sync_duration_seconds_count"] >= 1 and found["tapedeck_catalogue_up"] == 1
    tapedeck.stop(proxy)


def test_the_page_of_metrics_names_every_family_and_no_other(tapedeck, upstream):
    proxy = tapedeck.serve(upstream.url, "--ui", "127.0.0.1:0")
    curl(proxy.url, request("unauthorized"), check=False)
    curl(proxy.url, request("text"))
    text = wait_for_calls(tapedeck, ui(tapedeck, proxy), 2)
    families = set(re.findall(r"^# TYPE (\S+)", text, re.M))
    page = (DASHBOARDS.parent / "schema" / "metrics.md").read_text()
    named = {name for row in re.findall(r"^\| (`.*?) \|", page, re.M) for name in re.findall(r"`(\w+)`", row)}
    assert families == named
    # What has a family but no samples would be a promise that nobody keeps.
    assert not [name for name in families if not re.search(rf"^{name}(_bucket)?[ {{]", text, re.M)]
    tapedeck.stop(proxy)


def test_what_is_open_is_a_gauge_and_counts_once_when_it_has_ended(tapedeck, upstream):
    proxy = tapedeck.serve(upstream.url, "--ui", "127.0.0.1:0")
    url = ui(tapedeck, proxy)
    client = subprocess.Popen(["curl", "-sN", "-d", request("forever"), proxy.url + "/v2/deployments/stream"], stdout=subprocess.PIPE)
    client.stdout.read(300)
    tapedeck.wait_for(lambda: samples(scrape(url))["tapedeck_open_streams"] == 1)
    time.sleep(0.5)
    assert "tapedeck_calls_total{" not in scrape(url)
    client.kill()
    client.communicate()
    wait_for_calls(tapedeck, url, 1)
    for _ in range(3):
        found = [(name, value) for name, value in samples(scrape(url)).items() if name.startswith("tapedeck_calls_total{")]
        assert len(found) == 1 and 'state="client_abort"' in found[0][0] and found[0][1] == 1
    tapedeck.stop(proxy)
    proxy = tapedeck.serve(upstream.url, "--ui", "127.0.0.1:0")
    assert "tapedeck_calls_total{" not in scrape(ui(tapedeck, proxy)), "calls of before are not this process'"
    tapedeck.stop(proxy)


def test_names_from_outside_make_a_bounded_number_of_series_and_break_no_line(tapedeck, upstream):
    proxy = tapedeck.serve(upstream.url, "--ui", "127.0.0.1:0", "--no-seal")
    url = ui(tapedeck, proxy)
    evil = 'a"b\\c\nd\u202e{x="1"} 5\x1b[31m' + "y" * 500
    curl(proxy.url, json.dumps({"key": evil, "stream": True}))
    wait_for_calls(tapedeck, url, 1)
    # As many as there is room for, and some more; without waiting for streams of their own.
    config = "".join(f'url = "{proxy.url}/v2/deployments/stream"\ndata = "{{\\"key\\":\\"k{n:03d}x\\",\\"inputs\\":{{\\"n\\":1}}}}"\noutput = "/dev/null"\nnext\n'
                     for n in range(130))
    subprocess.run(["curl", "-s", "-K", "-"], input=config.removesuffix("next\n"), text=True, check=True)
    text = wait_for_calls(tapedeck, url, 131)
    done = promtool("check", "metrics", stdin=text)
    assert (done.returncode, done.stderr) == (0, "")
    groups = {name for name in samples(text) if name.startswith("tapedeck_cost_usd_total{")}
    assert len(groups) == 101
    assert samples(text)['tapedeck_calls_total{deployment="other",provider="other",model="other",state="done"}'] == 31
    assert max(map(len, groups)) < 400
    tapedeck.stop(proxy)


def test_without_a_catalogue_the_page_says_so_and_has_the_rest(tapedeck, upstream):
    proxy = tapedeck.serve(upstream.url, "--ui", "127.0.0.1:0", "--no-index")
    curl(proxy.url, request("text"))
    text = scrape(ui(tapedeck, proxy))
    assert promtool("check", "metrics", stdin=text).returncode == 0
    assert samples(text)["tapedeck_catalogue_up"] == 0 and samples(text)["tapedeck_frames_total"] == 22
    tapedeck.stop(proxy)


# Rules and dashboards.


def test_promtool_accepts_the_rules_and_the_configuration():
    for what, file in (("rules", "rules.yml"), ("config", "prometheus.yml")):
        done = promtool("check", what, DASHBOARDS / "prometheus" / file)
        assert done.returncode == 0 and "SUCCESS" in done.stdout, done.stdout + done.stderr


def test_each_alert_is_raised_when_it_should_be_and_only_then():
    done = promtool("test", "rules", DASHBOARDS / "prometheus" / "rules_test.yml")
    assert done.returncode == 0, done.stdout + done.stderr
    alerts = set(re.findall(r"alert: (\w+)", (DASHBOARDS / "prometheus" / "rules.yml").read_text()))
    assert alerts == set(re.findall(r"alertname=\"(\w+)\"", (DASHBOARDS / "prometheus" / "rules_test.yml").read_text()))


@pytest.fixture
def prometheus(tmp_path, tapedeck):
    """Starts one that scrapes an address each second; gives a function that asks it."""
    running = []

    def start(target):
        rules = (DASHBOARDS / "prometheus" / "rules.yml").resolve()
        (tmp_path / "prometheus.yml").write_text(
            f"global: {{scrape_interval: 1s, evaluation_interval: 1s}}\nrule_files: ['{rules}']\n"
            f"scrape_configs: [{{job_name: tapedeck, static_configs: [{{targets: ['{target}']}}]}}]\n")
        import socket
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            address = "127.0.0.1:%d" % probe.getsockname()[1]
        log = tmp_path / "prometheus.log"
        running.append(subprocess.Popen(
            ["prometheus", f"--config.file={tmp_path}/prometheus.yml", f"--web.listen-address={address}", f"--storage.tsdb.path={tmp_path}/tsdb"],
            stdout=subprocess.DEVNULL, stderr=open(log, "wb")))

        def ask(path, **query):
            with urllib.request.urlopen(f"http://{address}/api/v1/{path}?{urllib.parse.urlencode(query)}", timeout=10) as answer:
                return json.load(answer)["data"]

        def ready():
            try:
                return ask("query", query="up")
            except OSError:
                assert running[-1].poll() is None, log.read_text()[-2000:]
        tapedeck.wait_for(ready, 30)
        return ask

    yield start
    for process in running:
        process.terminate()
        process.wait(20)


def panel_queries():
    for file in sorted((DASHBOARDS / "grafana").glob("*.json")):
        for panel in json.loads(file.read_text())["panels"]:
            for target in panel.get("targets", []):
                yield file.name, panel["title"], target["expr"]


VARIABLES = {"$__rate_interval": "20s", "$__range": "1h", "$deployment": ".*", "$model": ".*"}


def test_every_panel_of_the_dashboards_has_series_in_a_prometheus_that_scraped_a_run(tapedeck, upstream, prometheus):
    proxy = tapedeck.serve(upstream.url, "--ui", "127.0.0.1:0")
    ask = prometheus(ui(tapedeck, proxy).removeprefix("http://"))
    stop = threading.Event()

    def traffic():
        while not stop.is_set():
            for key in ("text", "unauthorized", "closes-mid-frame", "error-frame"):
                curl(proxy.url, request(key, n=3, gap_ms=5), check=False)
    threading.Thread(target=traffic, daemon=True).start()
    queries = list(panel_queries())
    assert len(queries) > 30

    def empty():
        found = []
        for file, panel, query in queries:
            for name, value in VARIABLES.items():
                query = query.replace(name, value)
            assert "$" not in query, query
            series = ask("query", query=query)["result"]
            if not series or all(math.isnan(float(one["value"][1])) for one in series):
                found.append((file, panel, query))
        return found
    try:
        deadline = time.monotonic() + 60
        while missing := empty():
            assert time.monotonic() < deadline, missing
            time.sleep(1)
        rules = [rule for group in ask("rules")["groups"] for rule in group["rules"]]
        assert len(rules) == 13 and {rule["health"] for rule in rules} <= {"ok", "unknown"}
        assert not [rule["lastError"] for rule in rules if rule.get("lastError")]
        # The recorded ones have values, and one alert sees what is going on here.
        tapedeck.wait_for(lambda: ask("query", query="tapedeck:call_failures:ratio_rate5m")["result"])
        tapedeck.wait_for(lambda: [a for a in ask("alerts")["alerts"] if a["labels"]["alertname"] == "GenerationsFail"])
        assert not [a for a in ask("alerts")["alerts"] if a["labels"]["severity"] == "critical"]
    finally:
        stop.set()
    tapedeck.stop(proxy)
