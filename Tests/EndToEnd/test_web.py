"""The pages of `tapedeck serve` in a real browser, on a demo store and on one with hostile text."""

import json
import os
import pathlib
import re
import statistics
import subprocess
import urllib.parse

import axe_core_python
import pytest

from browser import Browser
from conftest import curl, get, request

SHOTS = pathlib.Path(os.environ.get("TAPEDECK_SCREENSHOTS", ".build/screenshots")).resolve()
AXE = (pathlib.Path(axe_core_python.__file__).parent / "axe.min.js").read_text()
HOSTILE = "<script>window.pwned=1</script><img src=x onerror='window.pwned=1'>\u0301\" onmouseover=\"window.pwned=1 \x1b[31mred\x07 \u202eevil\u2066"


@pytest.fixture(scope="module")
def browser():
    browser = Browser()
    yield browser
    browser.close()


@pytest.fixture(autouse=True)
def nothing_to_complain_of(request):
    """No console error, no refusal of the policy, and nothing asked of anybody else, whatever a test does."""
    browser = request.getfixturevalue("browser")
    browser.complaints.clear()
    browser.requests.clear()
    browser.size(1600, 1000)
    browser.scheme("light")
    yield
    assert browser.complaints == []
    assert [url for url in browser.requests if not re.match(r"http://127\.0\.0\.1:\d+/", url)] == []


def call_of(demo, deployment, *filters):
    return demo.calls("--deployment", deployment, *filters)[0]["call_id"]


def pages(demo):
    maths = demo.show(call_of(demo, "maths-reasoning"))
    return {
        "calls": "/", "search": "/?text=refund", "nothing-found": "/?text=nosuchword", "call": f"/calls/{maths['call_id']}",
        "tools": f"/calls/{call_of(demo, 'travel-tools')}", "failed": f"/calls/{call_of(demo, 'fails-midway')}",
        "image": f"/calls/{call_of(demo, 'poster-image')}",
        "verified": f"/calls/{maths['call_id']}?verify=true", "replay": f"/calls/{call_of(demo, 'slow-writer')}/replay?t=0.2",
        "thread": "/thread?id=thread_refund", "trace": f"/trace?id={maths['trace_id']}", "diff": "/diff?a=@1&b=@2",
        "usage": "/usage", "usage-by-identity": "/usage?by=identity&age=all", "identities": "/identities", "store": "/store",
        "not-found": "/nothing",
    }


@pytest.mark.parametrize("width", [1600, 400])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_fits_is_accessible_and_has_its_picture_taken(browser, demo, width, scheme):
    SHOTS.mkdir(parents=True, exist_ok=True)
    browser.size(width, 900)
    browser.scheme(scheme)
    for name, path in pages(demo).items():
        browser.open(demo.ui + path)
        if name == "not-found":
            browser.complaints = [c for c in browser.complaints if "404" not in c]
        if name == "replay":
            browser.wait_until("document.getElementById('player').dataset.ready")
        assert browser.run("document.title").endswith("· tapedeck") and browser.run("document.querySelectorAll('h1').length") == 1, name
        assert browser.run("document.documentElement.scrollWidth") <= width, f"{name} is wider than {width} px"
        browser.screenshot(SHOTS / f"{name}-{width}-{scheme}.png")
        browser.run(AXE + "; 0")
        found = browser.run("axe.run({runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']}).then(r => r.violations.map(v => [v.id, v.nodes.map(n => n.html + ' ' + n.failureSummary)]))")
        assert found == [], (name, found)


