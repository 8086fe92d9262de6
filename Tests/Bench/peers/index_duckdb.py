"""DuckDB as indexer: frames as compressed JSON lines -> one row per call with its text and last usage, in a file.

    index_duckdb.py FRAMES.ndjson.zst OUT.duckdb
"""
import sys

import duckdb

source, out = sys.argv[1:]
base = duckdb.connect(out)
base.execute("SET threads = 1")
base.execute("""
    CREATE TABLE calls AS
    SELECT id, any_value(model) AS model, any_value(provider) AS provider, any_value(telemetry.trace_id) AS trace_id,
           string_agg(choices[1].message.content, '') AS text, last(usage) FILTER (usage IS NOT NULL) AS usage
    FROM read_ndjson(?, compression = 'zstd', maximum_object_size = 33554432, columns = {
      id: 'VARCHAR', model: 'VARCHAR', provider: 'VARCHAR', telemetry: 'STRUCT(trace_id VARCHAR, span_id VARCHAR)', usage: 'JSON',
      choices: 'STRUCT(message STRUCT(content VARCHAR))[]'})
    WHERE id IS NOT NULL GROUP BY id""", [source])
print(base.execute("SELECT count(*) FROM calls").fetchone()[0])
