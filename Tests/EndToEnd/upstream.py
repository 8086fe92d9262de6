"""A scripted orq-like upstream on a raw socket: the same request always gets the same bytes.

The request's `key` names what happens; `n`, `gap_ms` and friends come from its `inputs`.
Loopback only. It keeps what it received, so that tests can look at what was forwarded.
"""

import gzip
import json
import pathlib
import re
import socket
import threading
import time

RESPONSE_ID = "01JD0Z6Q8R3T5V7W9XABCDEFGH"
TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"


def chunk(content, *, final=False, usage=None, n=0, **message):
    value = {
        "id": RESPONSE_ID,
        "created": "2026-11-20T12:00:00.000Z",
        "object": "chat",
        "model": "gpt-4o-mini",
        "provider": "openai",
        "is_final": final,
        "telemetry": {"trace_id": TRACE_ID, "span_id": "00f067aa0ba902b7"},
        "choices": [
            {
                "index": 0,
                "message": {"type": "content", "role": "assistant", "content": content, **message},
                "finish_reason": "stop" if final else None,
            }
        ],
    }
    if usage:
        value["usage"] = usage
    return b"data: " + json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode() + b"\n\n"


VECTORS = pathlib.Path(__file__).parent.parent / "Vectors"

USAGE = {"total_tokens": 120, "prompt_tokens": 100, "completion_tokens": 20}
DONE = b"data: [DONE]\n\n"


def text_frames(n):
    words = [f"word{i} " if i % 7 else f"wörd{i} 数据 \"q\"\n" for i in range(n)]
    return [chunk(word) for word in words] + [chunk("", final=True, usage=USAGE), DONE]


MEGABYTE = b"".join(chunk(f"{i:04d}" + "x" * (4096 - len(chunk("0000")))) for i in range(256))
assert len(MEGABYTE) == 1 << 20