def test_filters_are_in_the_address_and_can_be_taken_away(browser, demo):
    browser.open(demo.ui)
    assert browser.run("document.querySelectorAll('#calls tbody tr').length") == 11
    browser.run("document.querySelector('select[name=state]').value = 'done'")
    browser.type("input[name=identity]", "user_grace")
    browser.press("Enter", loads=True)
    assert urllib.parse.parse_qs(urllib.parse.urlparse(browser.run("location.href")).query) == {
        "state": ["done"], "identity": ["user_grace"], "sort": ["newest"]}
    shown = browser.run("document.querySelectorAll('#calls tbody tr').length")
    assert shown == len(demo.calls("--state", "done", "--identity", "user_grace")) > 0
    assert "identity user_grace" in browser.text(".chips")
    browser.click(".chip.x[aria-label*=identity]", loads=True)
    assert browser.run("document.querySelectorAll('#calls tbody tr').length") == len(demo.calls("--state", "done"))
    browser.open(demo.ui + "/?sort=tokens")
    tokens = [int(t.replace(",", "")) for t in browser.run("[...document.querySelectorAll('#calls td[data-label=tokens]')].map(e => e.innerText)") if t[0] != "–"]
    assert tokens == sorted(tokens, reverse=True) and len(tokens) == 7


@pytest.mark.parametrize("path", ["/", "/identities", "/trace?id={trace}"])
def test_figures_are_seen_on_a_narrow_page(browser, demo, path):
    browser.size(400, 900)
    browser.open(demo.ui + path.format(trace=demo.show(call_of(demo, "maths-reasoning"))["trace_id"]))
    cells = "[...document.querySelectorAll('td[data-label=cost], td[data-label=tokens]')].filter(e => e.offsetWidth)"
    assert browser.run(cells + ".length") > 3
    assert browser.run(cells + ".every(e => e.getBoundingClientRect().right <= innerWidth)")


def test_search_marks_what_was_found(browser, demo):
    browser.open(demo.ui)
    browser.press("/")
    browser.type("#search", "refund polic*")
    browser.press("Enter", loads=True)
    assert browser.run("document.querySelectorAll('#calls tbody tr').length") == 1
    assert browser.run("[...document.querySelectorAll('mark')].map(e => e.innerText)") == ["refund policy"]


def test_pages_of_the_list_join_to_all_of_it(browser, demo):
    browser.open(demo.ui + "/?limit=4")
    ids = []
    for page in range(3):
        ids += browser.run("[...document.querySelectorAll('#calls tbody tr')].map(e => e.id.slice(2))")
        if page < 2:
            browser.click("#next", loads=True)
    assert ids == [call["call_id"] for call in demo.calls()] and browser.text("#next") is None


@pytest.mark.parametrize("sort", ["newest", "oldest", "tokens", "ttft"])
def test_the_list_is_gone_through_forth_and_back(browser, demo, sort):
    def ids():
        return browser.run("[...document.querySelectorAll('#calls tbody tr')].map(e => e.id.slice(2))")
    browser.open(f"{demo.ui}/?limit=3&sort={sort}")
    assert browser.text("#previous") is None
    pages = [ids()]
    while browser.text("#next"):
        browser.press("n", loads=True)
        pages.append(ids())
    assert [len(page) for page in pages] == [3, 3, 3, 2]
    assert sum(pages, []) == [call["call_id"] for call in demo.calls("--sort", sort)]
    for page in reversed(pages[:-1]):
        browser.press("p", loads=True)
        assert ids() == page
    assert browser.text("#previous") is None and "before=" in browser.run("location.search")
    browser.click("#next", loads=True)
    assert ids() == pages[1]
    assert get(f"{demo.ui}/?after={pages[0][0]}&before={pages[0][0]}")[0] == 400


@pytest.mark.parametrize("width", [1560, 1400, 1280, 1101, 1100, 800, 641])
def test_all_of_the_list_is_seen_at_any_width(browser, demo, width):
    browser.size(width, 900)
    browser.open(demo.ui)
    [[needed, there]] = browser.run("[...document.querySelectorAll('.scroll')].map(e => [e.scrollWidth, e.clientWidth])")
    assert needed <= there
    assert browser.run("document.documentElement.scrollWidth") <= width
    assert browser.run("""[...document.querySelectorAll('#calls td.k-text .clamp')].filter(e => e.textContent)
        .every(e => e.getBoundingClientRect().right <= innerWidth && e.getBoundingClientRect().width > 120)""")
    browser.screenshot(SHOTS / f"calls-{width}-light.png")


