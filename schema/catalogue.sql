-- The catalogue of a tapedeck store: STORE/catalogue.sqlite
--
-- Derived from STORE/archive alone and disposable: `tapedeck index --rebuild` makes it again, with the same
-- content. Never edit it; nothing is kept here that the archive does not have. There are no migrations: a
-- program that finds another user_version asks for a rebuild.
--
-- For dashboards and ad-hoc SQL the views (v_…) at the end of this file are the stable interface: a later version
-- may add columns to them, and says so if it takes one away. Tables may change with every user_version.
-- Open it read-only (`sqlite3 -readonly STORE/catalogue.sqlite`); the indexer writes in WAL mode beside you.
--
-- Units and conventions
--   *_ns     integer nanoseconds: `started_ns` since 1970-01-01 UTC, all others since the call's start
--   *_at     RFC 3339 UTC with nanoseconds, as text (views only)
--   NULL     not known. Never 0 and never ''. A call without usage has NULL tokens, so sums leave it out.
--   JSON     columns marked JSON hold JSON text: use json_extract(), ->>, json_each()
--   booleans 0 or 1
-- Money is not stored: prices are dated and applied when asked (`tapedeck usage`), so a price fix re-prices the past.

PRAGMA application_id = 1413566532;  -- 'TAPD'
PRAGMA user_version = 5;

