"""What scripts rely on: the keys in schema/cli.md are the keys that the program prints, in that order."""

import json
import pathlib
import re

import pytest

from conftest import Tapedeck

PAGE = pathlib.Path(__file__).parent.parent.parent / "schema" / "cli.md"


@pytest.fixture(scope="module")
def deck(tmp_path_factory):
    deck = Tapedeck(tmp_path_factory.mktemp("demo") / "store")
    deck.run("demo", "--store", deck.store)
    return deck


def documented(name):
    """The keys of a code block marked `keys: NAME`, as nested dictionaries."""
    block = re.search(rf"<!-- keys: {name} -->\n```\w*\n(.*?)```", PAGE.read_text(), re.S)[1]
    block = re.sub(r':\s*"[^"]*"', "", block)  # values that are words
    tokens = re.findall(r'"([^"]+)"|([{}\[\]])', block)
    root, stack, last = {}, [], None
    for key, mark in tokens:
        if key:
            stack[-1][key] = {}
            last = stack[-1][key]
        elif mark == "{":
            stack.append(last if stack and last is not None else root)
            last = None
        elif mark == "}":
            last = stack.pop()
    return root


def merged(value):
    """The keys of a value, all elements of a list taken together."""
    if isinstance(value, dict):
        return {key: merged(child) for key, child in value.items()}
    keys = {}
    for element in value if isinstance(value, list) else []:
        union(keys, merged(element))
    return keys


def union(into, more):
    for key, child in more.items():
        union(into.setdefault(key, {}), child)


MAY_COME = {"refusal", "type", "thought_signature"}  # in choices and tool calls, where the stream had them
OPEN = {"request", "extra", "retrievals", "group", "inputs"}  # what is in them is not ours


def compare(printed, page, path=""):
    assert [key for key in printed if key in page or key not in MAY_COME] == list(page), path
    for key in page:
        if key not in OPEN and printed[key]:
            compare(printed[key], page[key], f"{path}.{key}")
    return True


def test_show_has_the_documented_keys_in_their_order(deck):
    page = documented("show")
    assert len(page) == 32 and page["usage"] and page["choices"]["tool_calls"]
    seen = {}
    for call in deck.calls():
        shown = deck.show(call["call_id"])
        compare(merged(shown), page)
        union(seen, merged(shown))
    for key in ("error", "choices", "usage", "defects", "cost", "cost_unknown", "timings", "archive"):
        assert list(seen[key]) == list(page[key]), f"no call of the demo has {key}"


def test_calls_have_the_keys_of_show_without_the_large_ones_and_with_text(deck):
    page = [key for key in documented("show") if key not in {"request", "choices", "retrievals", "extra"}]
    for call in deck.calls():
        assert [key for key in call if key != "text"] == page and "text" in call


def test_usage_has_the_documented_keys_in_their_order(deck):
    rows = deck.json("usage", "--by", "identity,day", "--totals")
    for row in rows:
        assert list(row) == list(documented("usage"))
    assert list(rows[0]["group"]) == ["identity", "day"] and rows[-1]["group"] == {}


def test_a_thread_and_a_diff_have_the_documented_keys(deck):
    page = documented("thread")
    for key in ("choices", "error", "usage", "cost", "cost_unknown", "timings"):
        page[key] = documented("show")[key]
    for thread in ("thread_paris", "thread_numbers", "thread_story"):
        for row in deck.json("thread", thread):
            compare(merged(row), page)
    page = documented("diff")
    for key in ("reasoning", "refusal"):
        page["choices"][key] = page["choices"]["content"]
    for side in ("a", "b"):
        page[side]["error"], page["usage"][side] = documented("show")["error"], documented("show")["usage"]
    for calls in (["@1", "@2"], ["@3", "@9"], ["@8", "@7"]):
        compare(merged(deck.json("diff", *calls)), page)


def test_a_trace_has_the_documented_keys(deck):
    page = documented("trace")
    for key in ("error", "usage", "cost", "cost_unknown"):
        page[key] = documented("show")[key]
    for number in range(1, 12):
        if number != 3:  # no telemetry in a refusal
            compare(merged(deck.json("trace", f"@{number}", "--stalls", "50ms")), page)


SMALLER = {
    "frames": ["frames", "@1"], "events": ["events", "@1"], "status": ["status"], "prices": ["prices", "list"],
    "search": ["search", "refund"], "prices-show": ["prices", "show", "deepseek-v4-pro"],
    "cost": ["prices", "cost", "--provider", "openai", "--model", "gpt-4o", "--prompt", "1", "--completion", "1"],
}


@pytest.mark.parametrize("name, arguments", SMALLER.items())
def test_the_smaller_shapes(deck, name, arguments):
    value = deck.json(*arguments)
    compare(merged(value), documented(name))


def test_a_bill_has_the_documented_keys(deck, tmp_path):
    (tmp_path / "bill.csv").write_text("day,model,tokens,usd\n2026-11-20,gpt-4o,1,1\n")
    for row in deck.json("usage", "--against", tmp_path / "bill.csv"):
        assert list(row) == list(documented("usage-against"))


def test_the_shapes_of_trust(deck, tmp_path):
    compare(merged(deck.json("verify")), documented("verify"))
    compare(merged(deck.json("verify", "@1")), documented("verify-call"))
    deck.run("seal")
    compare(merged(deck.json("verify")), documented("verify"))
    (tmp_path / "proof").write_text(deck.run("proof", "@1"))
    compare(merged(deck.json("proof", "--check", tmp_path / "proof")), documented("proof-check"))


def dotted(page):
    """The names of the columns that nested keys become."""
    return [f"{key}.{child}" if child else key for key in page for child in (dotted(page[key]) or [""])]


def test_every_format_is_printed(deck):
    rows = [json.loads(line) for line in deck.run("calls", "--format", "ndjson").splitlines()]
    assert rows == deck.calls() and len(rows) == 11
    header, *lines = deck.run("calls", "--format", "csv").splitlines()
    assert len(lines) == 11
    page = {key: keys for key, keys in documented("show").items() if key not in {"request", "choices", "retrievals", "extra"}}
    page["defects"] = {}
    flat = dotted(page)
    assert header.split(",") == flat + ["text"]
    # The columns are the same where no call has usage, cost or error.
    assert deck.run("calls", "--deployment", "cuts-midway", "--format", "csv").splitlines()[0] == header
    usage = deck.run("usage", "--by", "identity", "--totals", "--format", "csv").splitlines()
    assert usage[0].startswith("group.identity,calls,errors,") and usage[-1].startswith("total,11,")
    assert deck.run("calls", "--format", "markdown").startswith("| CALL | STARTED |")
    assert deck.run("calls", "--format", "table").startswith("CALL ")