def test_the_list_works_by_keys(browser, demo):
    browser.open(demo.ui)
    browser.press("j")
    browser.press("j")
    browser.press("k")
    assert browser.run("document.querySelector('tr.cursor').id.slice(2)") == demo.calls()[0]["call_id"]
    assert browser.run("document.activeElement.closest('tr').classList.contains('cursor')")
    browser.press("Enter", loads=True)
    assert browser.run("location.pathname") == "/calls/" + demo.calls()[0]["call_id"]
    browser.press("n", loads=True)
    assert browser.run("location.pathname") == "/calls/" + demo.calls()[1]["call_id"]
    browser.press("Tab")
    assert browser.run("document.activeElement.className") == "skip"


def test_a_call_shows_request_answer_reasoning_figures_and_frames(browser, demo):
    call = demo.show(call_of(demo, "maths-reasoning"))
    browser.open(f"{demo.ui}/calls/{call['call_id']}")
    assert browser.text(".turn.r-user").endswith("Add the odd numbers up to 99.")
    assert browser.run("document.querySelector('.turn.r-assistant strong').innerText") == "2500"
    assert not browser.run("document.querySelector('details.reasoning').open")
    browser.click("details.reasoning summary")
    assert "square of" not in call["choices"][0]["content"] and "first n odd numbers" in browser.text("details.reasoning")
    assert "157" in browser.text("aside") and "$0.001623" in browser.text("aside") and "genai-prices" in browser.text("aside")
    frames = demo.json("frames", call["call_id"])
    rows = browser.run("[...document.querySelectorAll('.frames tbody tr')].map(r => [...r.children].map(c => c.innerText))")
    assert [int(row[0]) for row in rows] == [frame["sequence"] for frame in frames]
    assert [int(row[4].replace(",", "")) for row in rows] == [frame["bytes"] for frame in frames]
    browser.click("a[href*='verify=true']", loads=True)
    assert "Verified just now" in browser.text("[role=status]")
    browser.run("document.getElementById('as-curl').open = true")
    assert "--data-binary" in browser.text("#curl") and "$API_KEY" in browser.text("#curl")


RECORD = """
(() => {
  const typed = document.getElementById("typed"), player = document.getElementById("player");
  window.seen = [];
  new MutationObserver(() => window.seen.push([performance.now(), typed.textContent])).observe(typed, {childList: true, subtree: true, characterData: true});
})()
"""


def play(browser, demo, call, setup="0", seconds=15):
    browser.open(f"{demo.ui}/calls/{call}/replay")
    browser.wait_until("document.getElementById('player').dataset.ready")
    browser.run(RECORD)
    browser.run(setup)
    browser.click("#play")
    browser.wait_until("document.getElementById('player').dataset.endedAt", seconds)
    started, ended = browser.run("[+document.getElementById('player').dataset.startedAt, +document.getElementById('player').dataset.endedAt]")
    return started, ended, browser.run("window.seen")


def test_replay_plays_to_its_end_in_real_time_and_never_early(browser, demo):
    call = call_of(demo, "slow-writer", "--state", "done")
    frames, shown = demo.json("frames", call), demo.show(call)
    started, ended, seen = play(browser, demo, call)
    duration = shown["timings"]["duration_ms"]
    assert duration <= ended - started < duration + 500
    due, text = [], ""
    for frame in frames:
        if frame["text"]:
            text += frame["text"]
            due.append((frame["offset_ns"] / 1e6, text))
    assert seen[-1][1] == text == shown["choices"][0]["content"]
    late = []
    for at, text in due:
        [first, *_] = [time - started for time, is_shown in seen if len(is_shown) >= len(text)]
        assert first >= at, f"{text[-20:]!r} was shown {at - first} ms early"
        late.append(first - at)
    print(f"replay of {duration:.0f} ms took {ended - started:.0f} ms; frames late by p50 {statistics.median(late):.1f}, most {max(late):.1f} ms")
    assert statistics.median(late) < 100


