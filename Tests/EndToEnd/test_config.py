"""The configuration file: where settings come from, and redaction before anything is on tape."""

import json
import os
import re
import subprocess

from conftest import BIN, curl
from test_erase import ANSWER, PROMPT, body, findings

RULES = """
[[redact]]
path = "messages[*].content"
in = ["request"]

[[redact]]
name = "names"
path = "identity"
in = ["request"]

[[redact]]
path = "inputs.*"
in = ["request"]

[[redact]]
name = "answers"
path = "choices[*].message.content"
in = ["response"]
"""
HIDDEN = [PROMPT, "umbrella", "Zweifelsohne", "zebra", "ebra", "anna.7731"]


def config(tapedeck, text):
    path = tapedeck.store.parent / "tapedeck.toml"
    path.write_text(text)
    return path


def test_what_rules_take_out_never_reaches_the_disk_and_the_client_gets_it(tapedeck, upstream):
    path = config(tapedeck, RULES)
    proxy = tapedeck.serve(upstream.url, "--config", path)
    heard = curl(proxy.url, body())
    text = "".join(json.loads(f[6:])["choices"][0]["message"]["content"]
                   for f in heard.split(b"\n\n") if f.startswith(b"data: {"))
    assert text == ANSWER and upstream.requests[-1]["body"] == body().encode()
    tapedeck.wait_for(lambda: tapedeck.calls("--state", "done"))
    assert findings(tapedeck.store, HIDDEN) == []
    tapedeck.stop(proxy)
    assert findings(tapedeck.store, HIDDEN) == []
    shown = tapedeck.show("@1")
    assert shown["request"]["messages"][0]["content"] == "[redacted]" and shown["state"] == "done"
    assert shown["usage"]["total_tokens"] == 120 and shown["defects"] == []
    [call] = tapedeck.json("calls", "--where", "redactions LIKE '%request:messages[*].content%response:answers%'")
    assert call["call_id"] == shown["call_id"]
    assert tapedeck.run("cat", "@1", text=False) != heard


def test_a_store_is_made_for_routes_alone(tapedeck, upstream):
    path = config(tapedeck, f'[[route]]\nprefix = "/a"\nupstream = "{upstream.url}"\n')
    process = tapedeck.listening("proxy", "serve", "--config", path, "--listen", "127.0.0.1:0", "--ui", "off", "--no-index", "--no-seal")
    curl(process.url + "/a", body())
    tapedeck.stop(process)
    tapedeck.run("index")
    assert len(tapedeck.calls()) == 1


def test_an_upstream_has_no_query(tapedeck):
    tapedeck.run("serve", "--upstream", "http://127.0.0.1:9/a?key=x", code=64)
    assert "without a query" in tapedeck.stderr and "key=x" not in tapedeck.stderr


def test_import_obeys_the_rules_too(tapedeck, upstream):
    path = config(tapedeck, RULES)
    capture = tapedeck.store.parent / "a.sse"
    capture.write_bytes(b'data: {"choices":[{"message":{"content":"the zebra door"}}]}\n\ndata: [DONE]\n\n')
    request = tapedeck.store.parent / "r.json"
    request.write_text(body())
    first = tapedeck.run("import", "--config", path, "--request", request, capture)
    assert findings(tapedeck.store, HIDDEN) == []
    assert tapedeck.run("import", "--config", path, "--request", request, capture) == first, "it is the same call"
    tapedeck.run("seal")
    assert findings(tapedeck.store, HIDDEN) == []


def test_flags_come_before_the_environment_and_that_before_the_file(tapedeck, upstream, tmp_path):
    home = tmp_path / "xdg"
    (home / "tapedeck").mkdir(parents=True)
    file = home / "tapedeck" / "config.toml"
    file.write_text(f'upstream = "{upstream.url}"\nlisten = "127.0.0.1:0"\nui = "off"\nstore = "{tmp_path}/from-file"\n')
    environment = {**tapedeck.environment(), "XDG_CONFIG_HOME": str(home)}
    environment.pop("TAPEDECK_STORE")
    for more, flags, where in (({}, (), "from-file"), ({"TAPEDECK_STORE": f"{tmp_path}/from-env"}, (), "from-env"),
                               ({"TAPEDECK_STORE": "/nowhere"}, ("--store", f"{tmp_path}/from-flag"), "from-flag")):
        process = subprocess.Popen([BIN / "tapedeck", "serve", *flags], env={**environment, **more},
                                   stderr=subprocess.PIPE, text=True)
        assert re.match(r"proxy listening on http://127.0.0.1:\d+", process.stderr.readline())
        process.terminate()
        assert process.wait(20) == 0
        assert (tmp_path / where / "tapedeck.json").exists()


def test_config_check_names_what_is_wrong(tapedeck):
    good = config(tapedeck, 'keep = "90d"\n' + RULES)
    assert tapedeck.run("config", "check", good) == "keep = 90d\nredact: 4 rules\n"
    bad = config(tapedeck, 'keep = "90d"\nlisten-on = "x"\n')
    tapedeck.run("config", "check", bad, code=64)
    assert "line 2, column 1" in tapedeck.stderr and "did you mean listen?" in tapedeck.stderr
    tapedeck.run("calls", "--config", bad, code=64)
    tapedeck.run("config", "check", tapedeck.store / "none.toml", code=64)


def test_old_segments_go_and_their_leaf_lists_stay(tapedeck, upstream):
    for n in range(3):
        proxy = tapedeck.serve(upstream.url)
        curl(proxy.url, body(say=os.urandom(4000).hex()))
        tapedeck.stop(proxy)
    tapedeck.run("verify")
    archive = tapedeck.store / "archive"
    before = sorted(archive.glob("S-*.tape.zst"))
    assert len(before) == 3
    proxy = tapedeck.serve(upstream.url, "--keep-bytes", str(sum(p.stat().st_size for p in before[1:]) + 4000))
    tapedeck.wait_for(lambda: len(list(archive.glob("S-*.tape.zst"))) == 2)
    assert [p.name[:-7] for p in archive.glob("S-*.leaves")] == [before[0].name[:-9]]
    tapedeck.wait_for(lambda: len(tapedeck.calls()) == 2)
    tapedeck.stop(proxy)
    tapedeck.run("verify")
    proxy = tapedeck.serve(upstream.url, "--keep", "1ms")
    tapedeck.wait_for(lambda: not list(archive.glob("S-*.tape.zst")))
    tapedeck.wait_for(lambda: not tapedeck.calls())
    tapedeck.stop(proxy)
    tapedeck.run("verify")
    assert len(list(archive.glob("S-*.leaves"))) == 3
