#!/usr/bin/env python3
"""Writes the first inputs of the fuzzing corpus, made of the test vectors: Tests/Fuzz/seeds.py"""
import base64
import json
import pathlib

HERE = pathlib.Path(__file__).parent
VECTORS = HERE.parent / "Vectors"
CORPUS = HERE / "Corpus"


def put(target, name, data):
    folder = CORPUS / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data)


def vectors(name):
    return json.loads((VECTORS / name).read_text())["vectors"]


WRITER = "01KDVDNA00J5CVAMP8T83WH1R1"
CALL = "01KDVDNA00ABCDEFGHJKMNPQRS"
SALT = "000102030405060708090a0b0c0d0e0f"


def open_json(has_times="true"):
    return (
        '{"id":"%s","started_at_ns":1767225600000000000,"origin":"proxy","upstream":"https://api.orq.ai","method":"POST",'
        '"path":"/v2/deployments/stream","headers":[["Authorization","[redacted]"]],"key_fingerprint":"8c1f5b0a9d3e7246",'
        '"has_times":%s,"redactions":["header:authorization"]}' % (CALL, has_times)
    )


def opened(number=1, body='{"key":"greeting"}', has_times="true"):
    meta = open_json(has_times)
    return "open %d %s %d %s\n%s\n%s" % (number, CALL, len(meta), SALT, meta, body)


HEAD = 'head 1\n{"offset_ns":180000000,"status":200,"http_version":"1.1","headers":[["Content-Type","text/event-stream"]]}'
FRAME = 'frame 1 0 200000123 0\ndata: {"id":"01J","content":"Hel"}\n\n'
END = (
    'end 1\n{"offset_ns":5,"cause":"end_of_body","frames":%d,"bytes":%d,"sha256":"%s","gap_frames":0,"gap_bytes":0,'
    '"clock_step_ns":0}'
)


def journals():
    whole = [opened(), HEAD, FRAME, "batch", "delta 1 1 220000456 29 4\nlo", "part 1 2 240000789 0\ndata: [DO",
             "batch", "frame 1 2 250000000 9\nNE]\n\n", END % (3, 85, "0" * 64), "batch"]
    gap = [opened(), FRAME, "batch", "gap 1 1 3 400\n", "frame 1 4 9 0\nx\n\n", END % (5, 440, "0" * 64), "batch"]
    rolled = [opened(), FRAME, "batch", "next", "resume 1 %s 1 36 0\n" % CALL, "frame 1 1 9 0\n:\n\n",
              END % (2, 39, "0" * 64), "batch"]
    damaged = [opened(), FRAME, "batch", "!0123456789abcdef 12 frame\n", "delta 1 1 3 29 4\nlo", "batch"]
    untimed = [opened(has_times="false"), "frame 1 0 - 0\nx\n\n", "batch"]
    most = "9223372036854775807"
    huge = [opened(), FRAME, "frame 1 %s 5 0\nx" % most, "frame 1 1 %s 0\nx" % most, "delta 1 2 5 %s %s\nx" % (most, most),
            "part 1 3 5 %s\nx" % most, "gap 1 %s %s %s\n" % (most, most, most), "gap 1 5 %s %s\n" % (most, most),
            "batch"]
    last = [opened(int(most)), "frame %s %s 5 0\nx" % (most, most), "frame %s %s 5 0\nx" % (most, most), "batch"]
    gapped = [opened(), "gap 1 0 %s 5\n" % most, "frame 1 %s 5 0\nx" % most, "frame 1 %s 5 0\nx" % most, "batch"]
    counts = [opened(), END.replace("%d", most).replace("%s", "0" * 64).replace(":0", ":-9223372036854775808"), "batch"]
    hostile = dict(huge=huge, last=last, gapped=gapped, counts=counts)
    for name, script in dict(
        whole=whole, gap=gap, rolled=rolled, damaged=damaged, untimed=untimed, **hostile
    ).items():
        for choice in (0, 2):
            put("journal", "%s-%d" % (name, choice), bytes([choice]) + "\x1e".join(script).encode())