def test_replay_goes_faster_and_cuts_long_waits(browser, demo):
    call = call_of(demo, "slow-writer", "--state", "done")
    duration = demo.show(call)["timings"]["duration_ms"]
    choose = "(() => { const s = document.getElementById('%s'); s.value = '%s'; s.dispatchEvent(new Event('change')); })()"
    started, ended, seen = play(browser, demo, call, choose % ("speed", "4"))
    assert duration / 4 <= ended - started < duration / 4 + 500
    # A stall of 0.7 s is played as 0.2 s.
    started, ended, seen = play(browser, demo, call, choose % ("cap", "0.2"))
    assert duration - 550 <= ended - started < duration - 450 + 500


def test_replay_steps_seeks_pauses_and_is_linked_to(browser, demo):
    call = call_of(demo, "slow-writer", "--state", "done")
    frames = demo.json("frames", call)
    browser.open(f"{demo.ui}/calls/{call}/replay")
    browser.wait_until("document.getElementById('player').dataset.ready")
    for count in (1, 2, 3):
        browser.press("ArrowRight")
        assert browser.text("#count") == str(count)
    assert browser.text("#typed") == "".join(f["text"] or "" for f in frames[:3]).rstrip()
    browser.click("#back")
    assert browser.text("#count") == "2"
    browser.press("End")
    assert browser.text("#count") == str(len(frames))
    browser.press("Home")
    assert browser.text("#count") == "0" and browser.text("#typed") == ""
    browser.run("document.activeElement.blur()")
    browser.press(" ")
    browser.wait_until("+document.getElementById('count').textContent > 1")
    browser.press(" ")
    at = browser.text("#now")
    assert browser.text("#play") == "Play" and 0 < float(at[:-2]) < 2.5
    browser.run("new Promise(r => setTimeout(r, 300))")
    assert browser.text("#now") == at
    browser.open(browser.run("document.getElementById('link').href"))
    browser.wait_until("document.getElementById('player').dataset.ready")
    assert abs(float(browser.text("#now")[:-2]) - float(at[:-2])) < 0.002
    middle = frames[10]["offset_ns"] / 1e9
    browser.open(f"{demo.ui}/calls/{call}/replay?t={middle + 0.001:.3f}")
    browser.wait_until("document.getElementById('player').dataset.ready")
    assert browser.text("#count") == "11"


def test_each_of_several_choices_can_be_played(browser, tapedeck, tmp_path):
    texts = {0: ["One ", "answer."], 2: ["Quite ", "another ", "one."]}
    frames, at = [], 1_750_000_000_000_000_000
    for number in range(3):
        for index, pieces in texts.items():
            if number < len(pieces):
                chunk = {"id": "01H", "model": "m", "choices": [{"index": index, "message": {"type": "content", "role": "assistant", "content": pieces[number]}}]}
                frames.append("data: " + json.dumps(chunk) + "\n\n")
    events = [{"t_ns": at, "call": 1, "ev": "open", "request": {"key": "n"}}]
    events += [{"t_ns": at + (n + 1) * 50_000_000, "call": 1, "ev": "frame", "raw": frame} for n, frame in enumerate([*frames, "data: [DONE]\n\n"])]
    events.append({"t_ns": at + 400_000_000, "call": 1, "ev": "end", "how": "done"})
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(e) + "\n" for e in events))
    call = tapedeck.run("import", tmp_path / "a.jsonl").split()[-1]
    tapedeck.ui = tapedeck.serve_ui()
    assert play(browser, tapedeck, call)[2][-1][1] == "One answer."
    assert browser.text("#choices [aria-current]") == "0"
    browser.press("Home")
    browser.press("ArrowRight")
    browser.click("#choices a:nth-of-type(2)", loads=True)
    browser.wait_until("document.getElementById('player').dataset.ready")
    assert browser.text("#choices [aria-current]") == "2" and browser.text("#now") == "0.050 s"
    browser.click("#play")
    browser.wait_until("document.getElementById('player').dataset.endedAt")
    assert browser.text("#typed") == "Quite another one."
    assert "choice=2" in browser.run("document.getElementById('link').href")
    for bad in ("1", "x", "-1"):
        status, headers, body = get(f"{tapedeck.ui}/calls/{call}/replay?choice={bad}")
        assert status == 400 and b"choice" in body
    assert get(f"{tapedeck.ui}/calls/{call}/timeline?choice=7")[0] == 400


