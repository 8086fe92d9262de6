"""`tapedeck serve` around the proxy: the page, the live catalogue, sealing, and the demo."""

import fcntl
import json
import re
import signal
import subprocess
import time
import urllib.error
import urllib.request

from conftest import curl, request


def get(url, **headers):
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers)) as answer:
            return answer.status, answer.headers, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read().decode()


def test_the_page_serves_health_and_a_list_that_escapes_what_was_recorded(tapedeck, upstream):
    proxy = tapedeck.serve(upstream.url, "--ui", "127.0.0.1:0")
    found = tapedeck.wait_for(lambda: re.search(r"ui listening on (http://\S+)", proxy.log.read_text()))
    ui = found[1]
    status, headers, body = get(ui + "/healthz")
    assert status == 200 and json.loads(body) == {"status": "ok"}
    assert "default-src 'none'" in headers["content-security-policy"]
    attack = json.dumps({"key": "<script>alert(1)</script>", "thread": {"id": "t&\"'"}})
    curl(proxy.url, attack)
    page = tapedeck.wait_for(lambda: "&lt;script&gt;" in (p := get(ui + "/")[2]) and p)
    assert "<script>" not in page and "t&amp;&quot;&#39;" in page
    assert get(ui + "/", Host="evil.example")[0] == 421
    assert get(ui + "/nothing")[0] == 404
    tapedeck.stop(proxy)


def test_a_live_call_is_in_the_catalogue_within_a_second(tapedeck, upstream):
    proxy = tapedeck.serve(upstream.url)
    client = subprocess.Popen(["curl", "-sS", "-N", "-d", request("forever"), proxy.url + "/v2/deployments/stream"],
                              stdout=subprocess.PIPE)
    client.stdout.read(3000)
    [call] = tapedeck.wait_for(tapedeck.calls, seconds=5)
    assert call["state"] == "open" and call["deployment"] == "forever"
    shown = tapedeck.wait_for(lambda: (s := tapedeck.show("@1"))["choices"] and s)
    assert shown["choices"][0]["content"].startswith("piece 0 piece 1 ")
    client.kill()
    tapedeck.wait_for(lambda: tapedeck.calls("--state", "client_abort"))
    tapedeck.stop(proxy)


def test_sigterm_drains_then_seals_and_indexes(tapedeck, upstream):
    proxy = tapedeck.serve(upstream.url)
    client = subprocess.Popen(["curl", "-sS", "-N", "-d", request("text", n=40, gap_ms=30), proxy.url + "/v2/deployments/stream"],
                              stdout=subprocess.PIPE)
    client.stdout.read(1000)
    tapedeck.stop(proxy)
    assert client.wait(5) == 0
    names = [path.name for path in (tapedeck.store / "archive").iterdir()]
    assert [name for name in names if name.endswith(".tape.zst")] and not [n for n in names if n.startswith("J-")]
    [call] = tapedeck.calls()
    assert call["state"] == "done" and call["archive"]["file"].startswith("S-")


def test_a_stop_leaves_to_the_next_start_what_cannot_be_sealed_in_time(tapedeck, upstream):
    proxy = tapedeck.serve(upstream.url)
    body = curl(proxy.url, request("text", n=30))

    def names(start):
        return [path.name for path in (tapedeck.store / "archive").iterdir() if path.name.startswith(start)]

    with open(tapedeck.store / "store.lock", "a") as lock:
        # As a seal of others that takes its time.
        fcntl.flock(lock, fcntl.LOCK_EX)
        tapedeck.stop(proxy)
    assert "left to the next start" in proxy.log.read_text()
    assert names("J-") and not names("S-")
    [call] = tapedeck.calls()
    assert call["state"] == "done" and call["archive"]["file"].startswith("J-")

    tapedeck.stop(tapedeck.serve(upstream.url))
    assert names("S-") and not names("J-")
    [moved] = tapedeck.calls()
    assert moved["archive"]["file"].startswith("S-") and {**moved, "archive": None} == {**call, "archive": None}
    assert tapedeck.run("cat", call["call_id"], text=False) == body
    tapedeck.run("verify")


def test_the_stock_zstd_reads_a_segment_and_its_first_words_explain_it(tapedeck, upstream):
    proxy = tapedeck.serve(upstream.url)
    curl(proxy.url, request("text", n=30))
    tapedeck.stop(proxy)
    [segment] = (tapedeck.store / "archive").glob("S-*")
    subprocess.run(["zstd", "-tq", segment], check=True)
    text = subprocess.run(["zstd", "-dcq", segment], check=True, capture_output=True).stdout
    assert b"tapedeck" in text[:200] and b"word29" in text


def test_ports_that_are_taken_are_named(tapedeck, upstream):
    tapedeck.run("serve", "--upstream", upstream.url, "--listen", f"127.0.0.1:{upstream.port}", "--ui", "off", code=2)
    assert str(upstream.port) in tapedeck.stderr
    tapedeck.run("serve", "--ui", f"127.0.0.1:{upstream.port}", code=2)
    assert str(upstream.port) in tapedeck.stderr


def test_rebuilding_the_catalogue_changes_no_answer(tapedeck, upstream):
    proxy = tapedeck.serve(upstream.url)
    for key in ("text", "error_frame", "unauthorized", "closes_mid_frame", "invalid_utf8", "invoke"):
        curl(proxy.url, request(key), check=False)
    tapedeck.stop(proxy)

    def dump():
        lines = subprocess.run(["sqlite3", "-readonly", tapedeck.store / "catalogue.sqlite", "SELECT * FROM v_calls ORDER BY call_id; "
                                "SELECT * FROM v_usage_daily; SELECT * FROM v_identities;"], check=True, capture_output=True).stdout
        return lines, tapedeck.json("calls"), tapedeck.json("usage", "--by", "identity,model", "--totals")

    before = dump()
    assert len(before[1]) == 6
    tapedeck.run("index", "--rebuild")
    assert dump() == before
    (tapedeck.store / "catalogue.sqlite").unlink()
    tapedeck.run("calls", code=2)
    assert "tapedeck index" in tapedeck.stderr
    tapedeck.run("index")
    assert dump() == before


def test_demo_shows_the_main_job_and_names_its_store(tapedeck):
    out = tapedeck.run("demo", "--store", tapedeck.store)
    assert str(tapedeck.store) in out and "user_grace" in out and "find_trains(" in out
    states = sorted(call["state"] for call in tapedeck.calls())
    assert states == sorted(["done"] * 7 + ["upstream_error"] * 2 + ["upstream_cut", "client_abort"])
    reasoning = tapedeck.show(tapedeck.calls("--deployment", "maths-reasoning")[0]["call_id"])
    assert reasoning["choices"][0]["reasoning"].startswith("The sum of") and reasoning["choices"][0]["reasoning_signature"]
    assert len(tapedeck.show(tapedeck.calls("--deployment", "product-names")[0]["call_id"])["choices"]) == 2
    poster = tapedeck.show(tapedeck.calls("--deployment", "poster-image")[0]["call_id"])
    assert poster["choices"][0]["image_urls"] == ["https://images.example/posters/harbour-light.png"]
    assert len(tapedeck.show(tapedeck.calls("--deployment", "handbook-search")[0]["call_id"])["retrievals"]) == 1
