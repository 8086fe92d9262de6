"""Spans reach a real collector (rotel), and what it passes on says what was recorded."""

import contextlib
import gzip
import http.server
import json
import os
import pathlib
import socket
import subprocess
import threading

import pytest
import rotel
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest, ExportTraceServiceResponse)
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status, TracesData

from conftest import Tapedeck
from upstream import RESPONSE_ID

AGENT = pathlib.Path(rotel.__file__).parent / "rotel-agent"
TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


class Sink(http.server.ThreadingHTTPServer):
    """Takes spans, and answers as it is told: a list of (status, headers, body), the last one for good."""

    def __init__(self, *answers):
        self.answers = list(answers) or [(200, {}, b"")]
        self.requests = []
        sink = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                if self.headers.get("content-encoding") == "gzip":
                    body = gzip.decompress(body)
                sink.requests.append((self.path, {k.lower(): v for k, v in self.headers.items()}, body))
                status, headers, answer = sink.answers.pop(0) if len(sink.answers) > 1 else sink.answers[0]
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Type", "application/x-protobuf")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_):
                pass

        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"

    def __enter__(self):
        threading.Thread(target=self.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()

    def spans(self):
        return [span for _, _, body in self.requests for span in spans(ExportTraceServiceRequest.FromString(body))]


def spans(message):
    return [span for resource in message.resource_spans for scope in resource.scope_spans for span in scope.spans]


def attributes(span):
    def value(any):
        kind = any.WhichOneof("value")
        return [value(item) for item in any.array_value.values] if kind == "array_value" else getattr(any, kind)
    return {pair.key: value(pair.value) for pair in span.attributes}


def free_port():
    with contextlib.closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="module")
