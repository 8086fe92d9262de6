"""What is on tape, decoded, against what was sent: the upstream ends each body with the checksum of all before it."""

import base64
import ctypes
import json
import subprocess

from .processes import run
from .tools import BIN, BUILD, Failed


def checksum(data):
    library = ctypes.CDLL(str(BUILD / "libcrc32c.so"))
    library.tape_bench_crc32c.restype = ctypes.c_uint32
    return library.tape_bench_crc32c(ctypes.c_char_p(data), ctypes.c_size_t(len(data)))


def check(environment, load):
    """- Raises: `Failed` unless the store verifies and has each call of the run, whole and byte for byte."""
    run(BIN / "tapedeck", "verify", env=environment)
    run(BIN / "tapedeck", "index", env=environment)
    bodies, whole = {}, 0
    with subprocess.Popen([BIN / "tapedeck-live", "export", "--to", "frames"], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          env=environment) as export:
        for line in export.stdout:
            event = json.loads(line)
            call = event["call"]
            if event["ev"] == "open":
                bodies[call] = []
            elif event["ev"] == "frame":
                bodies[call].append(event["raw"].encode() if "raw" in event else base64.b64decode(event["raw_base64"]))
            else:
                check_body(f"call {call} on tape", event["how"], bodies.pop(call), load)
                whole += 1
        error = export.stderr.read().decode(errors="replace")
    if export.returncode:
        raise Failed(f"export of what is on tape: exit {export.returncode}: {error[-300:]}")
    if bodies or whole != load.requests:
        raise Failed(f"{whole} of {load.requests} calls are on tape, {len(bodies)} without an end")


def check_body(name, how, frames, load):
    if how != "done":
        raise Failed(f"{name} is {how}, not done")
    if len(frames) != load.frames + 2:
        raise Failed(f"{name} has {len(frames)} frames, not {load.frames + 2}")
    sent, done = frames[-2], frames[-1]
    if not sent.startswith(b": crc=") or done != b"data: [DONE]\n\n":
        raise Failed(f"{name} does not end as it was sent: {sent[:40]} {done[:40]}")
    if checksum(b"".join(frames[:-2])) != int(sent[6:].strip(), 16):
        raise Failed(f"{name} has bytes that were not sent")
