"""Prices and costs from the command line: the vectors, a store's own prices, budgets and bills."""

import datetime
import json
import pathlib
import subprocess
from decimal import Decimal

import pytest


ROOT = pathlib.Path(__file__).parent.parent
TABLE = ROOT.parent / "schema" / "prices.json"
VECTORS = json.loads((ROOT / "Vectors" / "cost.json").read_text())["vectors"]
GPT4O = ("--provider", "openai", "--model", "gpt-4o", "--prompt", 1000, "--completion", 500)


def calls(path, *rows):
    """A capture: rows of (start as RFC 3339 seconds of 2026-11-20, provider, model, usage)."""
    with path.open("w") as file:
        for number, (second, provider, model, usage) in enumerate(rows):
            start = (1_795_176_000 + second) * 10**9  # noon
            chunk = {"id": f"r{number}", "provider": provider, "model": model, "is_final": True, "usage": usage, "choices": []}
            for event in ({"ev": "open", "request": {"key": "k", "inputs": {"n": number}}},
                          {"ev": "frame", "raw": f"data: {json.dumps(chunk)}\n\n"}, {"ev": "frame", "raw": "data: [DONE]\n\n"},
                          {"ev": "end", "how": "done"}):
                file.write(json.dumps({"t_ns": start, "call": number, **event}) + "\n")
    return path


def usage(prompt, completion, **more):
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion, **more}


DAY = 86_400


@pytest.fixture
def deck(tapedeck, tmp_path):
    """Four calls that have a price (0.00045 + 0.000055, 0.000055, 0.0000048 USD) and three that have none."""
    tapedeck.run("import", calls(
        tmp_path / "calls.jsonl", (0, "openai", "gpt-4o", usage(100, 20)), (60, "openai", "gpt-4o", usage(10, 3)),
        (DAY, "openai", "gpt-4o", usage(10, 3)), (DAY, "openai", "gpt-4o-mini", usage(20, 3)),
        (DAY, "nowhere", "nobody-9", usage(7, 1)), (DAY, "openai", "gpt-4o", None),
        (DAY, "openai", "gpt-4o", usage(5, 3, prompt_tokens_details={"cached_tokens": 9}))))
    return tapedeck


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_cost_is_that_of_every_vector(tapedeck, vector):
    if vector.get("not_binding"):
        return
    flags = ["--provider", vector["provider"], "--model", vector["model"], "--at", vector["at"]]
    for key, value in vector["usage"].items():
        flags += [f"--{key}", value] if value is not None else []
    cost = tapedeck.json("prices", "cost", *flags, code=0 if vector["want"] else 1)
    assert (cost and cost["total_usd"]) == vector["want"]
    if cost is None:
        assert "the cost is not known: " in tapedeck.stderr
    else:
        parts = [cost[key] for key in ("input_usd", "cached_usd", "output_usd", "reasoning_usd", "request_usd")]
        assert sum(Decimal(part) for part in parts if part) == Decimal(cost["total_usd"])


@pytest.mark.parametrize("flags, code, words", [
    (["--prompt", "5"], 1, "completion tokens are unknown"), ([*GPT4O, "--cached", "1001"], 1, "cached tokens (1001)"),
    ([*GPT4O, "--reasoning", "501"], 1, "reasoning tokens (501)"), ([*GPT4O[:4], "--prompt", "-5", "--completion", "1"], 1, "-5"),
    (["--prompt", "many"], 64, "many"), ([*GPT4O, "--at", "someday"], 64, "someday"), ([*GPT4O, "--prompts", "1"], 64, "--prompts"),
])
def test_what_cannot_be_priced_says_why(tapedeck, flags, code, words):
    out = tapedeck.run("prices", "cost", *flags, "--format", "json", code=code)
    assert words in tapedeck.stderr and out == ("null\n" if code == 1 else "")