def captures():
    opening = '{"t_ns":1767225600000000000,"call":1,"ev":"open","request":{"key":"k","stream":true}}\n'
    frame = '{"t_ns":1767225600000000%03d,"call":1,"ev":"frame","raw":"data: {\\"a\\":\\"\\u00e9\\ud83d\\ude00\\"}\\n\\n"}\n'
    binary = '{"t_ns":1767225600000000500,"call":1,"ev":"frame","raw_base64":"AP/+Cgo="}\n'
    end = '{"t_ns":1767225600000001000,"call":1,"ev":"end","how":"%s"}\n'
    for how in ("done", "cut", "error", "lost", "upstream_cut", "timeout"):
        put("capture", "how-" + how, (opening + frame % 100 + binary + end % how).encode())
    named = (
        '{"t_ns":1767225600000000000,"call":2,"ev":"open","call_id":"%s","salt":"%s","origin":"proxy","upstream":"u",'
        '"method":"POST","path":"/p","headers":{"a":"b"},"redactions":[],"has_times":false,"http_status":200,'
        '"response_headers":[["c","d"]],"http_version":"2","head_offset_ns":1,"request_raw":"x"}\n' % (CALL, SALT)
    )
    exact = (
        '{"t_ns":1767225600000001000,"call":2,"ev":"end","how":"done","offset_ns":5,"cause":"end_of_body","frames":0,'
        '"bytes":0,"gap_frames":0,"gap_bytes":0,"clock_step_ns":0}\n'
    )
    put("capture", "named", (named + exact).encode())
    put("capture", "side-by-side", (opening + named + frame % 1 + exact + end % "done").encode())


SAMPLE_HEAD = (
    "# %s 1767225600000000000 2 16 2\n"
    'open {"id":"%s","started_at_ns":1767225600000000000,"origin":"proxy","upstream":"u","method":"POST","path":"/p",'
    '"headers":[],"has_times":true,"redactions":[]}\ncuts 2\n'
    'head {"offset_ns":1,"status":200,"http_version":"1.1","headers":[["a","b"]]}\n'
    'end {"offset_ns":9,"cause":"end_of_body","frames":2,"bytes":16,"sha256":"=","gap_frames":0,"gap_bytes":0,'
    '"clock_step_ns":0}\n' % (CALL, CALL)
).encode()


def blocks():
    part = b"\xff\x1e"
    text, proofs = b"{}data: a\n\ndata:\n\n", b"\x10" + bytes(range(16))
    tombstone = ("# %s 1767225600000000000 erased 5 %s\nkept {}\n" % (CALL, "ab" * 32)).encode()
    put("literal", "one", b"\0" + part.join([SAMPLE_HEAD, text, b"", b"\x05\x14", b"\x03", proofs]))
    put("literal", "escape", b"\0" + part.join([SAMPLE_HEAD, text, b"", b"\xff\x05", b"\xff" * 8, proofs]))
    put("literal", "cuts", b"\0" + part.join(
        [SAMPLE_HEAD.replace(b"cuts 2", b"cuts 0 3 1"), text, b"", b"\x05\x05", b"", proofs]))
    put("literal", "tombstone", b"\0" + part.join([tombstone, b"", b"", b"", b"", b""]))
    put("literal", "untimed", b"\0" + part.join(
        [SAMPLE_HEAD.replace(b"true", b"false"), text, b"", b"", b"", b"\x00"]))
    put("literal", "raw-times", b"\1" + part.join([SAMPLE_HEAD, text, b"", b"", b"\xff\xff\xff\xff\xff", proofs]))
    # Where the blocks are says the target: the numbers here are only of the right form.
    entry = "%s 1767225600000000000 42 2 16 %s\n" % (CALL, "ab" * 32)
    put("index", "entries", ("# tree 0\n# id\n" + entry).encode())
    put("index", "erased", ("# tree 9223372036854775807\n%s 1 42 - - %s\n" % (CALL, "ab" * 32)).encode())
    put("index", "old", (entry[:-66] + "\n").encode())
    footer = bytes.fromhex("b1ea928f")
    put("index", "many-frames", b"# tree 0\n" + part + b"\xff\xff\xff\xff\0" + footer)
    put("index", "no-frames", b"# tree 0\n" + part + bytes.fromhex("5e2a4d1809000000") + b"\0\0\0\0\0" + footer)
    put("segment", "start", bytes.fromhex("28b52ffd0458") + b"\0" * 8)


