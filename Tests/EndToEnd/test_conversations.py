"""A thread as a conversation, a trace as a waterfall, two calls side by side, a message typed again."""

import json
import os
import pty
import struct
import subprocess

import pytest

from conftest import BIN, Tapedeck

try:
    import fcntl
    import termios
except ImportError:  # pragma: no cover
    pytest.skip("terminals of Unix only", allow_module_level=True)

START = 1_795_176_000_000_000_000  # 2026-11-20T12:00:00Z
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


class Capture:
    """A timed capture, made call by call."""

    def __init__(self):
        self.lines, self.calls = [], 0

    def call(self, at_ms, request, pieces, how="done", span=None, parent=None, trace=None, first_ms=200, gap_ms=20,
             gaps={}, tools=(), reasoning=(), model="gpt-4o-mini", usage=None):
        self.calls += 1
        number, at = self.calls, START + at_ms * 1_000_000
        trace = trace or f"{0xabc0000 + number:032x}"
        base = {"id": f"RESPONSE{number:04}", "object": "chat", "model": model, "provider": "openai",
                "telemetry": {"trace_id": trace, "span_id": span or f"{number:016x}"}}
        opened = {"t_ns": at, "call": number, "ev": "open", "request": request, "path": "/v2/deployments/stream"}
        if parent:
            opened["headers"] = [["traceparent", f"00-{trace}-{parent}-01"]]
        self.lines.append(opened)
        messages = [{"type": "content", "role": "assistant", "reasoning": text} for text in reasoning]
        messages += [{"type": "content", "role": "assistant", "content": text} for text in pieces]
        messages += [{"type": "tool_calls", "tool_calls": [{"index": index, "id": f"c{index}", "type": "function",
                      "function": {"name": name, "arguments": arguments}}]} for index, (name, arguments) in enumerate(tools)]
        frames = [json.dumps({**base, "is_final": False, "choices": [{"index": 0, "message": message}]}, ensure_ascii=False)
                  for message in messages]
        if how == "done":
            final = {**base, "is_final": True, "choices": [{"index": 0, "message": {"content": ""}, "finish_reason": "stop"}]}
            if usage:
                final["usage"] = {"prompt_tokens": usage[0], "completion_tokens": usage[1], "total_tokens": sum(usage)}
            frames += [json.dumps(final), "[DONE]"]
        elif how == "error":
            frames.append(json.dumps({"error": {"code": 429, "message": "Rate limit exceeded at the provider"}}))
        at += first_ms * 1_000_000
        for index, data in enumerate(frames):
            self.lines.append({"t_ns": at, "call": number, "ev": "frame", "raw": f"data: {data}\n\n"})
            at += gaps.get(index, gap_ms) * 1_000_000
        self.lines.append({"t_ns": at, "call": number, "ev": "end", "how": "done" if how == "error" else how})

    def write(self, path):
        lines = sorted(self.lines, key=lambda line: line["t_ns"])
        path.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines))


def words(text):
    return [word if index == 0 else " " + word for index, word in enumerate(text.split(" "))]


def say(role, content):
    return {"role": role, "content": content}


SYSTEM = say("system", "You are a travel assistant. Answer in at most two sentences.")
LISBON = "Lisbon is lovely in spring: mild days, quiet streets."


def chat(*messages):
    return {"key": "assistant", "messages": [SYSTEM, *messages], "thread": {"id": "trip_17"}, "identity": {"id": "user_ada"}}


def record_conversation(capture):
    april, may = say("user", "Where should I go in April?"), say("user", "Where should I go in late May, with two children?")
    lisbon, warm = say("assistant", LISBON), say("user", "How warm is it there?")
    capture.call(0, chat(april), words(LISBON), usage=(36, 12))
    capture.call(5_000, chat(april, lisbon, warm), words("About 20 degrees by day, 13 at night. 四月的里斯本阳光明媚。"), usage=(61, 28))
    capture.call(9_000, chat(april, lisbon, warm), words("Around 20 degrees"), how="cut")
    capture.call(14_000, chat(may, lisbon, warm, say("assistant", "Around 20 degrees"), say("user", "Find me a train. \x1b[31m\x07")), [],
                 tools=[("find_trains", '{"from":"Amsterdam","to":"Lisbon"}')], usage=(104, 17))


def record_trace(capture):
    capture.call(60_000, {"key": "planner"}, words("I will plan this in three steps, one after the other."), trace=TRACE,
                 span="00f067aa0ba902b7", parent="b7ad6b7169203331", first_ms=300, usage=(90, 20))
    capture.call(60_800, {"key": "weather"}, words("Sunny and warm."), trace=TRACE, span="a000000000000001",
                 parent="00f067aa0ba902b7", first_ms=150, gaps={0: 1200}, usage=(90, 21))
    capture.call(60_900, {"key": "find-trains"}, words("Several."), how="error", trace=TRACE, span="a000000000000002",
                 parent="00f067aa0ba902b7", first_ms=400, model="gpt-4o")
    capture.call(61_000, {"key": "旅行助手"}, words("数据 处理"), trace=TRACE, span="a000000000000003",
                 parent="a000000000000001", first_ms=90)
    capture.call(63_000, {"key": "writer"}, words("Here is the plan for your trip."), how="timeout", trace=TRACE,
                 span="a000000000000004", parent="b7ad6b7169203331", first_ms=500, gaps={6: 3000})