def test_every_figure_explains_itself(deck):
    shown = {call["response_id"]: deck.show(call["call_id"]) for call in deck.calls()}
    cost = shown["r0"]["cost"]
    assert shown["r0"]["usage"]["frame"] == 0 and shown["r0"]["cost_unknown"] is None
    assert (cost["total_usd"], cost["price_model"], cost["price_version"]) == ("0.00045", "openai/gpt-4o", "genai-prices 0.2.3")
    assert cost["rates"]["input_usd"] == "2.5" and cost["rates"]["output_usd"] == "10"
    assert any("service tier" in note for note in cost["notes"])
    page = deck.run("show", shown["r0"]["call_id"], "--format", "table")
    assert "$0.00045 = (100 × 2.5 + 20 × 10) ÷ 1,000,000" in page and "openai/gpt-4o, prices genai-prices 0.2.3" in page
    assert "(frame 0)" in page
    why = {name: call["cost_unknown"] and call["cost_unknown"]["reason"] for name, call in shown.items()}
    assert why == {"r0": None, "r1": None, "r2": None, "r3": None, "r4": "unknown_provider", "r5": "no_usage", "r6": "bad_usage"}
    assert "unknown: no prices for provider nowhere" in deck.run("show", shown["r4"]["call_id"], "--format", "table")


def test_usage_counts_what_it_could_not_price_and_why(deck):
    total = deck.json("usage", "--totals")[-1]
    assert total["cost_usd"] == "0.0005648" and total["calls"] == 7
    assert (total["calls_without_usage"], total["calls_without_price"]) == (1, 2)
    assert total["unpriced"] == {"no_usage": 1, "bad_usage": 1, "unknown_provider": 1, "unknown_model": 0, "no_rate": 0}
    assert Decimal(total["input_usd"]) + Decimal(total["output_usd"]) == Decimal("0.0005648")
    assert "service tier" in total["not_in_usage"]
    assert "no cost for 1 call of nowhere/nobody-9: no prices for provider nowhere" in deck.stderr
    table = deck.run("usage", "--format", "table")
    assert "NOT PRICED" in table and "1 unknown provider" in table
    assert "service tier" in deck.stderr


def test_a_budget_that_is_passed_exits_with_2_after_the_report(deck):
    report = deck.run("usage", "--budget", "0.0005", "--format", "json", code=2)
    assert json.loads(report) == deck.json("usage")
    deck.run("usage", "--budget", "0.0005", code=2)
    assert "over the budget of 0.0005 USD: 0.0005648 USD; at least that, as 3 calls could not be priced" in deck.stderr
    deck.run("usage", "--budget", "0.0005648")
    assert "within the budget" in deck.stderr and "3 calls could not be priced" in deck.stderr
    deck.run("usage", "--budget", "5", "--model", "gpt-4o-mini")
    assert "budget" not in deck.stderr
    # All of the calls count, whatever part of them is shown.
    deck.run("usage", "--budget", "0.0005648", "--top", "1")
    deck.run("usage", "--budget", "0.0005647", "--top", "1", code=2)
    for amount in ("five", "-1", ""):
        deck.run("usage", "--budget", amount, code=64)
        assert "--budget takes USD" in deck.stderr


BILL = "Day,model,Tokens,USD\n2026-11-20,gpt-4o,133,0.000505\n2026-11-21,gpt-4o,20,$0.50\n2026-11-21,o3,5,0.25\n"


def test_a_bill_stands_beside_our_sums(deck, tmp_path):
    bill = tmp_path / "bill.csv"
    bill.write_text(BILL)
    rows = {(row["group"].get("day"), row["group"].get("model")): row for row in deck.json("usage", "--against", bill)}
    assert "4 of 5 days and models differ" in deck.stderr
    same = rows["2026-11-20", "gpt-4o"]
    assert (same["side"], same["difference_tokens"], same["difference_usd"]) == ("both", 0, "0")
    other = rows["2026-11-21", "gpt-4o"]
    # The call with an impossible usage counts with its tokens and has no cost.
    assert (other["calls"], other["total_tokens"], other["difference_tokens"]) == (3, 21, 1)
    assert (other["cost_usd"], other["bill_usd"], other["difference_usd"]) == ("0.000055", "0.5", "-0.499945")
    assert (other["calls_without_usage"], other["calls_without_price"]) == (1, 1)
    assert (rows["2026-11-21", "o3"]["side"], rows["2026-11-21", "o3"]["difference_usd"]) == ("bill", "-0.25")
    assert rows["2026-11-21", "gpt-4o-mini"]["side"] == "ours" and rows["2026-11-21", "nobody-9"]["difference_usd"] is None
    total = rows[None, None]
    assert (total["calls"], total["bill_usd"], total["difference_usd"]) == (7, "0.750505", "-0.7499402")
    narrow = deck.json("usage", "--against", bill, "--to", "2026-11-21", "--provider", "openai")
    assert narrow[0] == same