def test_bars_of_usage_lead_to_their_calls(browser, demo):
    browser.open(demo.ui + "/usage?by=deployment")
    groups = {row["group"]["deployment"]: row for row in demo.json("usage", "--by", "deployment")}
    assert len(groups) == browser.run("document.querySelectorAll('section table tbody tr').length")
    browser.click("section table tbody tr:nth-child(1) a", loads=True)
    first = next(iter(groups))
    assert f"deployment {first}" in browser.text(".chips")
    assert browser.run("document.querySelectorAll('#calls tbody tr').length") == groups[first]["calls"]
    browser.open(demo.ui + "/usage")
    browser.run("document.querySelector('.columns a').dispatchEvent(new MouseEvent('click', {bubbles: true}))")
    browser.wait_until("location.pathname == '/' && document.readyState == 'complete'")
    assert browser.run("document.querySelectorAll('#calls tbody tr').length") == 11


def test_pages_are_read_without_javascript(browser, demo):
    browser.scripts(False)
    try:
        for path, text in [("/", "slow-writer"), (f"/calls/{call_of(demo, 'maths-reasoning')}", "The sum is 2500"), ("/usage", "gpt-4o-mini"),
                           (f"/calls/{call_of(demo, 'slow-writer', '--state', 'done')}/replay", "Once upon a time a stream"), ("/store", ".tape")]:
            browser.open(demo.ui + path)
            document = browser.call("DOM.getDocument", depth=0)["root"]["nodeId"]
            html = browser.call("DOM.getOuterHTML", nodeId=document)["outerHTML"]
            words = re.sub(r"\s+", " ", re.sub(r"<[^>]*>", "", html))
            assert text in words, path
    finally:
        browser.scripts(True)


def test_the_live_tail_shows_calls_as_they_come_and_end(browser, tapedeck, upstream):
    proxy = tapedeck.serve(upstream.url, "--ui", "127.0.0.1:0")
    ui = tapedeck.ui_of(proxy)
    curl(proxy.url, request("text", n=3))
    tapedeck.wait_for(tapedeck.calls)
    browser.open(ui)
    browser.run("window.stays = true")
    browser.click("#live")
    browser.run("new Promise(r => setTimeout(r, 700))")
    client = subprocess.Popen(["curl", "-sS", "-N", "-d", request("text", n=40, gap_ms=50), proxy.url + "/v2/deployments/stream"],
                              stdout=subprocess.DEVNULL)
    browser.wait_until("document.querySelectorAll('#calls tbody tr').length == 2")
    assert browser.text("#calls tbody tr .state") == "open"
    client.wait(20)
    browser.wait_until("document.querySelector('#calls tbody tr .state').innerText == 'done'")
    assert browser.run("document.querySelectorAll('#calls tbody tr').length") == 2 and browser.run("window.stays")
    browser.open("about:blank")
    browser.requests.clear()
    tapedeck.stop(proxy)


def test_more_calls_than_can_be_listed_are_counted(browser, tapedeck, tmp_path):
    def capture(name, first, count):
        lines = []
        for number in range(first, first + count):
            at = 1_750_000_000_000_000_000 + number * 1_000_000
            lines += [{"t_ns": at, "call": number, "ev": "open", "request": {"key": f"flood-{number}"}},
                      {"t_ns": at + 1000, "call": number, "ev": "frame", "raw": "data: [DONE]\n\n"}, {"t_ns": at + 2000, "call": number, "ev": "end", "how": "done"}]
        (tmp_path / name).write_text("".join(json.dumps(line) + "\n" for line in lines))
        return tmp_path / name
    tapedeck.run("import", capture("a.jsonl", 0, 3))
    browser.open(tapedeck.serve_ui())
    browser.click("#live")
    browser.run("new Promise(r => setTimeout(r, 2500))")
    tapedeck.run("import", capture("b.jsonl", 10, 1500))
    browser.wait_until("!document.getElementById('skipped').hidden")
    browser.wait_until("document.querySelector('#calls tbody tr').innerText.includes('flood-1509')")
    told = browser.run("document.querySelectorAll('#calls tbody tr').length") - 3
    assert 100 <= told <= 500
    assert browser.text("#skipped").startswith(f"{1500 - told:,} calls came too fast")
    browser.open("about:blank")
    browser.requests.clear()


