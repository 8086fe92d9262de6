"""Lists, conditions, pages on a terminal, help, and commands that are recorded."""

import fcntl
import json
import os
import pathlib
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
import unicodedata

import pytest

from conftest import BIN, Tapedeck

ROOT = pathlib.Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def deck(tmp_path_factory):
    deck = Tapedeck(tmp_path_factory.mktemp("ask") / "store")
    deck.run("demo", "--store", deck.store)
    return deck


def on_terminal(deck, *arguments, rows=0, columns=0, code=0, **environment):
    """What a terminal of that size gets."""
    main, other = pty.openpty()
    fcntl.ioctl(other, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    clean = {k: v for k, v in deck.environment(**environment).items() if v is not None}
    process = subprocess.Popen([BIN / "tapedeck", *arguments], stdin=subprocess.DEVNULL, stdout=other, stderr=other, env=clean)
    os.close(other)
    text = b""
    try:
        while data := os.read(main, 65_536):
            text += data
    except OSError:
        pass
    os.close(main)
    assert process.wait(30) == code, text
    return text.decode().replace("\r\n", "\n")


# MARK: Lists

@pytest.mark.parametrize("sort", ["newest", "oldest", "longest", "tokens", "ttft"])
def test_pages_join_to_the_list(deck, sort):
    whole = [call["call_id"] for call in deck.calls("--sort", sort)]
    assert len(whole) == 11
    joined, after = [], []
    while page := [call["call_id"] for call in deck.calls("--sort", sort, "--limit", "3", *after)]:
        joined += page
        after = ["--after", page[-1]]
    assert joined == whole and "no call behind" in deck.stderr


def test_formats_of_a_list_have_the_same_calls(deck):
    rows = deck.json("calls")
    assert [json.loads(line) for line in deck.run("calls", "--format", "ndjson").splitlines()] == rows
    lines = deck.run("calls", "--format", "csv").split("\r\n")
    assert lines[0].startswith("call_id,response_id,") and [line[:26] for line in lines[1:12]] == [r["call_id"] for r in rows]
    table = deck.run("calls", "--format", "table", "--limit", "2").splitlines()
    assert table[0].startswith("CALL ") and len(table) == 3
    assert f"the next ones: --after {rows[1]['call_id']}" in deck.stderr


@pytest.mark.parametrize("command", [["calls"], ["usage"], ["search", "refund*"], ["export", "--to", "ndjson"]])
def test_a_condition_goes_with_every_command_and_filter(deck, command):
    both = ["--identity", "ada@example.com", "--where", "state = 'done' AND total_tokens > 0"]
    assert deck.run(*command, *both)
    # An export of nothing is empty; the others look something up.
    deck.run(*command, *both, "--where", "total_tokens > 1000000000", code=0 if command[0] == "export" else 1)


@pytest.mark.parametrize("command", [["calls"], ["usage"], ["search", "x"], ["export", "--to", "ndjson"]])
@pytest.mark.parametrize("flags, says", [
    (["--where", "call_key IN (SELECT call_key FROM calls)"], "calls cannot be read"),
    (["--where", "DELETE FROM calls"], "DELETE is not allowed"),
    (["--where", "load_extension('x') IS NULL"], "load_extension() is not allowed"),
    (["--where", "modle = 'x'"], "did you mean model?"),
    (["--from", "2026-02-30"], "--from: '2026-02-30' is no time"),
    (["--from", "2026-11-20", "--tz", "Mars/Olympus"], "there is no time zone 'Mars/Olympus'"),
    (["--from", "2026-11-20", "--from", "nonsense"], "--from: 'nonsense' is no time"),
    (["--state", "dne"], "did you mean done?"),
    (["--meta", "team"], "--meta takes KEY=VALUE"),
    (["--min-duration", "long"], "--min-duration"),
])
def test_filters_that_cannot_be_read_are_bad_usage(deck, command, flags, says):
    before = (deck.store / "catalogue.sqlite").read_bytes()
    assert deck.run(*command, *flags, code=64) == "" and says in deck.stderr, deck.stderr
    assert (deck.store / "catalogue.sqlite").read_bytes() == before


def test_a_zone_moves_days(deck):
    moment = deck.json("calls", "--limit", "1")[0]["started_at"]
    day, hour = moment[:10], int(moment[11:13])
    if hour >= 14:  # in Kiritimati it is the day after already
        assert not deck.calls("--to", day, "--tz", "Pacific/Kiritimati")
    assert deck.calls("--from", moment) and not deck.calls("--to", moment, "--from", moment)
    assert len(deck.calls("--from", "yesterday", "--to", "tomorrow")) == 11 == len(deck.calls("--from", "1d"))


def test_status_is_a_page_for_people_and_an_object_for_programs(deck):
    page = deck.run("status", "--format", "table")
    status = deck.json("status")
    assert f"store      {deck.store}" in page and "calls      11: " in page and "up to date" in page
    assert status["archive"]["writers"] and status["archive"]["writers"][0]["writer"] in page
    assert status["index"]["bytes"] == (deck.store / "catalogue.sqlite").stat().st_size
    assert f"prices {status['versions']['prices']}" in page
    assert "| calls.total | 11 |" in deck.run("status", "--format", "markdown")


# MARK: Terminals

def test_a_pager_gets_tables_on_a_terminal_only(deck, tmp_path):
    mark = f"sed s/^/paged:/ | tee {tmp_path}/seen"
    shown = on_terminal(deck, "calls", PAGER=mark)
    assert shown.count("paged:") == 12 and shown == (tmp_path / "seen").read_text()
    (tmp_path / "seen").unlink()
    deck.run("calls", "--format", "table")
    for pager in ["", "cat", "no-such-pager -x"]:
        assert "paged:" not in on_terminal(deck, "calls", PAGER=pager) and on_terminal(deck, "calls", PAGER=pager)
    assert "paged:" not in on_terminal(deck, "calls", "--format", "ndjson", PAGER=mark)
    assert not (tmp_path / "seen").exists()
    # A pager that is left early is no failure, and an error keeps its code.
    on_terminal(deck, "calls", PAGER="head -1")
    on_terminal(deck, "show", "nothing", PAGER=mark, code=1)


def test_without_a_pager_named_less_gets_what_does_not_fit(deck, tmp_path):
    less = tmp_path / "less"
    less.write_text("#!/bin/sh\necho less: $* $LESS\nexec cat\n")
    less.chmod(0o755)
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "PAGER": None, "TERM": "xterm", "LESS": None}
    assert on_terminal(deck, "calls", rows=8, columns=200, **environment).startswith("less: -FRX FRX\n")
    assert "less:" not in on_terminal(deck, "calls", rows=40, columns=200, **environment)