@pytest.fixture(scope="module")
def deck(tmp_path_factory):
    path = tmp_path_factory.mktemp("conversations")
    deck = Tapedeck(path / "store")
    capture = Capture()
    record_conversation(capture)
    record_trace(capture)
    capture.call(90_000, {"key": "maths"}, words("It is 4."), reasoning=["Two ", "and two"], tools=[("add", '{"a":2,"b":2}')])
    capture.write(path / "calls.jsonl")
    deck.run("import", path / "calls.jsonl")
    return deck


def on_terminal(deck, columns, *arguments, **environment):
    """What a terminal of so many columns is sent."""
    main, other = pty.openpty()
    fcntl.ioctl(other, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    process = subprocess.Popen([BIN / "tapedeck", *arguments], stdout=other, env=deck.environment(**environment))
    os.close(other)
    text = b""
    try:
        while data := os.read(main, 65_536):
            text += data
    except OSError:
        pass
    os.close(main)
    assert process.wait(30) == 0
    return text.decode().replace("\r\n", "\n")


def page(text):
    return text.strip("\n").split("\n")


def widths(text):
    """Columns of each line; the tests' wide characters are Chinese."""
    return [sum(2 if "\u2e80" <= character <= "\uffe6" else 1 for character in line) for line in text.split("\n")]


def test_a_thread_has_what_is_new_in_each_call(deck):
    rows = deck.json("thread", "trip_17")
    assert [row["history"] for row in rows] == ["first", "resent", "retry", "edited"]
    assert [[message["content"] for message in row["messages"]] for row in rows] == [
        [SYSTEM["content"], "Where should I go in April?"], ["How warm is it there?"], [], ["Find me a train. \x1b[31m\x07"]]
    assert [(change["kind"], change["position"]) for change in rows[3]["changes"]] == [("edited", 1)]
    assert [row["running"]["total_tokens"] for row in rows] == [48, 137, 137, 258]
    assert rows[3]["running"]["cost_usd"] == deck.json("usage", "--thread", "trip_17", "--totals")[-1]["cost_usd"]
    assert [json.loads(line) for line in deck.run("thread", "trip_17").splitlines()] == rows
    assert deck.json("thread", "@7") == rows and deck.run("thread", "trip_17", "--format", "csv").count("\r\n") == 5


def test_a_thread_reads_as_a_conversation(deck):
    text = on_terminal(deck, 60, "thread", "trip_17", NO_COLOR="1")
    ids = [row["call_id"] for row in deck.json("thread", "trip_17")]
    assert page(text) == page(f"""
#1  2026-11-20 12:00:00  assistant  gpt-4o-mini  user_ada
  {ids[0]}
  system       You are a travel assistant. Answer in at most
               two sentences.
  user         Where should I go in April?
  assistant    Lisbon is lovely in spring: mild days, quiet
               streets.
  36 + 12 tokens, $0.0000126 · so far 48 tokens, $0.0000126

#2  2026-11-20 12:00:05  assistant  gpt-4o-mini  user_ada
  {ids[1]}
  user         How warm is it there?
  assistant    About 20 degrees by day, 13 at night. 四月的
               里斯本阳光明媚。
  61 + 28 tokens, $0.00002595 · so far 137 tokens,
  $0.00003855

#3  2026-11-20 12:00:09  assistant  gpt-4o-mini  user_ada
  {ids[2]}  client_abort
  ~ asked again: the messages are those of the call before
  assistant    Around 20 degrees
  usage unknown · so far 137 tokens, $0.00003855, 1 call
  without figures

#4  2026-11-20 12:00:14  assistant  gpt-4o-mini  user_ada
  {ids[3]}
  ~ the history was edited
  ~ user       Where should I go in [-April-]{{+late May,
               with two children+}}?
  user         Find me a train. \\u{{1b}}[31m\\u{{7}}
  assistant    → find_trains({{"from":"Amsterdam","to":"Lisbo
               n"}})
  104 + 17 tokens, $0.0000258 · so far 258 tokens,
  $0.00006435, 1 call without figures
""")
    assert max(widths(text)) <= 60


def test_a_trace_is_a_waterfall(deck):
    rows = deck.json("trace", TRACE)
    assert [row["depth"] for row in rows] == [0, 1, 2, 1, 0]
    assert rows[1]["stalls"] == [{"frame": 1, "offset_ms": 1350, "gap_ms": 1200}]
    assert rows[4]["stalls"] == [{"frame": None, "offset_ms": 3620, "gap_ms": 3000}]
    text = on_terminal(deck, 80, "trace", TRACE, NO_COLOR="1")
    assert page(text) == page(f"""
trace {TRACE} · 5 calls · 6620 ms · 221 tokens ·
$0.0000516 · 2 failed
CALL                          START     TOOK  0             3310 ms      6620 ms
span b7ad6b7169203331, not recorded
├ planner gpt-4o-mini             0   560 ms  ░◆█
│ ├ weather gpt-4o-mini      800 ms  1430 ms      ◆┄┄┄┄┄┄█
│ │ │ ┄ stalled 1200 ms, until frame 1 at 1350 ms
│ │ └ 旅行助手 gpt-4o-mini  1000 ms   170 ms       ◆█
│ └ find-trains gpt-4o       900 ms   440 ms      ░░✗
│     ✗ upstream_error: Rate limit exceeded at the provider
└ writer gpt-4o-mini        3000 ms  3620 ms                 ░░◆█┄┄┄┄┄┄┄┄┄┄┄┄┄┄✗
    ┄ silent for 3000 ms until it ended
    ✗ timeout
░ waiting  ◆ first content  █ streaming  ┄ stalled 500 ms or more  ✗ not done
""")
    assert max(widths(text)) <= 80
    assert "00f067aa0ba902b7" in on_terminal(deck, 120, "trace", TRACE) and "\x1b[33m┄" in on_terminal(deck, 120, "trace", TRACE)
    assert not deck.json("trace", TRACE, "--stalls", "2s")[1]["stalls"]


def test_two_calls_side_by_side(deck):
    thread = [row["call_id"] for row in deck.json("thread", "trip_17")]
    value = deck.json("diff", thread[1], thread[2])
    parts = value["choices"][0]["content"]["parts"]
    assert "".join(part["text"] for part in parts if part["op"] != "removed") == "Around 20 degrees"
    assert value["request"] == {"same": True, "differs": []} and value["usage"]["b"] is None
    text = on_terminal(deck, 90, "diff", thread[1], thread[2], NO_COLOR="1")
    assert "[-About-]{+Around+} 20 degrees[- by day, 13 at night. 四月的里斯本阳光明媚。-]" in text.replace("\n             ", "")
    assert max(widths(text)) <= 90
    coloured = on_terminal(deck, 90, "diff", thread[1], thread[2])
    assert "\x1b[31mAbout\x1b[0m\x1b[32mAround\x1b[0m" in coloured
    assert deck.json("diff", "@1", "@1")["same"] is True


def test_silences_at_the_ends_are_told(deck):
    deck.run("frames", "@2", "--stalls", "1s", code=1)
    assert "after the last frame nothing came for 3000 ms" in deck.stderr
    assert [row["gap_ns"] for row in deck.json("frames", "a000000000000001", "--stalls", "500ms")] == [1_200_000_000]
    deck.run("frames", "@2", "--stalls", "300ms", code=1)
    assert "the first frame came after 500 ms" in deck.stderr


def test_a_message_is_typed_again(deck):
    typed = "Two and two\n\nIt is 4.\n→ add({\"a\":2,\"b\":2})\n"
    assert deck.run("replay", "@1", "--as", "text", "--pace", "instant") == typed
    coloured = on_terminal(deck, 80, "replay", "@1", "--pace", "20x")
    assert coloured == typed.replace("Two and two", "\x1b[2mTwo \x1b[0m\x1b[2mand two\x1b[0m")
    assert on_terminal(deck, 80, "replay", "@1", "--pace", "20x", NO_COLOR="1") == typed
    deck.run("replay", "@2", "--as", "text", "--pace", "100x")
    assert "here it ended as timeout" in deck.stderr


@pytest.mark.parametrize("arguments, code, words", [
    (["thread", "trip"], 1, "there is trip_17"), (["thread", "nobody"], 1, "no call of the thread 'nobody'"),
    (["thread", "@1"], 1, "is of no thread"), (["trace", "4bf9"], 1, f"there is {TRACE}"), (["trace", "@99"], 1, "no call @99"),
    (["trace", TRACE, "--stalls", "soon"], 64, "--stalls"), (["diff", "@1"], 64, "takes two calls"),
    (["diff", "@1", "@2", "@3"], 64, "takes two calls"), (["diff", "@1", "nope"], 1, "no call 'nope'"),
    (["diff", "@1", "01M7W"], 64, "may mean several calls: 01M7W"), (["thread"], 64, "thread"),
    (["replay", "@1", "--pace", "soon"], 64, "--pace takes"),
])
def test_what_cannot_be_found_or_read_is_said(deck, arguments, code, words):
    assert deck.run(*arguments, code=code) == ""
    assert words in deck.stderr


@pytest.mark.parametrize("command", ["thread", "trace", "diff", "frames", "replay"])
def test_help_has_an_example(deck, command):
    assert f"Example: tapedeck {command} " in " ".join(deck.run(command, "--help").split())