def test_hostile_text_is_shown_and_does_nothing(browser, tapedeck, tmp_path):
    long = "word " * 1_000_000
    body = {"key": HOSTILE, "stream": True, "identity": {"id": HOSTILE, "display_name": HOSTILE, "tags": [HOSTILE]},
            "thread": {"id": HOSTILE, "tags": [HOSTILE]}, "metadata": {"a": HOSTILE}, "messages": [{"role": HOSTILE, "content": HOSTILE}, {"role": "user", "content": long}]}
    (tmp_path / "request.json").write_text(json.dumps(body))
    def chunk(**message):
        return "data: " + json.dumps({"id": "01H", "model": HOSTILE, "provider": HOSTILE, "telemetry": {"trace_id": HOSTILE, "span_id": HOSTILE}, "choices": [
            {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": HOSTILE}]}) + "\n\n"
    markdown = f"# {HOSTILE}\n\n[x](javascript:window.pwned=1) ![y](https://evil.example/x.png) [z](https://evil.example/{HOSTILE})\n\n- `{HOSTILE}`\n\n| {HOSTILE} | b |\n|---|---|\n| {HOSTILE} | c |\n\n```\n{HOSTILE}\n```\n"
    (tmp_path / "a.sse").write_text(chunk(type="content", content=markdown, reasoning=HOSTILE) + chunk(
        type="tool_calls", tool_calls=[{"index": 0, "id": HOSTILE, "type": "function", "function": {"name": HOSTILE, "arguments": json.dumps({HOSTILE: HOSTILE})}}]) +
        chunk(type="content", content=long) + f"event: {HOSTILE.replace(chr(10), '')}\ndata: not json\n\n" + "data: [DONE]\n\n")
    # What else reaches a page: headers, addresses of pictures and people, file names, errors, names of files beside the archive.
    entry = {"startedDateTime": "2026-01-01T00:00:00.000Z", "time": 5, "cache": {}, "timings": {"send": 0, "wait": 1, "receive": 4},
             "request": {"method": "POST", "url": "https://api.example/v2/deployments/stream?x=" + urllib.parse.quote("<script>window.pwned=1</script>"), "httpVersion": "HTTP/1.1",
                         "cookies": [], "queryString": [], "headersSize": -1, "bodySize": -1, "headers": [{"name": "X-Mark", "value": "<script>window.pwned=1</script>\"'"}, {"name": "User-Agent", "value": "javascript:window.pwned=1"}],
                         "postData": {"mimeType": "application/json", "text": json.dumps({"key": "har", "identity": {"id": "eve", "email": HOSTILE, "logo_url": "javascript:window.pwned=1"}, "knowledge_filter": {HOSTILE: HOSTILE},
                                      "messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "javascript:window.pwned=1"}}, {"type": "file", "file": {"filename": HOSTILE, "file_data": "data:text/html;base64,PHNjcmlwdD4="}}]}]})}},
             "response": {"status": 200, "statusText": "OK", "httpVersion": "HTTP/1.1", "cookies": [], "redirectURL": "", "headersSize": -1, "bodySize": -1,
                          "headers": [{"name": "Content-Type", "value": "text/event-stream"}, {"name": "X-Back", "value": "<img src=x onerror=window.pwned=1>"}],
                          "content": {"size": 1, "mimeType": "text/event-stream", "text": "data: " + json.dumps({
                              "id": HOSTILE, "created": HOSTILE, "object": HOSTILE, "finalized": HOSTILE, "system_fingerprint": HOSTILE, "integration_id": HOSTILE, "model": "javascript:window.pwned=1", HOSTILE: HOSTILE,
                              "retrievals": [{"document": HOSTILE, "metadata": {"file_name": HOSTILE, "file_type": HOSTILE, "search_score": 1}}],
                              "choices": [{"index": 0, "message": {"type": "image", "role": HOSTILE, "url": "javascript:window.pwned=1"}, "finish_reason": None}]}) + "\n\n"
                              + "data: " + json.dumps({"error": {"message": HOSTILE, "code": HOSTILE}, "source": HOSTILE}) + "\n\n"}}}
    (tmp_path / "a.har").write_text(json.dumps({"log": {"version": "1.2", "creator": {"name": "t", "version": "1"}, "entries": [entry]}}))
    har = tapedeck.run("import", tmp_path / "a.har").split()[-1]
    (tapedeck.store / "archive" / "J-<img src=x onerror=window.pwned=1>.tape").write_text("x")
    for _ in range(2):
        call = tapedeck.run("import", "--again", "--request", tmp_path / "request.json", tmp_path / "a.sse").split()[-1]
    ui = tapedeck.serve_ui()
    quoted = urllib.parse.quote(HOSTILE, safe="")
    for path in ("/", "/?text=evil", "/?model=" + quoted, f"/calls/{call}", f"/calls/{call}?view=source", f"/calls/{call}?full=true", f"/calls/{call}/replay", f"/calls/{har}", f"/calls/{har}?view=source", f"/calls/{har}/replay", f"/calls/{har}?verify=true", f"/diff?a={har}&b={call}",
                 "/?where=model+LIKE+'java%25'", "/?identity=eve", "/usage?by=provider&age=all", "/usage?by=deployment&age=all", "/thread?id=" + quoted,
                 "/trace?id=" + quoted, "/diff?a=@1&b=@2", "/usage?by=identity&age=all", "/usage?by=tag&age=all", "/usage?by=meta:a&age=all", "/identities", "/store", "/nothing/" + quoted):
        browser.open(ui + path)
        browser.complaints = [c for c in browser.complaints if "404" not in c]
        assert browser.run("window.pwned ?? null") is None, path
        assert browser.run("document.querySelectorAll('main script, main img, main [onerror], main [onmouseover], main a[href^=\"javascript\" i], main [src], main [formaction], main [srcdoc], main iframe, main object, main style, main base, main form[action^=\"javascript\"]').length") == 0, path
        html = browser.run("document.documentElement.outerHTML")
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", html), path
        assert not browser.run("[...document.querySelectorAll('main *')].some(e => [...e.attributes].some(a => a.name.startsWith('on')))")
    browser.open(f"{ui}/calls/{call}")
    assert "\\u{1b}[31mred" in browser.text("main") and "\\u{202e}evil" in browser.text("main")
    assert len(browser.run("document.documentElement.outerHTML")) < 500_000
    browser.open(f"{ui}/calls/{call}?full=true")
    assert len(browser.run("document.documentElement.outerHTML")) > 10_000_000


def test_a_token_is_asked_for_and_then_kept_in_the_browser(browser, demo):
    ui = demo.serve_ui("--ui-token", "correct-horse-battery")
    browser.open(ui + "/usage")
    assert browser.run("document.querySelector('h1').innerText") == "Sign in"
    browser.complaints = [c for c in browser.complaints if "401" not in c]
    browser.type("input[name=token]", "wrong-horse-battery")
    browser.press("Enter", loads=True)
    assert "not the token" in browser.text("[role=alert]")
    browser.complaints = [c for c in browser.complaints if "401" not in c]
    browser.type("input[name=token]", "correct-horse-battery")
    browser.press("Enter", loads=True)
    browser.open(ui + "/usage")
    assert browser.run("document.querySelector('h1').innerText") == "Usage"
    assert browser.run("document.cookie") == "" and "horse" not in browser.run("location.href")
    assert not any("horse" in url for url in browser.requests)