def notes():
    key = b"PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
    signed = (
        "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n\n"
        "\u2014 PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
    ).encode()
    checkpoint = b"tapedeck/2026-01-01T00:00:00.000000000Z\n5\n" + base64.b64encode(bytes(32)) + b"\n"
    secret = b"PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
    separator = b"\x1e"
    put("note", "signed", separator.join([signed, key]))
    put("note", "checkpoint", separator.join([checkpoint, key, secret, bytes(7) + b"\3" + bytes(7) + b"\5" + bytes(96)]))
    put("note", "extended", checkpoint + b"more\n")
    put("note", "edge", separator * 3 + b"\x7f" + b"\xff" * 7 + b"\x7f" + b"\xff" * 7 + bytes(64))


def proofs():
    checkpoint = "tapedeck/2026-01-01T00:00:00.000000000Z\n2\n" + base64.b64encode(bytes(32)).decode() + "\n"
    common = {"format": "tapedeck-proof/1", "call_id": CALL, "leaf": "ab" * 32, "leaf_number": 1}
    rest = {"inclusion": ["cd" * 32], "checkpoint": checkpoint}
    call = {"salt": SALT, "raw_sha256": "01" * 32, "times_sha256": "02" * 32, "open": open_json(), "request": "x",
            "head": None, "end": None}
    bare = {"salt": SALT, "raw_sha256": "01" * 32, "times_sha256": "02" * 32, "meta_sha256": "03" * 32}
    for name, parts in dict(call=call, bare=bare, erased={"erased": True}, removed={"removed": True}).items():
        put("proof", name, json.dumps({**common, **parts, **rest}).encode())
    put("proof", "consistency", json.dumps(
        {"format": "tapedeck-consistency/1", "old": checkpoint, "new": checkpoint, "consistency": ["cd" * 32]}).encode())
    leaf = "%s %s\n" % (CALL, "ab" * 32)
    most = 1 << 48
    trees = {
        "one": "# tree 0 1\n" + leaf, "two": "# tree 0 1\n%s\x1e# tree 1 1 %s\n%s" % (leaf, "ab" * 32, leaf),
        "same": "# tree 0 1\n%s\x1e# tree 0 1\n%s" % (leaf, leaf),
        "far": "# tree %d 1\n%s\x1e# tree %d 1\n%s" % (most, leaf, most - 1, leaf), "count": "# tree 0 %d\n%s" % (most, leaf),
    }
    for name, text in trees.items():
        put("tree", name, (checkpoint + "\x1e" + text).encode())


def main():
    for vector in vectors("sse.json"):
        data = base64.b64decode(vector["input_base64"])
        if len(data) <= 512:
            put("sse", vector["name"], b"\x52" + data)
    for vector in vectors("orq.json"):
        data = base64.b64decode(vector["sse_base64"])
        if len(data) <= 4096:
            put("dialect", vector["name"], b"\x00" + data)
        put("request", vector["name"], b"\x1e" * 5 + json.dumps(vector["request_body"]).encode())
    put("dialect", "json-body", b"\x2c" + b'{"choices":[{"index":0,"message":{"content":"x"}}],"usage":{"total_tokens":3}}')
    put("dialect", "error-page", b"\x2c<html><title>Bad gateway</title></html>")
    for index, text in enumerate([
        '{"a":[1,-2.5e3,"x\\u00e9\\ud83d\\ude00\\n",null,true,false,{}],"a":2}', "[[[[[[]]]]]]", '"\\ud83d"', "1e400", " 0 ",
        '{"key":"k","thread":{"id":"t","tags":["a"]},"identity":{"id":"i","email":"e"},"messages":[{"role":"user",'
        '"content":[{"type":"text","text":"hi"},{"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA"}}]}]}',
    ]):
        put("json", "seed-%d" % index, text.encode())
        put("request", "seed-%d" % index, b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\x1eid\x1e\x1et\x1e\x1e" + text.encode())
    journals()
    blocks()
    notes()
    proofs()
    captures()


main()