def test_a_bill_is_printed_in_every_format(deck, tmp_path):
    bill = tmp_path / "bill.csv"
    bill.write_text(BILL)
    command = ("usage", "--against", bill, "--format")
    rows = deck.json("usage", "--against", bill)
    assert [json.loads(line) for line in deck.run(*command, "ndjson").splitlines()] == rows
    header, *lines = deck.run(*command, "csv").splitlines()
    assert header.startswith("group.day,group.model,side,calls,total_tokens,") and lines[-1].startswith("total,,both,7,")
    assert len(deck.run(*command, "markdown").splitlines()) == len(rows) + 2
    assert "DIFFERENCE USD" in deck.run(*command, "table").splitlines()[0]
    deck.run(*command, "table", "--budget", "0.0001", code=2)
    assert "over the budget" in deck.stderr


@pytest.mark.parametrize("text, words", [
    ("date,model,tokens,usd\n", "missing: day; not known: date"), ("day,model,tokens,usd,project\n", "not known: project"),
    ("", "empty"), ("day,model,tokens,usd\n2026-11-20,m,x,1\n", "line 2: tokens is 'x'"),
])
def test_a_bill_with_other_columns_is_refused(deck, tmp_path, text, words):
    bill = tmp_path / "bill.csv"
    bill.write_text(text)
    assert deck.run("usage", "--against", bill, code=2) == ""
    assert words in deck.stderr and "bill.csv" in deck.stderr
    deck.run("usage", "--against", tmp_path / "nothing.csv", code=2)
    assert "No such file" in deck.stderr
    bill.write_text(BILL)
    deck.run("usage", "--against", bill, "--by", "identity", code=64)


def test_a_price_that_is_set_is_in_every_figure_and_can_be_taken_back(deck):
    before = deck.json("usage", "--totals")
    deck.run("prices", "set", "openai", "gpt-4o", "--input", "2", "--output", "8", "--from", "2026-11-21")
    total = deck.json("usage", "--totals")[-1]
    # 0.00045 + 0.000055 as before, 10·2 + 3·8 millionths for the call of the 21st, 0.0000048 for the other model.
    assert total["cost_usd"] == "0.0005538"
    call = next(call for call in deck.calls() if call["response_id"] == "r2")
    assert call["cost"]["price_version"].startswith("override 20") and call["cost"]["total_usd"] == "0.000044"
    assert any("instead of openai/gpt-4o of genai-prices 0.2.3" in note for note in call["cost"]["notes"])
    assert deck.show(call["call_id"])["cost"] == call["cost"]
    deck.run("prices", "set", "nowhere", "nobody-9", "--input", "1", "--output", "1", "--request", "0.5")
    assert deck.json("usage", "--provider", "nowhere")[0]["cost_usd"] == "0.500008"
    listed = deck.json("prices", "list")
    assert [row["model"] for row in listed if row["price_version"].startswith("override")] == ["gpt-4o", "nobody-9"]
    assert deck.json("prices", "show", "nobody-9")[0]["overrides"][0]["request_usd"] == "0.5"
    shown = deck.json("prices", "show", "gpt-4o", "--provider", "openai", "--at", "2026-11-22")[0]
    assert shown["overrides"][0]["holds"] is True and not any(row["holds"] for row in shown["rates"])
    deck.run("prices", "unset", "nowhere", "nobody-9")
    deck.run("prices", "unset", "openai", "gpt-4o", "--from", "2026-11-21")
    assert deck.json("usage", "--totals") == before
    deck.run("prices", "unset", "openai", "gpt-4o", code=1)


@pytest.mark.parametrize("flags, code", [
    (["openai", "gpt-4o", "--input", "1"], 64), (["openai", "gpt-4o", "--input", "1", "--output", "-1"], 64),
    (["openai", "gpt-4o", "--input", "x", "--output", "1"], 64), (["openai", "--input", "1", "--output", "1"], 64),
    (["openai", "gpt-4o", "--input", "1", "--output", "1", "--from", "soon"], 64),
    (["", "gpt-4o", "--input", "1", "--output", "1"], 64),
])
def test_a_price_that_makes_no_sense_is_not_set(tapedeck, flags, code):
    tapedeck.run("prices", "set", *flags, code=code)
    assert not tapedeck.store.exists()


def change(table, **rates):
    """The table with other rates for gpt-4o; None takes one away."""
    model = next(model for model in table["providers"]["openai"]["models"] if model["id"] == "gpt-4o")
    for key, value in rates.items():
        model["prices"][0].pop(key)
        if value is not None:
            model["prices"][0][key] = value
    return table


