#!/usr/bin/env python3
"""Writes prices.json, the price table that is compiled into tapedeck, from the PyPI package genai-prices (MIT).

    python3 -m venv /tmp/prices && /tmp/prices/bin/pip install genai-prices==0.2.3
    /tmp/prices/bin/python schema/update_prices.py > schema/prices.json

What is left out: providers that the map below does not name, prices of things that a stream's usage does not
tell apart (cache writes, audio, images, searches, pages, service tiers; `not_in_usage` says which a model has), and
the variants for batches and routes, which are no streams. Every row of prices has `input` and `output`, null where the
source gives none, so that a price that got lost is told from one that never was. Regular expressions become patterns
with `#` for a digit and `*` for anything; one that cannot is an error here, not a wrong price later.
"""
import importlib.metadata
import itertools
import json
import re
import sys

from genai_prices import types
from genai_prices.data import providers

# orq's provider names, and what the table calls them.
PROVIDER_MAP = {
    "anthropic": "anthropic", "aws": "aws", "azure": "azure", "cerebras": "cerebras", "cohere": "cohere",
    "deepseek": "deepseek", "elevenlabs": "elevenlabs", "google": "google", "google-ai": "google", "groq": "groq",
    "minimax": "minimax", "mistral": "mistral", "moonshotai": "moonshotai", "openai": "openai",
    "perplexity": "perplexity", "togetherai": "together", "xai": "x-ai", "zai": "zai",
}
# The price keys that a usage can be priced with, and their names here.
PRICED = {
    "input_mtok": "input", "cache_read_mtok": "cached", "output_mtok": "output", "output_reasoning_mtok": "reasoning",
    "requests_kcount": "requests",
}
NOT_IN_USAGE = [("cache_write", "cache writes"), ("audio", "audio"), ("image", "images"), ("video", "video"),
                ("searches", "searches"), ("kpages", "pages"), ("citation", "citations"), ("mchars", "characters"),
                ("messages", "messages")]


def literal(text):
    text = text.lower()
    if "*" in text or "#" in text:
        raise ValueError(f"{text!r}: * and # have a meaning in patterns")
    return text


def regex_patterns(regex):
    """The patterns that together match what the regular expression does."""
    if not regex.startswith("^"):
        raise ValueError(f"cannot turn {regex!r} into patterns")
    body, end = (regex[1:-1], "") if regex.endswith("$") else (regex[1:], "*")
    alternatives = [""]
    while body:
        if m := re.match(r"\\d\{(\d+)\}", body):
            parts = ["#" * int(m[1])]
        elif m := re.match(r"\\d", body):
            parts = ["#"]
        elif m := re.match(r"\\([.\[\]/-])|([a-z0-9/_:-])", body):
            parts = [literal(m[1] or m[2])]
        elif m := re.match(r"\[([@-]+)\]", body):
            parts = list(m[1])
        else:
            raise ValueError(f"cannot turn {regex!r} into patterns, at {body!r}")
        body = body[m.end():]
        alternatives = [a + p for a, p in itertools.product(alternatives, parts)]
    return [a + end for a in alternatives]


def rule(clause):
    """A list of alternatives: patterns, or {"all": [rules], "none": [patterns]}."""
    match clause:
        case types.ClauseEquals(): return [literal(clause.equals)]
        case types.ClauseStartsWith(): return [literal(clause.starts_with) + "*"]
        case types.ClauseEndsWith(): return ["*" + literal(clause.ends_with)]
        case types.ClauseContains(): return ["*" + literal(clause.contains) + "*"]
        case types.ClauseRegex(): return regex_patterns(clause.regex)
        case types.ClauseOr(): return [p for c in clause.or_ for p in rule(c)]
        case types.ClauseAnd():
            result = {"all": []}
            for c in clause.and_:
                # "no -tts, at the end or before a dash": the one look-ahead in the data.
                if isinstance(c, types.ClauseRegex) and c.regex == "^(?!.*-[tT][tT][sS](?:$|-))":
                    result["none"] = ["*-tts", "*-tts-*"]
                else:
                    result["all"].append(rule(c))
            return [result]
    raise ValueError(f"unknown clause {clause!r}")