def test_a_table_fits_the_terminal_with_wide_characters_and_without_colour(deck):
    shown = on_terminal(deck, "calls", columns=240, NO_COLOR="1", PAGER="cat")
    assert "\x1b" not in shown and "\x1b[1m" in on_terminal(deck, "calls", columns=240, PAGER="cat")
    def width(line):
        return sum(2 if 0x1100 <= ord(c) <= 0x115F or 0x2E80 <= ord(c) <= 0xFFFF and ord(c) < 0xFE00 else 1 for c in line)
    assert all(width(line) <= 240 for line in shown.splitlines())


# MARK: Help

def commands():
    dump = json.loads(subprocess.run([BIN / "tapedeck-live", "--experimental-dump-help"], capture_output=True, check=True).stdout)
    def walk(command, path):
        children = [c for c in command.get("subcommands", []) if c["commandName"] != "help"]
        yield path, command
        for child in children:
            yield from walk(child, path + [child["commandName"]])
    return [(path, command) for path, command in walk(dump["command"], []) if path]


COMMANDS = commands()


@pytest.mark.parametrize("path, command", COMMANDS, ids=[" ".join(path) for path, _ in COMMANDS])
def test_the_help_of_every_command_has_an_example(deck, path, command):
    text = deck.run(*path, "--help")
    assert f"tapedeck {' '.join(path)}" in text.split("USAGE:")[0] and "Example:" in text, text
    assert f"USAGE: tapedeck {' '.join(path)}" in text and "--version" in text, text
    # One that is broken into two lines cannot be pasted.
    for example in (line for line in command.get("discussion", "").splitlines() if line.startswith("Example:")):
        assert len(example) <= 80 and example in text, example


@pytest.mark.parametrize("arguments, says", [
    (["calls", "--identiti", "x"], "--identity"), (["calls", "--frm", "7d"], "--from"), (["usage", "--byy", "day"], "--by"),
    (["serve", "--upstreem", "http://x"], "--upstream"), (["show", "@1", "--ful"], "--full"), (["cals"], "calls"),
    (["exprt", "--to", "csv"], "export"),
])
def test_what_is_nearly_right_is_suggested(deck, arguments, says):
    deck.run(*arguments, code=64)
    assert says in deck.stderr, deck.stderr


