"""Costs beside those of genai-prices itself, the package that the price table is made from.

Random providers, models, usages and times become calls; `calls` prices them all, by the code of every report. Where the
two differ, a rule of ours must say why, and each rule is looked for: a difference that nothing explains fails.
"""

import importlib.metadata
import json
import os
import pathlib
import random
import re
import subprocess
import sys
from datetime import datetime, timedelta, timezone
from decimal import Decimal

import genai_prices
from genai_prices import types
from genai_prices.data import providers

from conftest import Tapedeck

SCHEMA = pathlib.Path(__file__).parent.parent.parent / "schema"
TABLE = json.loads((SCHEMA / "prices.json").read_text(), parse_float=Decimal)
PEERS = {p.id: p for p in providers}
CASES = int(os.environ.get("TAPEDECK_PEER_CASES", "1500"))
SEED = int(os.environ.get("TAPEDECK_PEER_SEED", "4"))


def test_the_table_is_what_the_script_makes_of_the_package():
    assert importlib.metadata.version("genai-prices") == "0.2.3"
    made = subprocess.run([sys.executable, SCHEMA / "update_prices.py"], capture_output=True, check=True).stdout
    assert made == (SCHEMA / "prices.json").read_bytes()


def literals(clause):
    """Names that a clause is about, to make models of."""
    match clause:
        case types.ClauseEquals(): return [clause.equals]
        case types.ClauseStartsWith(): return [clause.starts_with, clause.starts_with + "-x", clause.starts_with + "-20260102"]
        case types.ClauseEndsWith(): return ["x" + clause.ends_with]
        case types.ClauseContains(): return ["a." + clause.contains + "-v1:0"]
        case types.ClauseRegex(): return [re.sub(r"\\d\{(\d+)\}", lambda m: "20260102"[:int(m[1])], clause.regex.strip("^$")).replace("\\", "")]
        case types.ClauseOr(): return [name for c in clause.or_ for name in literals(c)]
        case types.ClauseAnd(): return [name for c in clause.and_ for name in literals(c)]


def boundaries(model):
    """Prompt sizes around the tiers of a model, and days and hours around its dates."""
    sizes, times = [1, 1000], []
    for prices in model.prices if isinstance(model.prices, list) else []:
        match prices.constraint:
            case types.StartDateConstraint():
                day = datetime.combine(prices.constraint.start_date, datetime.min.time(), timezone.utc)
                times += [day, day - timedelta(seconds=1)]
            case types.TimeOfDateConstraint():
                for time in (prices.constraint.start_time, prices.constraint.end_time):
                    edge = datetime.combine(datetime(2026, 11, 20), types._utc_timetz(time))
                    times += [edge, edge - timedelta(seconds=1)]
    for prices in [p.prices for p in model.prices] if isinstance(model.prices, list) else [model.prices]:
        for price in prices.__dict__.values():
            if isinstance(price, types.TieredPrices):
                sizes += [size + step for tier in price.tiers for size, step in [(tier.start, 0), (tier.start, 1)]]
    return sizes, times


def cases(rng):
    names = list(TABLE["provider_map"]) + ["nowhere", "x-ai", "OpenAI"]
    while True:
        provider = rng.choice(names)
        peer = PEERS.get(TABLE["provider_map"].get(provider.lower(), provider.lower()))
        owner = peer if peer and rng.random() < 0.9 else rng.choice(list(PEERS.values()))
        model = rng.choice(owner.models)
        name = rng.choice(literals(model.match) + [model.id])
        if rng.random() < 0.1:
            name = rng.choice([f"{provider}/{name}", name.upper(), name + "-2026-01-02", "ft:" + name])
        sizes, times = boundaries(model)
        prompt = rng.choice(sizes + [rng.randrange(300_000), rng.randrange(2_000)])
        completion = rng.choice([0, rng.randrange(5_000)])
        cached = rng.choice([None, 0, prompt, rng.randrange(prompt + 1), prompt + 1 if rng.random() < 0.1 else 0])
        reasoning = rng.choice([None, 0, rng.randrange(completion + 1), rng.randrange(5_000) if rng.random() < 0.3 else 0])
        total = rng.choice([prompt + completion, prompt + completion + (reasoning or 0)])
        at = rng.choice(times) if times and rng.random() < 0.7 else datetime(2025, 1, 1, tzinfo=timezone.utc) + timedelta(
            seconds=rng.randrange(3 * 365 * 86_400))
        yield dict(provider=provider, model=name, prompt=prompt, completion=completion, cached=cached,
                   reasoning=reasoning, total=total, at=at)


