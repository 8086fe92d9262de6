#!/usr/bin/env python3
"""gen_calls.py - many short orq.ai-style calls as one timed capture, for questions about scale.

    python3 Tests/Bench/gen_calls.py --calls 1000000 > calls.jsonl; tapedeck import --store DIR calls.jsonl    # a store of a year

Seeded: every byte is a function of the arguments. What is modelled: 2,000 identities and 12 deployments with Zipf
popularity, threads of a few calls each, 10 models of 6 providers, tags and metadata, client aborts (3 %), error frames
(1.5 %), calls without usage (5 %), first content after 0.2 to 4 s, cached and reasoning tokens, long prompts (2 %).
Times are spread evenly over --days; calls follow each other, so that the capture is in order of arrival.
"""
import argparse
import json
import random
import sys

MODELS = [("gpt-4o-mini-2024-07-18", "openai"), ("gpt-4o-2024-08-06", "openai"), ("claude-sonnet-4-20250514", "anthropic"),
          ("gemini-2.5-flash", "google"), ("gpt-4.1-2025-04-14", "azure"), ("mistral-large-latest", "mistral"),
          ("claude-sonnet-4-5", "anthropic"), ("o4-mini-2025-04-16", "openai"), ("gemini-2.5-pro", "google"), ("in-house-7b", "acme")]
DEPLOYMENTS = ["support-triage", "kb-answer", "contract-review", "sql-helper", "mail-draft", "agent-router", "summarise-call",
               "code-review", "intake-nl", "product-copy", "risk-check", "voice-bot"]
WORDS = """the order refund policy delivery customer invoice payment error account please could check status thanks reset password
contract clause renewal price quote shipment address report table query column index answer question summary meeting notes draft
reply kindly regards today tomorrow week month total amount number value result 数据 请求 naïef coördinatie""".split()
B32 = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def zipf(count, exponent=1.0):
    total, cumulated = 0.0, []
    for rank in range(count):
        total += 1.0 / (rank + 1) ** exponent
        cumulated.append(total)
    return cumulated


def ulid(milliseconds, bits):
    value = (milliseconds << 80) | bits
    return "".join(B32[value >> shift & 31] for shift in range(125, -1, -5))


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--calls", type=int, default=1_000_000)
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--days", type=int, default=365)
    arguments.add_argument("--base-ns", type=int, default=1_735_689_600_000_000_000, help="the first call's start (2025-01-01)")
    options = arguments.parse_args()
    random_ = random.Random(options.seed)
    chance, pick, bits = random_.random, random_.choices, random_.getrandbits
    identities, deployments, models = zipf(2000), zipf(len(DEPLOYMENTS)), zipf(len(MODELS))
    step = options.days * 86_400_000_000_000 // options.calls
    thread_of, write = {}, sys.stdout.write
    for call in range(options.calls):
        at = options.base_ns + call * step + bits(20)
        who = pick(range(2000), cum_weights=identities)[0]
        deployment = pick(DEPLOYMENTS, cum_weights=deployments)[0]
        model, provider = pick(MODELS, cum_weights=models)[0]
        thread, turn = thread_of.get(who, (None, 0))
        if thread is None or turn > 5 or chance() < 0.2:
            thread, turn = f"thr_{call:07d}", 0
        thread_of[who] = (thread, turn + 1)
        request = {"key": deployment, "stream": True,
                   "identity": {"id": f"user_{who:04d}", "display_name": f"User {who}", "email": f"user{who}@example.com", "tags": [f"team-{who % 9}"]},
                   "thread": {"id": thread, "tags": [f"channel-{who % 4}"] + (["vip"] if who % 17 == 0 else [])},
                   "metadata": {"team": f"t{who % 23}", "env": "prod" if chance() < 0.9 else "test"},
                   "messages": [{"role": "user", "content": " ".join(pick(WORDS, k=12))}],
                   "invoke_options": {"include_usage": True}}
        write(json.dumps({"t_ns": at, "call": call, "ev": "open", "request": request}, separators=(",", ":"), ensure_ascii=False) + "\n")
        first = at + int(200_000_000 * random_.lognormvariate(0.6, 0.7)) + bits(10)
        head = {"id": ulid(at // 1_000_000, bits(80)), "created": "2025-01-01T00:00:00.000Z", "object": "chat", "model": model, "provider": provider,
                "is_final": False, "integration_id": "int_1", "telemetry": {"trace_id": "%032x" % bits(128), "span_id": "%016x" % bits(64)}}

        def frame(when, body):
            write(json.dumps({"t_ns": when, "call": call, "ev": "frame", "raw": f"data: {body}\n\n"}, separators=(",", ":"), ensure_ascii=False) + "\n")

        def choice(content, reason=None):
            return [{"index": 0, "message": {"type": "content", "role": "assistant", "content": content}, "finish_reason": reason}]

        text, luck = pick(WORDS, k=10), chance()
        compact = {"separators": (",", ":"), "ensure_ascii": False}
        frame(first, json.dumps({**head, "choices": choice(" ".join(text[:5]))}, **compact))
        then, how = first + 30_000_000 + bits(25), "done"
        if luck < 0.03:
            how = "cut"
        elif luck < 0.045:
            how = "error"
            frame(then, json.dumps({"error": {"code": 502, "message": "the provider went away"}}, **compact))
        else:
            frame(then, json.dumps({**head, "choices": choice(" " + " ".join(text[5:]))}, **compact))
            then += 20_000_000 + bits(24)
            prompt = 250_000 + bits(12) if chance() < 0.02 else 200 + bits(12)
            completion = 20 + bits(9)
            usage = {"total_tokens": prompt + completion, "prompt_tokens": prompt, "completion_tokens": completion}
            if chance() < 0.3:
                usage["prompt_tokens_details"] = {"cached_tokens": prompt // 2}
            if model.startswith("o4"):
                usage["completion_tokens_details"] = {"reasoning_tokens": completion // 3}
            final = {**head, "is_final": True, "finalized": "2025-01-01T00:00:01.000Z", "choices": choice("", "stop")}
            if luck > 0.095:
                final["usage"] = usage
            frame(then, json.dumps(final, **compact))
            frame(then + 5_000, "[DONE]")
            then += 10_000
        write(f'{{"t_ns":{then},"call":{call},"ev":"end","how":"{how}"}}\n')


if __name__ == "__main__":
    main()