def test_prefixes_of_several_calls_list_them(deck):
    ids = [call["call_id"] for call in deck.calls()]
    common = os.path.commonprefix(ids)
    deck.run("show", common, code=64)
    assert "may mean several calls" in deck.stderr and ids[0] in deck.stderr


def test_there_is_a_man_page_of_every_command(tmp_path):
    subprocess.run([sys.executable, ROOT / "Sources/TapeCommands/manual.py", BIN / "tapedeck-live", tmp_path], check=True)
    assert {page.stem for page in tmp_path.iterdir()} == {"tapedeck", *("-".join(["tapedeck", *path]) for path, _ in COMMANDS)}
    for path, command in COMMANDS:
        text = (tmp_path / ("-".join(["tapedeck", *path]) + ".1")).read_text()
        assert text.startswith(".TH ") and ".SH SYNOPSIS" in text
        for argument in command.get("arguments", []):
            for name in argument.get("names") or []:
                if argument.get("shouldDisplay", True) and name["kind"] == "long":
                    assert "\\-\\-" + name["name"].replace("-", "\\-") in text


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completions_know_every_command(shell):
    text = subprocess.run([BIN / "tapedeck-live", "--generate-completion-script", shell], capture_output=True, check=True, text=True).stdout
    for path, _ in COMMANDS:
        assert re.search(rf"\b{re.escape(path[-1])}\b", text), path
    if shell == "bash":
        subprocess.run(["bash", "-n"], input=text, text=True, check=True)


# MARK: run

CLIENT = """
import json, os, sys, urllib.request
for key in sys.argv[2:]:
    body = json.dumps({"key": key, "stream": True, "identity": {"id": "ada"}}).encode()
    call = urllib.request.Request(os.environ[sys.argv[1]] + "/v2/deployments/stream", body, {"Content-Type": "application/json"})
    try: print(len(urllib.request.urlopen(call).read()))
    except urllib.error.HTTPError as error: print(error.code)
sys.exit(3)
"""


def test_a_command_is_recorded_and_its_code_kept(tapedeck, upstream):
    out = tapedeck.run("run", "--upstream", upstream.url, "--", sys.executable, "-c", CLIENT, "ORQ_BASE_URL", "text", "unauthorized", code=3)
    assert len(out.split()) == 2 and out.split()[1] == "401"
    assert "2 calls taped in" in tapedeck.stderr and "cost" in tapedeck.stderr, tapedeck.stderr
    assert [call["state"] for call in tapedeck.calls("--sort", "oldest")] == ["done", "upstream_error"]
    tapedeck.run("run", "--upstream", upstream.url, "--", sys.executable, "-c", CLIENT, "TAPEDECK_PROXY_URL", "text", code=3)
    assert "1 call taped in" in tapedeck.stderr, "calls of before are not those of the command"


def test_base_urls_end_as_sdks_want_them(tapedeck, upstream):
    def variables(url):
        shown = tapedeck.run("run", "--upstream", url, "--", "env")
        return {name: re.sub(r":\d+", ":P", value) for name, _, value in (line.partition("=") for line in shown.splitlines())}
    plain = variables(upstream.url)
    assert plain["OPENAI_BASE_URL"] == "http://127.0.0.1:P/v1" and plain["ANTHROPIC_BASE_URL"] == plain["ORQ_BASE_URL"] == "http://127.0.0.1:P"
    assert variables(upstream.url + "/v1")["OPENAI_BASE_URL"] == "http://127.0.0.1:P"
    assert variables("https://api.orq.ai")["OPENAI_BASE_URL"] == "http://127.0.0.1:P/v2/router"
    assert "no call came through the proxy" in tapedeck.stderr


@pytest.mark.parametrize("script, code", [("kill -TERM $$", 143), ("kill -9 $$", 137), ("exit 0", 0), ("exit 77", 77)])
def test_the_code_of_a_command_is_that_of_run(tapedeck, upstream, script, code):
    tapedeck.run("run", "--upstream", upstream.url, "--", "sh", "-c", script, code=code)


def test_a_command_that_cannot_run(tapedeck, upstream):
    tapedeck.run("run", "--upstream", upstream.url, "--", "no-such-program", code=127)
    assert "cannot run no-such-program" in tapedeck.stderr
    tapedeck.run("run", "--upstream", upstream.url, "--", "/etc/hostname", code=126)
    tapedeck.run("run", "--upstream", upstream.url, code=64)