def test_a_table_from_a_file_takes_the_place_of_the_bundled_one(deck, tmp_path):
    before = deck.json("usage", "--totals")
    table = change(json.loads(TABLE.read_text()), input=5)
    table["version"] = "our prices 7"
    (tmp_path / "prices.json").write_text(json.dumps(table))
    deck.run("prices", "update", tmp_path / "prices.json")
    assert "our prices 7" in deck.stderr and "1 with other prices" in deck.stderr
    cost = deck.json("prices", "cost", *GPT4O)
    assert (cost["input_usd"], cost["price_version"]) == ("0.005", "our prices 7")
    assert deck.json("usage", "--totals")[-1]["cost_usd"] == "0.0008648"
    assert deck.json("status")["versions"]["prices"] == "our prices 7"
    # A table that is not the program's own must not pass for it.
    table["version"] = "genai-prices 0.2.3"
    deck.run("prices", "update", "-", stdin=json.dumps(table).encode())
    assert deck.json("prices", "cost", *GPT4O)["price_version"] == "genai-prices 0.2.3, changed"
    deck.run("prices", "update", TABLE)
    assert deck.json("usage", "--totals") == before
    deck.run("prices", "update", "--bundled")
    assert deck.json("usage", "--totals") == before and not (deck.store / "prices.json").exists()


@pytest.mark.parametrize("wrong, words", [
    (lambda table: change(table, output=None), "openai: gpt-4o: row 1 of prices has no rate for output"),
    (lambda table: change(table, input=-2.5), "gpt-4o: row 1 of prices has a rate for input that is negative: -2.5"),
    (lambda table: {**table, "format": "tapedeck-prices/9"}, "its format is"),
    (lambda table: {key: value for key, value in table.items() if key != "version"}, "no version"),
    (lambda table: (table["providers"]["openai"]["models"].append(table["providers"]["openai"]["models"][0]), table)[1], "two models ada"),
    (lambda table: "junk", "cannot"),
])
def test_a_table_with_a_mistake_changes_nothing(deck, tmp_path, wrong, words):
    good = tmp_path / "good.json"
    good.write_text(json.dumps({**change(json.loads(TABLE.read_text()), input=5), "version": "good"}))
    deck.run("prices", "update", good)
    before = sorted((path.name, path.read_bytes()) for path in deck.store.glob("price*"))
    (tmp_path / "wrong.json").write_text(json.dumps(wrong(json.loads(TABLE.read_text()))))
    deck.run("prices", "update", tmp_path / "wrong.json", code=2)
    assert words in deck.stderr and "nothing is changed" in deck.stderr
    assert sorted((path.name, path.read_bytes()) for path in deck.store.glob("price*")) == before
    deck.run("prices", "update", tmp_path / "nothing.json", code=2)
    deck.run("prices", "update", code=64)
    assert deck.json("prices", "cost", *GPT4O)["price_version"] == "good"


def test_prices_that_were_damaged_stop_every_figure_and_nothing_else(deck):
    (deck.store / "prices.json").write_text("{")
    for command in (["usage"], ["calls"], ["show", "@1"], ["prices", "list"], ["prices", "cost", *GPT4O]):
        assert deck.run(*command, code=2) == ""
        assert "prices.json cannot be used" in deck.stderr and "tapedeck prices update" in deck.stderr
    deck.run("cat", "@1")
    deck.run("verify")
    assert deck.json("status")["versions"]["prices"] is None
    deck.run("prices", "update", "--bundled")
    (deck.store / "price-overrides.json").write_text('{"format":"tapedeck-price-overrides/1","overrides":[{}]}')
    deck.run("usage", code=2)
    deck.run("prices", "set", "a", "b", "--input", "1", "--output", "1", code=2)
    deck.run("prices", "unset", "--all")
    deck.run("usage")


def test_two_that_set_prices_at_once_both_do(deck):
    running = [deck.popen("prices", "set", "p", f"m{n}", "--input", n, "--output", n, stderr=subprocess.DEVNULL) for n in range(8)]
    assert [process.wait(30) for process in running] == [0] * 8
    listed = {row["model"] for row in deck.json("prices", "list", "--provider", "p")}
    assert listed == {f"m{n}" for n in range(8)}