-- One row per call: one HTTP exchange, one telemetry span. Written when the call is first seen (state 'open') and
-- again when it has ended; sealing changes only archive_file and archive_offset.
CREATE TABLE calls (
  -- Order of start: milliseconds of the call id << 21 | 21 bits made of its random part. Joins call_tags,
  -- call_text and call_fts to this table, and keeps neighbours in time together on disk.
  call_key INTEGER PRIMARY KEY,
  -- ULID of the call, upper case. What every command takes as CALL.
  call_id TEXT NOT NULL UNIQUE,

  -- Names given by the stream ------------------------------------------------------------------------------
  response_id TEXT,         -- `id` of the chunks
  trace_id TEXT,            -- telemetry.trace_id
  span_id TEXT,             -- telemetry.span_id
  -- Names given by the request -----------------------------------------------------------------------------
  traceparent TEXT,         -- W3C traceparent header as sent
  traceparent_trace_id TEXT, -- its trace id; `--trace` matches this too, as a call that failed early has no telemetry
  thread_id TEXT,           -- thread.id, else X-Tapedeck-Thread, else what the API has for it (schema/dialects.md)
  -- Of a request that names no thread: the response that it goes on from. Its thread is that of the call that made the
  -- response, or the response's id where there is no such call or that call has no other.
  previous_response_id TEXT,
  thread_tags TEXT,         -- JSON array: thread.tags
  -- identity.id, else X-ORQ-IDENTITY-ID, X-ORQ-CONTACT-ID, X-Tapedeck-Identity, else what the API has for it
  identity_id TEXT,
  identity_name TEXT,       -- identity.display_name
  identity_email TEXT,      -- identity.email
  identity_tags TEXT,       -- JSON array: identity.tags
  identity_logo_url TEXT,   -- identity.logo_url
  identity_metadata TEXT,   -- JSON object: identity.metadata
  deployment TEXT,          -- key
  metadata TEXT,            -- JSON object: metadata
  inputs TEXT,              -- JSON object: inputs
  context TEXT,             -- JSON object: context
  request_model TEXT,       -- model, where the request names one, Gemini's in its path
  mock INTEGER NOT NULL,    -- invoke_options.mock_response was given: left out of usage unless asked for

  -- The generation -----------------------------------------------------------------------------------------
  -- grammar the stream was read by: orq, openai_chat, openai_responses, anthropic, gemini, unknown (schema/dialects.md)
  dialect TEXT,
  model TEXT,               -- model that answered: the first named by the stream
  provider TEXT,            -- provider that answered: the first named by the stream, else worked out
  last_model TEXT,          -- the last model named, only where it differs from the first (defect model_changed)
  last_provider TEXT,       -- the same for the provider
  object TEXT,
  created TEXT,             -- `created` of the stream, as sent
  finalized TEXT,           -- `finalized` of the stream, as sent
  integration_id TEXT,
  system_fingerprint TEXT,
  content_mode TEXT,        -- delta | cumulative
  text TEXT,                -- first 200 characters of the content of choice 0
  finish_reason TEXT,       -- of choice 0
  choice_count INTEGER NOT NULL,
  tool_call_count INTEGER NOT NULL,
  retrieval_count INTEGER NOT NULL,

  -- How it went --------------------------------------------------------------------------------------------
  -- The first that holds of: lost (no end on tape and the recorder is gone), open (no end yet), upstream_error
  -- (no response, status >= 400, or an error frame; but where the client left before any response, nothing is
  -- upstream's fault), done (complete), client_abort (the client closed, also where upstream was read on behind it),
  -- timeout, upstream_cut.
  state TEXT NOT NULL,
  complete INTEGER NOT NULL, -- the dialect's last event was seen ([DONE], is_final, message_stop, …) and no error frame
  http_status INTEGER,      -- NULL: there was no response
  end_cause TEXT,           -- what the transport saw: end_of_body | client_closed | upstream_closed | timeout |
                            -- upstream_failed | archive_stopped; NULL while open and when lost
  end_detail TEXT,          -- one sentence on what failed
  client_closed_ns INTEGER, -- when the client closed, also if upstream was drained to its end afterwards
  error_message TEXT,       -- of the error frame or error body, without inline media, cut to 10,000 Unicode scalars
  error_code,               -- a text or a number, as sent
  error_source TEXT,
  error_frame INTEGER,
  defects TEXT NOT NULL,    -- JSON array of {kind, frame, message}
  defect_count INTEGER NOT NULL,
  gap_frames INTEGER NOT NULL, -- frames that the client got and the archive could not take
  gap_bytes INTEGER NOT NULL,

  -- Usage: facts as the provider reported them -----------------------------------------------------------------
  has_usage INTEGER NOT NULL,
  prompt_tokens INTEGER,     -- cached_tokens are part of these
  completion_tokens INTEGER, -- reasoning_tokens are part of these, unless total = prompt + completion + reasoning
  total_tokens INTEGER,
  cached_tokens INTEGER,
  reasoning_tokens INTEGER,
  usage_frame INTEGER,       -- which frame said so
  usage_unknown_reason TEXT, -- why there is none although the stream had one
  usage_contradiction TEXT,  -- what is impossible about the numbers; such a call is not priced

  -- Times and sizes ----------------------------------------------------------------------------------------
  started_ns INTEGER NOT NULL,
  first_byte_ns INTEGER,     -- response head; NULL too for captures without clock, like the four below
  first_frame_ns INTEGER,
  first_content_ns INTEGER,  -- first frame with content, reasoning, a tool call or an image: time to first token
  duration_ns INTEGER,       -- NULL while open and when lost
  longest_gap_ns INTEGER,    -- longest time between two frames; NULL with fewer than two
  clock_step_ns INTEGER NOT NULL, -- by how much the wall clock was moved during the call
  frames INTEGER NOT NULL,   -- on tape
  bytes INTEGER NOT NULL,    -- of the response body on tape
  request_bytes INTEGER NOT NULL,

  -- Where it came from, where it lies --------------------------------------------------------------------------
  origin TEXT NOT NULL,      -- proxy | record | library | import
  upstream TEXT,             -- scheme, host and port
  method TEXT NOT NULL,
  path TEXT NOT NULL,        -- with query, secrets replaced
  key_fingerprint TEXT,      -- keyed hash of the credential: tells keys apart, cannot be turned back
  redactions TEXT NOT NULL,  -- JSON array: what was changed or removed before taping
  request_sha256 TEXT NOT NULL, -- hex, of the request body
  archive_file TEXT NOT NULL, -- within STORE/archive
  archive_offset INTEGER NOT NULL,
  leaf_hash TEXT,            -- hex, the call's leaf in the Merkle tree; NULL while open
  -- When the call was erased, ns since 1970. Such a row is there only if its usage was kept, and has nothing else: it
  -- counts in sums of usage and is in no list of calls. NULL for all others.
  erased_ns INTEGER
);

CREATE INDEX calls_by_start ON calls (started_ns);
CREATE INDEX calls_by_trace ON calls (trace_id) WHERE trace_id IS NOT NULL;
CREATE INDEX calls_by_traceparent ON calls (traceparent_trace_id) WHERE traceparent_trace_id IS NOT NULL;
CREATE INDEX calls_by_span ON calls (span_id) WHERE span_id IS NOT NULL;
CREATE INDEX calls_by_response ON calls (response_id) WHERE response_id IS NOT NULL;
CREATE INDEX calls_by_thread ON calls (thread_id, started_ns) WHERE thread_id IS NOT NULL;
CREATE INDEX calls_by_previous ON calls (previous_response_id, thread_id) WHERE previous_response_id IS NOT NULL;
CREATE INDEX calls_by_identity ON calls (identity_id, started_ns) WHERE identity_id IS NOT NULL;
CREATE INDEX calls_by_email ON calls (identity_email COLLATE NOCASE, identity_id) WHERE identity_email IS NOT NULL;
CREATE INDEX calls_by_deployment ON calls (deployment, started_ns) WHERE deployment IS NOT NULL;
CREATE INDEX calls_by_request ON calls (request_sha256, started_ns);
-- Counts by place and state come from this one alone.
CREATE INDEX calls_by_file ON calls (archive_file, state, bytes);
-- What is rare is found without looking at the rest.
CREATE INDEX calls_not_done ON calls (state, started_ns) WHERE state <> 'done';
CREATE INDEX calls_mock ON calls (started_ns) WHERE mock;
CREATE INDEX calls_with_defects ON calls (started_ns) WHERE defect_count > 0;
CREATE INDEX calls_with_gaps ON calls (started_ns) WHERE gap_frames > 0 OR gap_bytes > 0;

-- Calls that were erased: what the archive has of them is a tombstone. Nothing here says whose they were.
CREATE TABLE erased (
  call_id TEXT PRIMARY KEY,
  started_ns INTEGER NOT NULL,
  erased_ns INTEGER NOT NULL,
  archive_file TEXT NOT NULL
) WITHOUT ROWID;

-- One row per tag of a call. kind 'thread' is what `--tag` and `usage --by tag` mean, 'identity' is `--identity-tag`.
CREATE TABLE call_tags (
  kind TEXT NOT NULL CHECK (kind IN ('thread', 'identity')),
  tag TEXT NOT NULL,
  call_key INTEGER NOT NULL REFERENCES calls (call_key),
  PRIMARY KEY (kind, tag, call_key)
) WITHOUT ROWID;

CREATE INDEX call_tags_by_call ON call_tags (call_key);

-- The text of a call as people wrote and read it, base64 media left out. `prompt` is there as soon as the call is
-- seen, `completion` when it has ended.
CREATE TABLE call_text (
  call_key INTEGER PRIMARY KEY REFERENCES calls (call_key),
  prompt TEXT NOT NULL,
  completion TEXT NOT NULL
);

-- Full text over call_text. rowid = calls.call_key. Each character of a script that is written without spaces
-- (Chinese, Japanese, Korean, Thai, Lao, Khmer, Burmese) is a word of its own here, so 数据 is asked for as the phrase
-- "数 据":   SELECT c.* FROM call_fts JOIN v_calls c ON c.call_key = call_fts.rowid WHERE call_fts MATCH '"数 据"'
-- Case and accents do not matter. The table is contentless (its text is in call_text), so it has no columns to read.
CREATE VIRTUAL TABLE call_fts USING fts5 (
  prompt, completion, content = '', tokenize = "unicode61 remove_diacritics 2"
);

-- The facts of `calls` that usage is added up from once more, by columns: sums over many calls read these few bytes a
-- call instead of whole rows. Every call is in exactly one of the two tables. Blocks do not overlap, and have up to 2048
-- calls that have ended, by identity; a call that changes takes its whole block among the loose ones.
--
-- data: u32 number of calls; the name columns state, identity_id, thread_tags, deployment, provider, model,
-- usage_unknown_reason, usage_contradiction; the number columns started_ns, has_usage + 2 * mock, prompt_tokens,
-- completion_tokens, total_tokens, cached_tokens, reasoning_tokens, first_content_ns, duration_ns.
-- threads: u32 number of calls; the name column thread_id, which is nearly half of the bytes and rarely asked for.
-- A number column is u8 width (0, 1, 2, 4 or 8), i64 base, and for each call an unsigned number of so many bytes: what
-- is to be added to the base, or all ones for NULL; with width 0 all are NULL. A name column is u32 number of texts,
-- each text as u32 bytes and UTF-8, then a number column: each call's place in that list. All little-endian.
CREATE TABLE usage_blocks (
  first_key INTEGER PRIMARY KEY,
  last_key INTEGER NOT NULL,
  first_started_ns INTEGER NOT NULL,
  last_started_ns INTEGER NOT NULL,
  calls INTEGER NOT NULL,
  data BLOB NOT NULL,
  threads BLOB NOT NULL
);

CREATE INDEX usage_blocks_by_start ON usage_blocks (first_started_ns, last_started_ns);

CREATE TABLE usage_loose (
  call_key INTEGER PRIMARY KEY REFERENCES calls (call_key)
);

-- What of the archive is indexed: one row per file of STORE/archive, in the same transaction as the file's calls.
CREATE TABLE sources (
  file TEXT PRIMARY KEY,
  kind TEXT NOT NULL CHECK (kind IN ('journal', 'segment')),
  -- Bytes of the file that are in the catalogue; less than the file's size means: there is more to index.
  indexed_bytes INTEGER NOT NULL,
  -- When the file was last changed, ns since 1970, if that was asked. Erasing and repacking write a segment anew; a
  -- journal of this size and time is not read again, unless a call of its writer goes on.
  modified_ns INTEGER NOT NULL,
  -- A number of the machine's boot in which a journal was read: what was read of it before another boot is read again, as
  -- its end may not have survived. NULL for a segment, which is synced before it has its name.
  boot INTEGER
) WITHOUT ROWID;

-- What could not be read while indexing. Empty when all is well.
CREATE TABLE damage (
  file TEXT NOT NULL,
  offset INTEGER NOT NULL,
  calls TEXT NOT NULL,      -- JSON array of call ids
  message TEXT NOT NULL,
  PRIMARY KEY (file, offset, message)
) WITHOUT ROWID;

-- Views: the stable interface ====================================================================================

-- One row per call with readable times; everything of `calls` is here under the same name.
CREATE VIEW v_calls AS
SELECT
  calls.*,
  strftime('%Y-%m-%dT%H:%M:%S', started_ns / 1000000000, 'unixepoch') || printf('.%09dZ', started_ns % 1000000000)
    AS started_at,
  date(started_ns / 1000000000, 'unixepoch') AS day,                 -- UTC
  first_byte_ns / 1e6 AS first_byte_ms,
  first_frame_ns / 1e6 AS first_frame_ms,
  first_content_ns / 1e6 AS first_content_ms,
  duration_ns / 1e6 AS duration_ms,
  longest_gap_ns / 1e6 AS longest_gap_ms,
  state IN ('upstream_error', 'upstream_cut', 'timeout', 'lost') AS is_error,
  state = 'client_abort' AS is_abort
FROM calls;

-- Usage per UTC day, identity, deployment, provider and model; mock calls are left out. A NULL group is a value too:
-- calls without identity. Sum it up further as you like; cost comes from `tapedeck usage`.
CREATE VIEW v_usage_daily AS
SELECT
  day, identity_id, deployment, provider, model,
  count(*) AS calls,
  sum(is_error) AS errors,
  sum(is_abort) AS aborts,
  sum(prompt_tokens) AS prompt_tokens,
  sum(completion_tokens) AS completion_tokens,
  sum(total_tokens) AS total_tokens,
  sum(cached_tokens) AS cached_tokens,
  sum(reasoning_tokens) AS reasoning_tokens,
  sum(NOT has_usage) AS calls_without_usage,
  avg(first_content_ms) AS first_content_ms_avg,
  avg(duration_ms) AS duration_ms_avg
FROM v_calls
WHERE NOT mock
GROUP BY day, identity_id, deployment, provider, model;

-- One row per identity. Name, email, tags, logo and metadata are those of the latest call that gave them.
CREATE VIEW v_identities AS
SELECT
  identity_id,
  (SELECT n.identity_name FROM calls n WHERE n.identity_id = c.identity_id AND n.identity_name IS NOT NULL
    ORDER BY n.started_ns DESC, n.call_key DESC LIMIT 1) AS display_name,
  (SELECT n.identity_email FROM calls n WHERE n.identity_id = c.identity_id AND n.identity_email IS NOT NULL
    ORDER BY n.started_ns DESC, n.call_key DESC LIMIT 1) AS email,
  (SELECT n.identity_tags FROM calls n WHERE n.identity_id = c.identity_id AND n.identity_tags IS NOT NULL
    ORDER BY n.started_ns DESC, n.call_key DESC LIMIT 1) AS tags,
  (SELECT n.identity_logo_url FROM calls n WHERE n.identity_id = c.identity_id AND n.identity_logo_url IS NOT NULL
    ORDER BY n.started_ns DESC, n.call_key DESC LIMIT 1) AS logo_url,
  (SELECT n.identity_metadata FROM calls n WHERE n.identity_id = c.identity_id AND n.identity_metadata IS NOT NULL
    ORDER BY n.started_ns DESC, n.call_key DESC LIMIT 1) AS metadata,
  min(started_at) AS first_seen,
  max(started_at) AS last_seen,
  count(*) AS calls,
  sum(is_error) AS errors,
  sum(total_tokens) AS total_tokens
FROM v_calls c
WHERE identity_id IS NOT NULL
GROUP BY identity_id;

-- One row per thread.
CREATE VIEW v_threads AS
SELECT
  thread_id,
  min(started_at) AS first_seen,
  max(started_at) AS last_seen,
  count(*) AS calls,
  count(DISTINCT identity_id) AS identities,
  sum(is_error) AS errors,
  sum(prompt_tokens) AS prompt_tokens,
  sum(completion_tokens) AS completion_tokens,
  sum(total_tokens) AS total_tokens
FROM v_calls
WHERE thread_id IS NOT NULL
GROUP BY thread_id;

-- One row per trace: telemetry's trace id, or for calls that never got one the traceparent's.
CREATE VIEW v_traces AS
SELECT
  coalesce(trace_id, traceparent_trace_id) AS trace_id,
  min(started_at) AS first_seen,
  max(started_at) AS last_seen,
  count(*) AS calls,
  sum(is_error) AS errors,
  sum(total_tokens) AS total_tokens
FROM v_calls
WHERE coalesce(trace_id, traceparent_trace_id) IS NOT NULL
GROUP BY coalesce(trace_id, traceparent_trace_id);

-- One row per call and thread tag: a call with two tags is here twice.
CREATE VIEW v_call_tags AS
SELECT t.kind, t.tag, c.*
FROM call_tags t JOIN v_calls c USING (call_key);

-- One row per defect of a call.
CREATE VIEW v_defects AS
SELECT
  c.call_id, c.started_at, c.model, c.provider, c.state,
  d.value ->> '$.kind' AS kind, d.value ->> '$.frame' AS frame, d.value ->> '$.message' AS message
FROM v_calls c, json_each(c.defects) d
WHERE c.defect_count > 0;

-- Calls of which the archive does not have all that the client got.
CREATE VIEW v_gaps AS
SELECT call_id, started_at, upstream, path, state, frames, bytes, gap_frames, gap_bytes
FROM v_calls
WHERE gap_frames > 0 OR gap_bytes > 0;
