#!/usr/bin/env python3
"""Makes the golden archive anew: Tests/Golden/make.py [DIRECTORY-OF-THE-BINARIES] [TARGET].

The archive in v1/ stays in the repository for good: whatever version 1 of the format wrote is read by every later
program, and by the independent reader. Calls, ids and salts are fixed here, so are leaf hashes; names of files are not.
manifest.json says what each call consists of, taken from this script and not from what was read back.
"""

import base64
import hashlib
import json
import os
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).parent.resolve()
START = 1767225600000000000
# Go's example of a note key: a secret that is none.
SECRET = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz\n"
VERIFIER = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"

rng = random.Random(1)


def dumps(value):
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def data(value, end="\n", ascii=False):
    text = json.dumps(value, separators=(",", ":")) if ascii else dumps(value)
    return ("data: " + text + end + end).encode()


def chunk(content, **more):
    message = {"type": "content", "role": "assistant", "content": content}
    return {"id": "01JD0Z6Q8R3T5V7W9XABCDEFGH", "object": "chat", "model": "gpt-4o", "provider": "openai", "is_final": False,
            "telemetry": {"trace_id": "4bf92f3577b34da6a3ce929d0e0e4736", "span_id": "00f067aa0ba902b7"},
            "choices": [{"index": 0, "message": message, "finish_reason": None}], **more}


WORDS = ("what is your refund policy ? we give the money back within 30 days , no questions asked . "
         "数据 in a run of 中文 ; naïve café \U0001f642 ; a\tb \"quoted\" back\\slash / \u2028 \x7f").split(" ")
DONE = b"data: [DONE]\n\n"


def streamed(count, make=chunk, **options):
    return [data(make((" " if place else "") + WORDS[place % len(WORDS)]), **options) for place in range(count)]


def tools():
    frames = []
    for piece in ['{"ci', 'ty":"Utr', 'echt"', "}"]:
        value = chunk("")
        value["choices"][0]["message"] = {"type": "tool_calls", "tool_calls": [
            {"index": 0, "id": "c1", "type": "function", "function": {"name": "get_weather", "arguments": piece}}]}
        frames.append(data(value))
    return frames + [DONE]


def reasoning(piece):
    value = chunk(None)
    value["choices"][0]["message"]["reasoning"] = piece
    return value


def obfuscated(piece):
    return chunk(piece, obfuscation="".join(rng.choice("abcXYZ0189") for _ in range(rng.randrange(1, 16))))


def counted():
    frames = []
    for place in range(40):
        event = {"type": "response.output_text.delta", "sequence_number": place + 3, "delta": WORDS[place % len(WORDS)] + " "}
        frames.append(b"id: %d\nevent: delta\n" % (place + 100) + data(event))
    return frames + [DONE]


def final(piece):
    value = chunk(piece, usage={"total_tokens": 13, "prompt_tokens": 10, "completion_tokens": 3})
    value["is_final"] = True
    value["choices"][0]["finish_reason"] = "stop"
    return data(value)


def image():
    value = chunk(None)
    value["choices"][0]["message"] = {"type": "image", "url": "data:image/png;base64," + base64.b64encode(rng.randbytes(600)).decode()}
    return [data(value), DONE]


def noise():
    return [rng.randbytes(rng.randrange(1, 80)) for _ in range(6)] + [b"\x00\x1b[31m\r\n\r\n", "␛0A ␛".encode() + b"\xff\n\n"]


# name: frames, and what differs from a call that ended well.
CALLS = {
    "text": (streamed(120) + [final(""), DONE], {}),
    "escapes": (streamed(60, ascii=True) + [DONE], {}),
    "crlf": (streamed(30, end="\r\n") + [DONE], {}),
    "cr": (streamed(20, end="\r"), {}),
    "reasoning": (streamed(30, make=reasoning) + streamed(30) + [DONE], {}),
    "tools": (tools(), {}),
    "obfuscation": (streamed(80, make=obfuscated) + [DONE], {}),
    "counters": (counted(), {}),
    "comments": ([b": keep-alive\n\n"] * 3 + streamed(5) + [b"\n", b":\n\n", DONE], {}),
    "image": (image(), {}),
    "noise": (noise(), {"request_base64": base64.b64encode(b"\xff\x00 no JSON\n").decode()}),
    "json": ([dumps({"choices": [{"index": 0, "message": {"content": "whole"}}]}).encode()], {"type": "application/json"}),
    "error": ([dumps({"error": {"code": 429, "message": "Rate limit exceeded"}}).encode()], {"status": 429, "type": "application/json"}),
    "error-frame": (streamed(4) + [data({"error": {"code": "x", "message": "upstream died"}})], {"how": "error"}),
    "abort": (streamed(9), {"how": "client_abort"}),
    "cut": (streamed(9) + [b'data: {"id":"01JD'], {"how": "upstream_cut"}),
    "timeout": (streamed(3), {"how": "timeout"}),
    "lost": (streamed(7) + [b"data: "], {"how": "lost"}),
    "refused": ([], {"how": "upstream_error", "status": None}),
    "no-clock": (streamed(12) + [DONE], {"has_times": False}),
    "empty": ([], {}),
    "times": (streamed(25), {"gaps": [0, 1, 15, 16, 17, 2**33 - 1, 2**33, 2**40, -5, 10**12]}),
}


