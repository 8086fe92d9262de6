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


def configurations():
    put("configuration", "all", b"""\xef\xbb\xbf# a comment
store = "/var/lib/tapedeck"
upstream = 'https://api.orq.ai'
index = true
durability = "strict"
keep = "90d" # behind a value

[[redact]]
name = "mail"
path = 'messages[*].content'
pattern = '[\\w.+-]+@[\\w.-]+\\.\\w+'
replace = "\\u00e9[mail]\\t"
in = ["request", "response"]

[[redact]]
path = "inputs[\\"a.b\\"].*"
""")
    put("configuration", "texts", b'store = """\n  a \\\n  b\"\"\n"""\r\nlisten = \'\'\'\n\'c\'\'\'\'\n\nui = ""')
    put("configuration", "numbers", b"keep-bytes = 1_000\n")
    put("configuration", "unknown", b'strore = "x"\n')
    put("configuration", "table", b'[redact]\npath = "x"\n[[x]]\na.b = {c = 1}\n')
    put("configuration", "deep", b"in = " + b"[" * 600)
    put("configuration", "escapes", b'store = "\\U0001F600\\ud800\\x"\n')
    part = b"\xff\x1e"
    frame = b'event: e\ndata: {"messages":[{"content":"write to a@b.cd now"},{"content":7}],\ndata: "k":[1,"a@b.cd"]}\nid: 5\n\n'
    for choice in range(8):
        body = frame if choice < 4 else frame[15:-7].replace(b"\ndata:", b"")
        for name, path, pattern in (
            ("mail", b"messages[*].content", b"[\\w.+-]+@[\\w.-]+?\\.\\w{2,3}\\b"), ("any", b"$.*", b"(?i)(?:A|now)*x?$|^W"),
            ("element", b'["k"][1]', b"\\D+|[^a-f\\d]*?"),
        ):
            put("redaction", "%s-%d" % (name, choice), bytes([choice]) + part.join([path, pattern, b"\n[gone]\n\n", body]))
    put("redaction", "comment", b"\2" + part.join([b"", b"secret", b"\r\ndata: x", b": a secret\r\nsecret: secret\r\n\r\n"]))


def lists():
    name = "S-%s-000001-000002.tape.zst" % WRITER
    body = "tapedeck-leaves/1 %s 5\n# words\n# tree 0 2\n%s %s\n%s %s\n" % (name, CALL, "ab" * 32, WRITER, "cd" * 32)
    put("leaves", "two", b"\1" + body.encode())
    put("leaves", "raw", b"\0" + body.encode() + b"sha256 " + b"0" * 64 + b"\n")
    put("leaves", "peaks", b"\1" + body.replace("tree 0 2", "tree 5 2 %s %s" % ("01" * 32, "02" * 32)).encode())
    put("leaves", "newer", b"\1" + body.replace("leaves/1", "leaves/2").encode())
    most = "9223372036854775807"
    put("leaves", "counts", b"\1" + body.replace("tree 0 2", "tree %s %s" % (most, most)).encode())
    start = "tapedeck-erasures/1\n# words\n"
    for name, lines in dict(
        one="=5 archive all 1\n", usage="=5 archive usage 2\n=5 archive all 3\n", catalogue="=5 catalogue all 1\n",
        twice="=5 archive usage 1\n=6 archive all 1\n", bad="00000000 5 archive all %s\nnoise\n" % CALL,
        words="=5 elsewhere all 1\n=5 archive some 1\n=5 archive all 1 more\n=-%s archive all 2" % most,
    ).items():
        put("erasures", name, (start + lines).encode())
    put("erasures", "newer", b"tapedeck-erasures/2\n=5 archive all 1\n")


def tapes():
    part = b"\xff\x1e"
    body = b'data: {"a":"\xe2\x80\xae\\u00e9"}\r\n\r\n: \x1b[31m\xff\n\ndata: [DONE]'
    for choice in (2, 6, 10, 0x72):
        put("tape", "made-%d" % choice, bytes([choice]) + b"\x01\x00x" + part + body)
    for position in (b"\0\x05", b"\5\0", b"\5\x80", b"\6\0", b"\6\x80", b"\7\0"):
        put("tape", "changed-" + position.hex(), b"\2" + position + b"7" + part + body)
    put("tape", "empty", b"\1tapedeck-tape/1\n\nend of tape, 0 calls\n")
    put("tape", "newer", b"\1tapedeck-tape/99\n")
    most = b"9223372036854775807"
    call = b"tapedeck-tape/1\ncall %s\nopen %s\nsalt %s\nrequest 2\n| x\\\\\n" % (
        CALL.encode(), open_json().encode(), SALT.encode())
    put("tape", "huge", b"\1" + call + b"frame %s %s\n| \\xff\nend {}\nleaf 00\nproof %s\n" % (most, most, most))
    put("tape", "wrong-leaf", b"\1" + call + b"frame 5 1\n| x\nleaf " + b"ab" * 32 + b"\nend of tape, 1 calls\n")
    put("tape", "checkpoint", b"\1tapedeck-tape/1\ncheckpoint\n| tapedeck/2026-01-01T00:00:00.000000000Z\\n\n| 1\\n\n| %s\\n\n"
        % base64.b64encode(bytes(32)) + call[16:] + b"proof 0\n")
    put("tape", "bars", b"\1tapedeck-tape/1\n| x\n")