@pytest.mark.parametrize("number, code", [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGHUP, 129), (signal.SIGQUIT, 131)])
def test_a_command_is_told_to_end(tapedeck, upstream, number, code):
    process = tapedeck.popen("run", "--upstream", upstream.url, "--", "sh", "-c", "echo ready; exec sleep 60", stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"ready\n"
    process.send_signal(number)
    assert process.wait(30) == code


# MARK: Without a stdout

@pytest.mark.parametrize("closed", [">&-", ">&- 2>&- <&-"])
def test_what_is_closed_gets_nothing_and_no_file_takes_its_place(deck, closed):
    before = {path: path.read_bytes() for path in deck.store.rglob("*") if path.is_file()}
    script = f'exec "$@" {closed}'
    for command in (["calls"], ["status"], ["export", "--to", "csv"], ["show", "@1"]):
        deck.run(*command, prefix=["sh", "-c", script, "_"], code=2)
        assert "cannot write to stdout" in deck.stderr or "2>" in closed
    assert {path: path.read_bytes() for path in before} == before


# MARK: What was recorded may be meant for the terminal

EVIL = "x\x1b]0;title\x07\x1b[31m\u202e\u2066\u009b2J\u2028数据✅\n| y"


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    """Three calls with such a text in every name that a request or a stream can give."""
    folder = tmp_path_factory.mktemp("hostile")
    deck = Tapedeck(folder / "store")
    start = 1_795_176_000_000_000_000
    def call(number, text):
        at = start + number * 10**9
        chunk = {"id": f"r{number}{text}", "model": f"m{text}", "provider": f"p{text}", "is_final": True,
                 "telemetry": {"trace_id": f"t{EVIL}", "span_id": f"s{number}{text}"}, "usage": {"prompt_tokens": 1, "completion_tokens": 1},
                 "choices": [{"index": 0, "finish_reason": text, "message": {"role": "assistant", "content": f"refund {text}", "reasoning": text,
                              "tool_calls": [{"index": 0, "id": text, "function": {"name": text, "arguments": text}}]}}]}
        request = {"key": f"k{text}", "identity": {"id": f"i{text}", "display_name": text}, "thread": {"id": f"h{EVIL}", "tags": [text]},
                   "metadata": {text: text}, "messages": [{"role": text, "content": text}], text: text}
        lines = [{"t_ns": at, "ev": "open", "request": request}, {"t_ns": at + 10**7, "ev": "frame", "raw": f"data: {json.dumps(chunk)}\n\n"},
                 {"t_ns": at + 10**9, "ev": "end", "how": "error"}]
        return "".join(json.dumps({"call": number, **line}) + "\n" for line in lines)
    (folder / "evil.jsonl").write_text(call(0, EVIL) + call(1, "plain") + call(2, EVIL + EVIL))
    deck.run("import", folder / "evil.jsonl")
    return deck


@pytest.mark.parametrize("form", ["table", "json", "ndjson", "csv", "markdown"])
@pytest.mark.parametrize("command", [
    ["calls"], ["show", "@1"], ["thread", "@1"], ["trace", "@1"], ["frames", "@1"], ["events", "@1"], ["diff", "@3", "@2"],
    ["search", "refund"], ["usage", "--by", "identity,thread,tag,model,provider,deployment"], ["status"], ["verify"],
], ids=lambda command: command[0])
def test_a_terminal_obeys_nothing_that_was_recorded(hostile, command, form):
    shown = on_terminal(hostile, *command, "--format", form, columns=80, PAGER="cat")
    # Lines of CSV end in CR LF.
    ours = re.sub(r"\x1b\[[0-9;]*m", "", shown).replace("\r\n", "\n")
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]", ours), repr(ours)
    assert "\x1b" not in on_terminal(hostile, *command, "--format", form, columns=80, PAGER="cat", NO_COLOR="1")


@pytest.mark.parametrize("columns", [60, 80, 200])
@pytest.mark.parametrize("command", [["calls"], ["search", "refund"], ["diff", "@3", "@2"], ["usage", "--by", "model"]], ids=lambda c: c[0])
def test_tables_fit_the_terminal_whatever_was_recorded(hostile, command, columns):
    shown = on_terminal(hostile, *command, columns=columns, PAGER="cat", NO_COLOR="1")
    def width(line):
        return sum(0 if unicodedata.category(c) in ("Mn", "Me", "Cf") else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in line)
    lines = [line for line in shown.splitlines() if not line.startswith("tapedeck: ")]
    assert lines and max(map(width, lines)) <= columns, lines


def test_a_narrow_search_shows_the_match(hostile):
    shown = on_terminal(hostile, "search", "y", columns=60, PAGER="cat", NO_COLOR="1")
    assert shown.count("⟦y⟧") >= 4