def number(decimal):
    """A mark that `line` turns into a JSON number with the decimal's own digits: no floating point on the way."""
    return f"@{decimal.normalize():f}@"


def price(value):
    if isinstance(value, types.TieredPrices):
        return {"base": number(value.base), "above": [[t.start, number(t.price)] for t in value.tiers]}
    return number(value)


def condition(constraint):
    match constraint:
        case None: return {}
        case types.StartDateConstraint(): return {"from": constraint.start_date.isoformat()}
        case types.TimeOfDateConstraint():
            times = [types._utc_timetz(t) for t in (constraint.start_time, constraint.end_time)]
            return {"utc": [t.strftime("%H:%M:%S").removesuffix(":00") for t in times]}
    raise ValueError(f"unknown constraint {constraint!r}")


def model(info):
    prices = info.prices if isinstance(info.prices, list) else [types.ConditionalPrice(prices=info.prices)]
    rows, missing = [], set()
    for conditional in prices:
        row = condition(conditional.constraint) | {"input": None, "output": None}
        for key, value in conditional.prices.__dict__.items():
            if value is None:
                continue
            if key in PRICED:
                row[PRICED[key]] = price(value)
            else:
                names = [name for part, name in NOT_IN_USAGE if part in key]
                if not names:
                    raise ValueError(f"{info.id}: unknown price {key}")
                missing.add(names[0])
        if row not in rows[-1:]:
            rows.append(row)
    if any({"service_tier", "speed"} & variant.when.keys() for variant in info.price_variants or []):
        missing.add("service tier")
    result = {"id": info.id, "match": rule(info.match), "prices": rows}
    if missing:
        result["not_in_usage"] = sorted(missing)
    return result


def line(value):
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return re.sub(r'"@([0-9.]+)@"', r"\1", text)


def main():
    """The file: one model a line. `date` is the newest day on which the package says a price was verified."""
    package = "genai-prices"
    version = importlib.metadata.version(package)
    wanted = set(PROVIDER_MAP.values())
    tables = [p for p in providers if p.id in wanted]
    for p in tables:
        wanted |= set(p.fallback_model_providers or [])
    tables = [p for p in providers if p.id in wanted]
    comments = " ".join(m.price_comments or "" for p in tables for m in p.models)
    notice = next(f for f in importlib.metadata.files(package) if f.name == "LICENSE").read_text()
    out = [
        "{",
        '"about":' + line("Prices in USD per million tokens (requests: per thousand), by provider and model. Written by "
                          "schema/update_prices.py; do not edit."),
        '"format":' + line("tapedeck-prices/1"),
        '"version":' + line(f"{package} {version}"),
        '"date":' + line(max(re.findall(r"verified on (20\d\d-\d\d-\d\d)", comments))),
        '"source":' + line(f"https://pypi.org/project/{package}/{version}/"),
        '"license":' + line(notice.strip()),
        '"provider_map":' + line(PROVIDER_MAP),
        '"providers":{',
    ]
    for place, p in enumerate(tables):
        out.append(f"{line(p.id)}:{{" + f'"fallback":{line(p.fallback_model_providers or [])},"models":[')
        out.append(",\n".join(line(model(m)) for m in p.models))
        out.append("]}" + ("," if place + 1 < len(tables) else ""))
    out.append("}}")
    # The keys that stand for a line each lack their commas so far.
    text = "\n".join(out)
    for key in ["format", "version", "date", "source", "license", "provider_map", "providers"]:
        text = text.replace(f'\n"{key}":', f',\n"{key}":', 1)
    json.loads(text)
    sys.stdout.write(text + "\n")


main()