def deck(tmp_path_factory):
    """The calls of the demo, and some with ids and ends of other kinds."""
    folder = tmp_path_factory.mktemp("demo")
    deck = Tapedeck(folder / "store")
    deck.run("demo", "--store", deck.store)
    lines = []

    def call(number, frames, how, headers=(), status=200, **body):
        start = 1_780_000_000_000_000_000 + number * 10**9
        lines.append({"t_ns": start, "call": number, "ev": "open", "request": {"key": "other", **body}, "http_status": status,
                      "upstream": "https://api.orq.ai", "path": "/v2/deployments/stream", "headers": list(headers),
                      "response_headers": [["content-type", "text/event-stream"]]})
        lines.extend({"t_ns": start + 250_000_000, "call": number, "ev": "frame", "raw": frame.decode()} for frame in frames)
        lines.append({"t_ns": start + 10**9, "call": number, "ev": "end", "how": how})

    telemetry = lambda trace, span: b"data: %s\n\n" % json.dumps({
        "id": RESPONSE_ID, "object": "chat", "model": "gpt-4o-mini", "provider": "openai",
        "telemetry": {"trace_id": trace, "span_id": span},
        "choices": [{"index": 0, "message": {"type": "content", "role": "assistant", "content": "hi"}}]}).encode()
    traceparent = [["traceparent", f"00-{TRACE}-{PARENT}-01"], ["tracestate", "orq=1"]]
    call(0, [telemetry("01K8TRACE", "01K8SPAN"), b"data: [DONE]\n\n"], "done", traceparent)
    call(1, [telemetry(TRACE, "1111111111111111"), b"data: [DONE]\n\n"], "done", traceparent)
    call(2, [telemetry("01K8TRACE", "2222222222222222")], "upstream_cut")
    call(3, [b'data: {"error":{"code":"rate_limit","message":"slow down"}}\n\n'], "error", traceparent, status=429)
    (folder / "more.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    deck.more = deck.run("import", folder / "more.jsonl").split()
    return deck


def check(deck, received):
    received = {attributes(span)["tapedeck.call_id"]: span for span in received}
    calls = deck.calls()
    assert set(received) == {call["call_id"] for call in calls}
    for call in calls:
        span, found = received[call["call_id"]], attributes(received[call["call_id"]])
        wanted = {
            "gen_ai.operation.name": "chat", "gen_ai.response.id": call["response_id"], "gen_ai.response.model": call["model"],
            "gen_ai.conversation.id": call["thread_id"], "tapedeck.state": call["state"],
            "http.response.status_code": call["http_status"], "user.id": call["identity_id"],
        }
        usage = call["usage"] or {}
        for name, key in [("input_tokens", "prompt_tokens"), ("output_tokens", "completion_tokens"),
                          ("cache_read.input_tokens", "cached_tokens"), ("reasoning.output_tokens", "reasoning_tokens")]:
            wanted[f"gen_ai.usage.{name}"] = usage.get(key)
        for key, value in wanted.items():
            assert found.get(key) == value, key
        shown = deck.show(call["call_id"])
        reasons = [choice["finish_reason"] for choice in shown["choices"] if choice["finish_reason"]]
        assert found.get("gen_ai.response.finish_reasons", []) == reasons
        assert span.kind == Span.SPAN_KIND_CLIENT and len(span.trace_id) == 16 and len(span.span_id) == 8
        if call["timings"]["first_frame_ms"] is not None and call["http_status"] == 200:
            assert found["gen_ai.response.time_to_first_chunk"] == pytest.approx(call["timings"]["first_frame_ms"] / 1000)
        if call["timings"]["duration_ms"] is not None:
            took = (span.end_time_unix_nano - span.start_time_unix_nano) / 1e6
            assert took == pytest.approx(call["timings"]["duration_ms"])
        failed = call["state"] in ("upstream_error", "upstream_cut", "timeout", "lost")
        assert (span.status.code == Status.STATUS_CODE_ERROR) == failed == ("error.type" in found)
    return [received[call] for call in deck.more]


def test_a_real_collector_takes_the_spans(deck, tmp_path):
    with Sink() as sink:
        port = free_port()
        clean = {key: value for key, value in os.environ.items() if not key.startswith("ROTEL_")}
        with open(tmp_path / "rotel.log", "wb") as log:
            agent = subprocess.Popen(
                [AGENT, "start", "--otlp-http-endpoint", f"127.0.0.1:{port}", "--otlp-grpc-endpoint", f"127.0.0.1:{free_port()}",
                 "--exporter", "otlp", "--otlp-exporter-protocol", "http", "--otlp-exporter-endpoint", sink.url,
                 "--pid-file", tmp_path / "rotel.pid"], env=clean, stdout=log, stderr=log)
        try:
            # The collector may take a moment to listen; the export tries again.
            count = len(deck.calls())
            deck.run("export", "--to", "otlp", "--endpoint", f"http://127.0.0.1:{port}")
            assert f"{count} spans sent" in deck.stderr
            deck.wait_for(lambda: len(sink.spans()) >= count)
        finally:
            agent.terminate()
            agent.wait(20)
        mapped, child, cut, refused = check(deck, sink.spans())
    assert mapped.trace_id.hex() != TRACE and mapped.parent_span_id == b""
    assert attributes(mapped)["tapedeck.trace_id"] == "01K8TRACE" and attributes(mapped)["tapedeck.span_id"] == "01K8SPAN"
    assert mapped.links[0].trace_id.hex() == TRACE and mapped.links[0].span_id.hex() == PARENT
    assert child.trace_id.hex() == TRACE and child.span_id.hex() == "1111111111111111"
    assert child.parent_span_id.hex() == PARENT and child.trace_state == "orq=1" and not child.links
    assert "tapedeck.trace_id" not in attributes(child)
    assert cut.trace_id == mapped.trace_id and cut.span_id.hex() == "2222222222222222"
    assert attributes(cut)["error.type"] == "upstream_cut"
    assert refused.trace_id.hex() == TRACE and refused.parent_span_id.hex() == PARENT
    assert attributes(refused)["error.type"] == "rate_limit" and refused.status.message == "slow down"
    assert attributes(refused)["server.address"] == "api.orq.ai" and attributes(refused)["server.port"] == 443


def test_a_file_has_the_same_spans_as_one_message(deck, tmp_path):
    deck.run("export", "--to", "otlp", "-o", tmp_path / "spans")
    body = (tmp_path / "spans").read_bytes()
    assert body == deck.run("export", "--to", "otlp", text=False)
    check(deck, spans(TracesData.FromString(body)))


def test_content_goes_out_only_when_asked_for(deck):
    said = [text for text in ("refund", "Once upon a time") if text in deck.run("export", "--to", "ndjson")]
    assert len(said) == 2
    plain = deck.run("export", "--to", "otlp", text=False)
    full = deck.run("export", "--to", "otlp", "--content", text=False)
    for text in said:
        assert text.encode() not in plain.replace(b"thread_refund", b"") and text.encode() in full.replace(b"thread_refund", b"")
    for span in spans(TracesData.FromString(full)):
        found = attributes(span)
        shown = deck.show(found["tapedeck.call_id"])
        output = json.loads(found.get("gen_ai.output.messages", "[]"))
        assert len(output) == len(shown["choices"])
        for message, choice in zip(output, shown["choices"]):
            texts = [part["content"] for part in message["parts"] if part["type"] == "text"]
            assert texts == ([choice["content"]] if choice["content"] else []) and message["finish_reason"]
            calls = [part["name"] for part in message["parts"] if part["type"] == "tool_call"]
            assert calls == [call["name"] for call in choice["tool_calls"]]


def test_headers_and_paths_are_as_given(deck):
    with Sink() as sink:
        os.environ["OTEL_EXPORTER_OTLP_HEADERS"] = "x-tenant=a%20b,x-key=1"
        try:
            for suffix in ("", "/", "/v1/traces", "/base", "/base/v1/traces?x=1"):
                deck.run("export", "--to", "otlp", "@1", "--endpoint", sink.url + suffix, "-H", "X-One: two")
        finally:
            del os.environ["OTEL_EXPORTER_OTLP_HEADERS"]
        assert [path for path, _, _ in sink.requests] == [
            "/v1/traces", "/v1/traces", "/v1/traces", "/base/v1/traces", "/base/v1/traces?x=1"]
        headers = sink.requests[0][1]
        assert headers["content-type"] == "application/x-protobuf" and headers["x-one"] == "two"
        assert headers["x-tenant"] == "a b" and headers["x-key"] == "1"
        deck.run("export", "--to", "otlp", "@1", "--endpoint", sink.url.replace("http://", "http://ada:pw@"))
        assert sink.requests[-1][1]["authorization"] == "Basic YWRhOnB3"


def test_a_busy_collector_is_asked_again(deck):
    with Sink((429, {"Retry-After": "0"}, b""), (503, {}, b""), (200, {}, b"")) as sink:
        deck.run("export", "--to", "otlp", "--endpoint", sink.url)
        assert len(sink.requests) == 3 and len({body for _, _, body in sink.requests}) == 1


@pytest.mark.parametrize("status", [400, 401, 413, 500])
def test_a_refusal_is_told_and_not_asked_again(deck, status):
    with Sink((status, {}, b"\x12\x0eno such tenant")) as sink:
        assert deck.run("export", "--to", "otlp", "--endpoint", sink.url, code=2) == ""
        assert len(sink.requests) == 1
        assert f"HTTP {status}: no such tenant" in deck.stderr and sink.url in deck.stderr


def test_partial_success_is_told(deck):
    answer = ExportTraceServiceResponse()
    answer.partial_success.rejected_spans = 3
    answer.partial_success.error_message = "too old"
    with Sink((200, {}, answer.SerializeToString())) as sink:
        deck.run("export", "--to", "otlp", "--endpoint", sink.url, code=2)
        assert len(sink.requests) == 1
        assert "rejected 3 of" in deck.stderr and "too old" in deck.stderr
    answer.partial_success.rejected_spans = 0
    with Sink((200, {}, answer.SerializeToString())) as sink:
        deck.run("export", "--to", "otlp", "--endpoint", sink.url)
        assert "too old" in deck.stderr


def test_a_collector_that_is_not_there_is_named_without_its_password(deck):
    port = free_port()
    deck.run("export", "--to", "otlp", "--endpoint", f"http://ada:secret@127.0.0.1:{port}", code=2)
    assert f"127.0.0.1:{port}" in deck.stderr and "secret" not in deck.stderr


@pytest.mark.parametrize("flags", [
    ["--endpoint", "nonsense"], ["--endpoint", "ftp://x"], ["--endpoint", "http://127.0.0.1:1", "-o", "x"],
    ["-H", "a: b"], ["--endpoint", "http://127.0.0.1:1", "-H", "no colon"], ["--endpoint", "http://127.0.0.1:1", "-H", "a b: c"],
    ["--endpoint", "http://127.0.0.1:1", "-H", "a: b\r\nc: d"], ["--full"],
])
def test_flags_that_make_no_sense_are_refused(deck, flags):
    assert deck.run("export", "--to", "otlp", *flags, code=64) == ""