def lines(name, number):
    """The timed capture of one call."""
    frames, options = CALLS[name.split("/")[0]]
    seed = hashlib.sha256(name.encode()).digest()
    alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
    call = "01KDVD" + "".join(alphabet[byte & 31] for byte in seed[:20])
    start = START + number * 1_000_000_000
    how = options.get("how", "done")
    opening = {"t_ns": start, "call": number, "ev": "open", "call_id": call, "salt": seed[:16].hex(), "origin": "proxy",
               "upstream": "https://api.example", "method": "POST", "path": "/v2/deployments/stream?name=" + name,
               "headers": [["Accept", "text/event-stream"], ["X-Odd", "é\"\\\t\x7f\u0085"]], "redactions": ["header:authorization"],
               "has_times": options.get("has_times", True), "http_status": options.get("status", 200)}
    if "request_base64" in options:
        opening["request_base64"] = options["request_base64"]
        request = base64.b64decode(options["request_base64"])
    else:
        request = dumps({"key": "golden", "thread": {"id": "t1"}, "identity": {"id": "ada"}, "inputs": {"call": name}}).encode()
        opening["request_raw"] = request.decode()
    if opening["http_status"]:
        opening |= {"response_headers": [["Content-Type", options.get("type", "text/event-stream")]], "http_version": "2",
                    "head_offset_ns": 90_000_000 if opening["has_times"] else None}
    out, offset = [opening], 100_000_000
    gaps = options.get("gaps", [])
    times = []
    for place, frame in enumerate(frames):
        offset += gaps[place] if place < len(gaps) else rng.randrange(3_000_000, 60_000_000)
        times.append(offset)
        out.append({"t_ns": start + offset, "call": number, "ev": "frame", "raw_base64": base64.b64encode(frame).decode()})
    out.append({"t_ns": start + offset + 5, "call": number, "ev": "end", "how": how})
    manifest = {"name": name, "call_id": call, "bytes": sum(map(len, frames)), "frames": [len(frame) for frame in frames],
                "sha256": hashlib.sha256(b"".join(frames)).hexdigest(), "request_sha256": hashlib.sha256(request).hexdigest(),
                "times": times if opening["has_times"] else None}
    return out, manifest


def main():
    binaries = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".build/debug").resolve()
    target = pathlib.Path(sys.argv[2] if len(sys.argv) > 2 else HERE / "v1")
    with tempfile.TemporaryDirectory() as scratch:
        scratch = pathlib.Path(scratch)
        run = lambda *arguments: subprocess.run(
            [binaries / "tapedeck", *arguments], check=True, stdout=subprocess.PIPE, env={**os.environ, "TAPEDECK_STORE": str(scratch / "store")}).stdout
        manifest, number = [], 0

        def add(names):
            nonlocal number
            captured = []
            for name in names:
                events, entry = lines(name, number)
                captured += events
                manifest.append(entry)
                number += 1
            (scratch / "x.jsonl").write_text("\n".join(map(json.dumps, captured)))
            run("import", str(scratch / "x.jsonl"))

        add([name + "/repacked" for name in CALLS])
        run("seal")
        run("repack", "--level", "19")
        add([name for name in CALLS] + ["text/erased", "tools/erased"])
        run("seal")
        if b"erase" in run("--help"):
            for entry in manifest[-2:]:
                keep = ["--keep-usage"] if entry["name"].startswith("text") else []
                run("erase", "--call", entry["call_id"], "--yes", *keep)
                entry["erased"] = True
        (scratch / "key").write_text(SECRET)
        os.chmod(scratch / "key", 0o600)
        checkpoint = run("checkpoint", "--sign", str(scratch / "key"))
        add(["text/unsealed", "noise/unsealed", "lost/unsealed", "no-clock/unsealed"])
        leaves = {}
        for line in run("calls", "--limit", "1000", "--format", "ndjson").splitlines():
            call = json.loads(line)
            leaves[call["call_id"]] = call["archive"]["leaf_hash"]
        for entry in manifest:
            if not entry.get("erased"):
                entry["leaf_hash"] = leaves[entry["call_id"]]
        shutil.rmtree(target, ignore_errors=True)
        (target / "store").mkdir(parents=True)
        shutil.copytree(scratch / "store/archive", target / "store/archive")
        shutil.copy(scratch / "store/tapedeck.json", target / "store")
        (target / "signed.checkpoint").write_bytes(checkpoint)
        (target / "verifier.key").write_text(VERIFIER + "\n")
        (target / "manifest.json").write_text("[\n" + ",\n".join(map(json.dumps, manifest)) + "\n]\n")


main()