class Upstream:
    def __init__(self):
        self.server = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port = self.server.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.requests = []
        self.aborted = 0
        self.flooded = 0
        self.stopping = False
        threading.Thread(target=self._accept, daemon=True).start()

    def stop(self):
        self.stopping = True
        self.server.close()

    def _accept(self):
        while not self.stopping:
            try:
                connection, _ = self.server.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        try:
            with connection, connection.makefile("rb") as reader:
                while self._one(connection, reader):
                    pass
        except (ConnectionError, BrokenPipeError, OSError):
            self.aborted += 1

    def _one(self, connection, reader):
        line = reader.readline()
        if not line:
            return False
        method, path, _ = line.decode("latin-1").split(" ", 2)
        headers = []
        while (line := reader.readline()) not in (b"\r\n", b""):
            name, _, value = line.decode("latin-1").rstrip("\r\n").partition(":")
            headers.append((name, value.strip()))
        lower = {name.lower(): value for name, value in headers}
        body = b""
        if lower.get("transfer-encoding", "").lower() == "chunked":
            while size := int(reader.readline(), 16):
                body += reader.read(size)
                reader.readline()
            reader.readline()
        elif "content-length" in lower:
            body = reader.read(int(lower["content-length"]))
        self.requests.append({"method": method, "path": path, "headers": headers, "body": body})
        try:
            request = json.loads(body) if body else {}
        except ValueError:
            request = {}
        if status := lower.get("x-fail"):
            return self.fail(connection, int(status))
        if play := lower.get("x-play"):
            return self.play_vector(connection, play, lower.get("x-response"), float(lower.get("x-gap", 0)))
        name = str(request.get("key", "models")).replace("-", "_") if isinstance(request, dict) else "models"
        name = re.sub(r"_\d+$", "", name)
        return getattr(self, "play_" + name, self.play_text)(connection, request)

    # How answers are sent.

    @staticmethod
    def head(connection, status="200 OK", content_type="text/event-stream", extra=()):
        lines = [f"HTTP/1.1 {status}", f"Content-Type: {content_type}", *extra]
        connection.sendall("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n")

    @staticmethod
    def send(connection, data):
        connection.sendall(b"%x\r\n%s\r\n" % (len(data), data))

    def stream(self, connection, frames, gap=0.0, end=True):
        self.head(connection, extra=["Transfer-Encoding: chunked"])
        for frame in frames:
            self.send(connection, frame)
            if gap:
                time.sleep(gap)
        if end:
            connection.sendall(b"0\r\n\r\n")
        return end

    def whole(self, connection, status, content_type, data, extra=()):
        self.head(connection, status, content_type, [f"Content-Length: {len(data)}", *extra])
        connection.sendall(data)
        return True

    def fail(self, connection, status):
        """An error that every SDK can read."""
        error = {"code": status, "message": "the harbour is closed", "status": "UNAVAILABLE", "type": "harbour_error"}
        data = json.dumps({"type": "error", "error": error}).encode()
        return self.whole(connection, f"{status} Closed", "application/json", data, ["Retry-After: 1"])

    def play_vector(self, connection, name, response=None, gap=0.0):
        """One of `Tests/Vectors/dialects.json`, whatever was asked; `response` for the id of a Responses API's."""
        vectors = json.loads((VECTORS / "dialects.json").read_text())["vectors"]
        vector = next(v for v in vectors if v["name"] == name)
        if "frames" not in vector:
            return self.whole(connection, f"{vector['status']} Whatever", vector["content_type"], vector["body"].encode())
        frames = vector["frames"]
        if response:
            frames = [frame.replace(vector["want"]["response_id"], response) for frame in frames]
        return self.stream(connection, [frame.encode() for frame in frames], gap, end=vector["end"] == "end_of_body")

    # What the keys mean.

    def play_text(self, connection, request):
        inputs = request.get("inputs") or {}
        frames = text_frames(int(inputs.get("n", 20)))
        return self.stream(connection, frames, gap=float(inputs.get("gap_ms", 0)) / 1000)

    def play_echo(self, connection, request):
        """Says `inputs.say` back, in pieces of 4 characters, `gap_ms` apart; ends when it is over."""
        inputs = request.get("inputs") or {}
        say = inputs.get("say", "")
        frames = [chunk(say[i : i + 4]) for i in range(0, len(say), 4)]
        return self.stream(connection, frames + [chunk("", final=True, usage=USAGE), DONE],
                           gap=float(inputs.get("gap_ms", 0)) / 1000)

    def play_models(self, connection, request):
        return self.whole(connection, "200 OK", "application/json", b'[{"id":"gpt-4o-mini"}]')

    def play_refuse(self, connection, request):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        return False

    def play_silent(self, connection, request):
        time.sleep(float((request.get("inputs") or {}).get("seconds", 5)))
        return False

    def play_stalls(self, connection, request):
        self.stream(connection, [chunk("Hel")], end=False)
        time.sleep(float((request.get("inputs") or {}).get("seconds", 5)))
        return False

    def play_closes_mid_frame(self, connection, request):
        return self.stream(connection, [chunk("Hel"), b'data: {"id":"' + RESPONSE_ID.encode()], end=False)

    def play_unauthorized(self, connection, request):
        data = b'{"code":401,"error":"Unauthorized: no such key","source":"platform"}'
        return self.whole(connection, "401 Unauthorized", "application/json", data)

    def play_html(self, connection, request):
        data = b"<html><head><title>502 Bad Gateway</title></head><body><h1>502</h1></body></html>"
        return self.whole(connection, "502 Bad Gateway", "text/html", data)

    def play_error_frame(self, connection, request):
        error = b'data: {"error":{"code":429,"message":"Rate limit exceeded"}}\n\n'
        return self.stream(connection, [chunk("Hel"), error])

    def play_gzip(self, connection, request):
        data = gzip.compress(b"".join(text_frames(30)))
        self.head(connection, extra=["Transfer-Encoding: chunked", "Content-Encoding: gzip"])
        for start in range(0, len(data), 100):
            self.send(connection, data[start : start + 100])
        connection.sendall(b"0\r\n\r\n")
        return True

    def play_big_frames(self, connection, request):
        big = chunk("x" * (2 << 20))
        return self.stream(connection, [big, chunk("y" * (2 << 20)), chunk("", final=True), DONE])

    def play_invalid_utf8(self, connection, request):
        frame = chunk("a@b").replace(b"@", b"\xff\xfe")
        return self.stream(connection, [frame, chunk("", final=True), DONE])

    def play_empty(self, connection, request):
        return self.stream(connection, [])

    def play_invoke(self, connection, request):
        body = json.loads(chunk("Whole.", final=True, usage=USAGE)[6:])
        return self.whole(connection, "200 OK", "application/json", json.dumps(body).encode())

    def play_forever(self, connection, request):
        gap = float((request.get("inputs") or {}).get("gap_ms", 5)) / 1000
        self.head(connection, extra=["Transfer-Encoding: chunked"])
        n = 0
        while not self.stopping:
            self.send(connection, chunk(f"piece {n} "))
            n += 1
            if gap:
                time.sleep(gap)
        return False

    def play_resets(self, connection, request):
        """A reset inside of the body."""
        self.stream(connection, [chunk("Hel")], end=False)
        time.sleep(0.3)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        return False

    def play_flood(self, connection, request):
        """`mb` megabytes as fast as they are taken; `flooded` says how many of them were."""
        megabytes = int((request.get("inputs") or {}).get("mb", 200))
        self.head(connection, extra=["Transfer-Encoding: chunked"])
        for _ in range(megabytes):
            self.send(connection, MEGABYTE)
            self.flooded += 1
        connection.sendall(b"0\r\n\r\n")
        return True

    def play_named(self, connection, request):
        """As an upstream that is a recorder itself."""
        self.head(connection, extra=["Transfer-Encoding: chunked", "X-Tapedeck-Call: 01JD0Z6Q8R3T5V7W9XABCDEFGH"])
        for frame in text_frames(2):
            self.send(connection, frame)
        connection.sendall(b"0\r\n\r\n")
        return True

    def play_trailers(self, connection, request):
        self.head(connection, extra=["Transfer-Encoding: chunked", "Trailer: X-Sum", "X-Latin: caf\xe9"])
        for frame in text_frames(2):
            self.send(connection, frame)
        connection.sendall(b"0\r\nX-Sum: 42\r\nContent-Length: 7\r\n\r\n")
        return True

    def play_in_pieces(self, connection, request):
        """Every frame in three writes with a pause between them."""
        self.head(connection, extra=["Transfer-Encoding: chunked"])
        for frame in text_frames(3):
            for start in range(0, len(frame), len(frame) // 3 + 1):
                self.send(connection, frame[start : start + len(frame) // 3 + 1])
                time.sleep(0.2)
        connection.sendall(b"0\r\n\r\n")
        return True