def write(cases, path):
    with path.open("w") as file:
        for number, case in enumerate(cases):
            usage = {"prompt_tokens": case["prompt"], "completion_tokens": case["completion"], "total_tokens": case["total"]}
            if case["cached"] is not None:
                usage["prompt_tokens_details"] = {"cached_tokens": case["cached"]}
            if case["reasoning"] is not None:
                usage["completion_tokens_details"] = {"reasoning_tokens": case["reasoning"]}
            chunk = {"id": f"r{number}", "model": case["model"], "provider": case["provider"], "is_final": True,
                     "usage": usage, "choices": []}
            start = int(case["at"].timestamp()) * 10**9
            for event in ({"ev": "open", "request": {"key": "k", "inputs": {"n": number}}},
                          {"ev": "frame", "raw": f"data: {json.dumps(chunk)}\n\n"}, {"ev": "frame", "raw": "data: [DONE]\n\n"},
                          {"ev": "end", "how": "done"}):
                file.write(json.dumps({"t_ns": start, "call": number, **event}) + "\n")


def asked(case, provider, name):
    """What the package says of a case: model and cost, or None."""
    usage = types.Usage(input_tokens=case["prompt"], output_tokens=case["completion"], cache_read_tokens=case["cached"],
                        output_reasoning_tokens=case["reasoning"])
    try:
        peer = PEERS[provider]
        model = peer.find_model(name, all_providers=providers)
        if model is None:
            return None
        owner = peer if any(m is model for m in peer.models) else next(p for p in providers if any(m is model for m in p.models))
        return f"{owner.id}/{model.id}", model.calc_price(usage, peer, genai_request_timestamp=case["at"]).total_price
    except (KeyError, ValueError):
        return None


def model_named(name):
    provider, _, model = name.partition("/")
    return next(m for m in PEERS[provider].models if m.id == model)


def explanation(case, ours, why):
    """The rule by which our answer is right although the package's is another; "same" where it is the same."""
    provider = TABLE["provider_map"].get(case["provider"].lower(), case["provider"].lower())
    if provider not in TABLE["providers"]:
        return "provider not in the map" if ours is None and why["reason"] in ("unknown_provider", "bad_usage") else None
    name = case["model"].lower()
    theirs = asked(case, provider, name)
    stripped = next((name[len(p) + 1:] for p in (case["provider"].lower(), provider) if name.startswith(p + "/")), None)
    cached, reasoning = case["cached"] or 0, case["reasoning"] or 0
    on_top = reasoning > 0 and case["total"] == case["prompt"] + case["completion"] + reasoning
    if cached > case["prompt"] or (reasoning > case["completion"] and not on_top):
        return "impossible usage is not priced" if ours is None and why["reason"] == "bad_usage" else None
    if ours is None:
        if theirs is None:
            return "same"
        row = model_named(theirs[0]).get_prices(case["at"])
        lacks = [part for part in ("input_mtok", "output_mtok") if getattr(row, part) is None]
        return "tokens without a price are unknown, not free" if why["reason"] == "no_rate" and lacks else None
    cost = Decimal(ours["total_usd"])
    if theirs and theirs == (ours["price_model"], cost):
        return "same"
    reasons = []
    if theirs is None or theirs[0] != ours["price_model"]:
        if stripped and (again := asked(case, provider, stripped)) and again[0] == ours["price_model"]:
            reasons.append("provider prefix stripped")
            theirs = again
        elif not (on_top and theirs is None):
            return None
    if theirs is None or theirs[1] != cost:
        price = model_named(ours["price_model"]).get_prices(case["at"])
        fresh = dict(case, reasoning=None if on_top else case["reasoning"])
        usage = types.Usage(input_tokens=fresh["prompt"], output_tokens=fresh["completion"],
                            cache_read_tokens=fresh["cached"], output_reasoning_tokens=fresh["reasoning"])
        base = price.calc_price(usage)["total_price"]
        if on_top:
            reasons.append("reasoning billed on top")
            if base + Decimal(ours["reasoning_usd"]) != cost:
                return None
        elif base != cost:
            return None
    return "; ".join(reasons) or None


def test_costs_are_those_of_genai_prices_or_a_rule_says_why_not(tmp_path):
    rng = random.Random(SEED)
    made = cases(rng)
    wanted = sorted((next(made) for _ in range(CASES)), key=lambda case: case["at"])
    write(wanted, tmp_path / "calls.jsonl")
    deck = Tapedeck(tmp_path / "store")
    deck.run("import", tmp_path / "calls.jsonl", timeout=600)
    priced = {call["response_id"]: call for call in deck.calls()}
    assert len(priced) == CASES
    found, failed = {}, []
    for number, case in enumerate(wanted):
        call = priced[f"r{number}"]
        assert call["started_at"].startswith(case["at"].strftime("%Y-%m-%dT%H:%M:%S"))
        why = explanation(case, call["cost"], call["cost_unknown"])
        if why is None:
            provider = TABLE["provider_map"].get(case["provider"].lower(), case["provider"].lower())
            failed.append((case, call["cost"], call["cost_unknown"], asked(case, provider, case["model"].lower())))
        found[why] = found.get(why, 0) + 1
    assert not failed, (len(failed), found, *failed[:5])
    # Each rule was met, and most of the answers are the package's own.
    assert found["same"] > CASES // 2
    for rule in ("provider not in the map", "impossible usage is not priced", "tokens without a price are unknown, not free",
                 "provider prefix stripped", "reasoning billed on top"):
        assert any(rule in why for why in found), (rule, found)