def test_prices_can_be_looked_at_without_a_store(tapedeck):
    assert len(tapedeck.json("prices")) > 600
    assert {row["provider"] for row in tapedeck.json("prices", "list", "--provider", "xai")} == {"x-ai"}
    assert [row["provider"] for row in tapedeck.json("prices", "show", "gpt-4o-2024-08-06")] == ["openai"]
    azure = tapedeck.json("prices", "show", "azure/gpt-4o")[0]
    assert azure["provider"] == "openai" or azure["provider"] == "azure"
    tiers = tapedeck.json("prices", "show", "gemini-2.5-pro", "--provider", "google-ai")[0]["rates"][0]["tiers"]
    assert tiers[0]["above_tokens"] == 200_000 and Decimal(tiers[0]["input_usd"]) > 0
    hours = tapedeck.json("prices", "show", "deepseek-chat")[0]["rates"]
    assert [row["utc"] for row in hours] == [None, ["00:30", "16:30"]]
    tapedeck.run("prices", "show", "nobody-9", code=1)
    tapedeck.run("prices", "list", "--provider", "nowhere", code=1)
    assert not tapedeck.store.exists()


@pytest.mark.parametrize("command", ["", "list", "show", "update", "set", "unset", "cost"])
def test_help_has_an_example(tapedeck, command):
    assert "Example: tapedeck prices" in tapedeck.run("prices", *([command] if command else []), "--help")


def recorded(vector, number):
    """A timed capture of a call with the usage of a vector."""
    start = int(datetime.datetime.fromisoformat(vector["at"]).timestamp()) * 10**9
    used = vector["usage"]
    usage = {f"{key}_tokens": used.get(key) for key in ("prompt", "completion", "total")}
    if usage["total_tokens"] is None:
        usage["total_tokens"] = (used["prompt"] or 0) + (used["completion"] or 0)
    for group, key in (("prompt", "cached"), ("completion", "reasoning")):
        if used.get(key) is not None:
            usage[f"{group}_tokens_details"] = {f"{key}_tokens": used[key]}
    chunk = {"id": f"r{number}", "model": vector["model"], "provider": vector["provider"], "is_final": True, "usage": usage,
             "choices": [{"index": 0, "message": {"role": "assistant", "content": "x"}, "finish_reason": "stop"}]}
    request = {"key": f"v{number}", "identity": {"id": f"i{number % 3}"},
               "thread": {"id": "t", "tags": ["a", "b"] if number % 2 else ["a"]}}
    events = [("open", {"request": request}), ("frame", {"raw": f"data: {json.dumps(chunk)}\n\n"}),
              ("frame", {"raw": "data: [DONE]\n\n"}), ("end", {"how": "done"})]
    return "".join(json.dumps({"t_ns": start, "call": number, "ev": name, **more}) + "\n" for name, more in events)


def test_recorded_calls_cost_what_the_vectors_say_and_sum_up(tapedeck, tmp_path):
    binding = [vector for vector in VECTORS if not vector.get("not_binding")]
    capture = tmp_path / "vectors.jsonl"
    capture.write_text("".join(recorded(vector, number) for number, vector in enumerate(binding)))
    ids = tapedeck.run("import", capture).split()
    listed = {call["call_id"]: call for call in tapedeck.calls()}
    total = Decimal(0)
    for vector, call in zip(binding, ids, strict=True):
        cost = tapedeck.show(call)["cost"]
        assert (cost and cost["total_usd"]) == vector["want"] and listed[call]["cost"] == cost, vector["name"]
        if cost:
            parts = [cost[f"{part}_usd"] for part in ("input", "cached", "output", "reasoning", "request")]
            assert sum(Decimal(part or 0) for part in parts) == Decimal(cost["total_usd"])
            total += Decimal(cost["total_usd"])
    for by in ("identity", "model", "provider", "deployment", "day", "month", "thread", "state", "tag", "tag,identity"):
        *rows, sums = tapedeck.json("usage", "--by", by, "--totals")
        assert sums["group"] == {} and sums["calls"] == len(ids) and Decimal(sums["cost_usd"]) == total
        if "tag" in by:
            assert sum(row["calls"] for row in rows) == len(ids) + len(ids) // 2
            continue
        for key in ("calls", "prompt_tokens", "total_tokens", "cached_tokens", "cost_usd", "input_usd", "output_usd", "calls_without_price"):
            assert sum(Decimal(row[key] or 0) for row in rows) == Decimal(sums[key] or 0), (by, key)