def archives():
    """HTTP archives of browsers and of tapedeck itself."""
    def entry(content, url="https://api.openai.com/v1/chat/completions?api_key=k", **more):
        return {"startedDateTime": "2026-01-02T03:04:05.678+01:00", "time": 5,
                "request": {"method": "POST", "url": url, "headers": [{"name": "authorization", "value": "Bearer k"}],
                            "postData": {"mimeType": "application/json", "text": '{"model":"m"}'}},
                "response": {"status": 200, "httpVersion": "h2", "headers": [{"name": "content-type", "value": "text/event-stream"}],
                             "content": content},
                "timings": {"blocked": 1.5, "dns": -1, "send": 0, "wait": 20, "receive": 3}, **more}

    stream = "data: {\"id\":\"1\"}\n\n: x\r\n\r\ndata: [DONE]\n\n"
    own = {"format": "tapedeck-har/1", "call_id": CALL, "salt": SALT, "origin": "proxy", "upstream": "https://api.orq.ai",
           "method": "POST", "path": "/x", "redactions": [], "has_times": True, "http_status": 200, "http_version": "1.1",
           "head_offset_ns": 5, "how": "done", "cause": "end_of_body", "frames": 2, "bytes": len(stream), "gap_frames": 0,
           "gap_bytes": 0, "clock_step_ns": 0, "frame_bytes": [19, len(stream) - 19], "frame_offsets_ns": [7, 9]}
    body = {"text": stream, "mimeType": "text/event-stream", "size": len(stream)}
    files = {
        "stream": [entry(body)], "base64": [entry({**body, "encoding": "base64", "text": base64.b64encode(stream.encode()).decode()})],
        "own": [entry(body, "https://api.orq.ai/x", _tapedeck=own)], "no-body": [entry({"size": 100})],
        "failed": [{**entry({}), "response": {"status": 0, "_error": "net::ERR_ABORTED"}}], "empty": [],
        "forms": [{"request": {"url": "http://u:p@x:1/chat/completions#f", "postData": {
            "mimeType": "application/x-www-form-urlencoded", "params": [{"name": "a", "value": "1 2"}]}}}],
        "json": [{**entry({}), "response": {"status": 429, "content": {"mimeType": "application/json", "text": "{}"}}}],
        "others": [{"request": {"url": "wss://x/"}}, {"request": {"method": "GET", "url": "http://x/y.png"}}, entry(body)],
    }
    for name, entries in files.items():
        put("har", name, json.dumps({"log": {"version": "1.2", "creator": {}, "entries": entries}}).encode())


def outlines():
    part = b"\xff\x1e"
    streams = [base64.b64decode(vector["sse_base64"]) for vector in vectors("orq.json")]
    for index, stream in enumerate(streams):
        put("outline", "orq-%02d" % index, bytes([index % 4 * 64 & 0xC0]) + stream)
    put("outline", "block", b"\0" + part.join(streams[7:13]))
    put("outline", "opaque", b"\x28" + streams[0])
    words = ["The", " quick", " brown", "\\u00e9", " fox", " \\ud83d", "\\ude00", "", ".", "The quick"]
    chat = b"".join(
        b'data: {"id":"c","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":"%s"},"n":%d}]}\n\n'
        % (word.encode(), index * index) for index, word in enumerate(words)) + b"data: [DONE]\n\n"
    put("outline", "chat", b"\1" + chat)
    put("outline", "cumulative", b"\0" + b"".join(
        b'id: %d\ndata: {"choices":[{"index":0,"message":{"content":"%s"}}],"is_final":%s}\n\n'
        % (index, b"abcdefghijklmnopqrstuvwxyz"[:index], b"true" if index == 20 else b"false") for index in range(1, 21)))
    put("outline", "noise", b"\0" + b"".join(
        b'event: e%d\r\ndata: {"obfuscation":"%s","sequence_number":%d,"d":-%d}\r\n\r\n'
        % (index % 2, base64.b64encode(bytes([index * 37 % 256, index * 91 % 256, index * 11 % 256])), index, index % 3)
        for index in range(40)))
    put("outline", "bytes", b"\x80" + b'\xef\xbb\xbfdata: {"a":"\xff\x00\xe2\x90\x9b"}\r\rdata: {"a":"\xe2\x90\x9b(AA==)"}\n\n: ping\n\ndata: {"a"')


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
    configurations()
    lists()
    tapes()
    archives()
    outlines()


main()
