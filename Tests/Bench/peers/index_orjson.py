"""A script as indexer: orjson and sqlite3, the same frames -> one row per call with full text.

    index_orjson.py FRAMES.ndjson.zst OUT.sqlite
"""
import io
import sqlite3
import sys

import orjson
import zstandard

source, out = sys.argv[1:]
calls = {}
with open(source, "rb") as file:
    for line in io.BufferedReader(zstandard.ZstdDecompressor().stream_reader(file), 1 << 20):
        frame = orjson.loads(line)
        if not (name := frame.get("id")):
            continue
        call = calls.setdefault(name, [frame.get("model"), (frame.get("telemetry") or {}).get("trace_id"), [], None])
        for choice in frame.get("choices") or []:
            content = (choice.get("message") or {}).get("content")
            if isinstance(content, str):
                call[2].append(content)
        if frame.get("usage"):
            call[3] = frame["usage"]
base = sqlite3.connect(out)
base.executescript("CREATE TABLE calls (id PRIMARY KEY, model, trace_id, usage); CREATE VIRTUAL TABLE text USING fts5 (completion);")
for name, (model, trace, text, usage) in calls.items():
    row = base.execute("INSERT INTO calls VALUES (?, ?, ?, ?)", (name, model, trace, usage and orjson.dumps(usage))).lastrowid
    base.execute("INSERT INTO text (rowid, completion) VALUES (?, ?)", (row, "".join(text)))
base.commit()
print(len(calls))
