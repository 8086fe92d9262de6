"""An HTTP/1.1 client on a raw socket that tells how a response was cut into chunks, and how it ended."""

import json
import socket
import time
from dataclasses import dataclass, field


@dataclass
class Answer:
    status: int
    headers: list
    chunks: list = field(default_factory=list)
    times: list = field(default_factory=list)
    trailers: list = field(default_factory=list)
    end: str = ""  # last_chunk, length, eof, reset

    @property
    def body(self):
        return b"".join(self.chunks)

    def json(self):
        return json.loads(self.body)

    def header(self, name):
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)


class Client:
    def __init__(self, url):
        host, port = url.removeprefix("http://").split(":")
        self.socket = socket.create_connection((host, int(port)), timeout=15)
        self.buffer = b""

    def close(self):
        self.socket.close()

    def send(self, body, path="/v2/deployments/stream", method="POST", headers=()):
        body = body if isinstance(body, bytes) else body.encode()
        lines = [f"{method} {path} HTTP/1.1", "Host: replay", f"Content-Length: {len(body)}", "Content-Type: application/json", *headers]
        self.socket.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + body)

    def fill(self):
        data = self.socket.recv(65536)
        self.buffer += data
        return bool(data)

    def until(self, mark):
        while mark not in self.buffer:
            if not self.fill():
                raise EOFError
        taken, _, self.buffer = self.buffer.partition(mark)
        return taken

    def exactly(self, count):
        while len(self.buffer) < count:
            if not self.fill():
                raise EOFError
        taken, self.buffer = self.buffer[:count], self.buffer[count:]
        return taken

    def answer(self, method="POST"):
        """The next response; None if the connection ended without one."""
        try:
            head = ["HTTP/1.1 100"]
            while head[0].split(" ")[1].startswith("1"):
                head = self.until(b"\r\n\r\n").decode("latin-1").split("\r\n")
        except (EOFError, ConnectionError):
            return None
        answer = Answer(int(head[0].split(" ")[1]), [tuple(line.split(": ", 1)) for line in head[1:]])
        try:
            if method == "HEAD":
                answer.end = "length"
            elif answer.header("transfer-encoding") == "chunked":
                while size := int(self.until(b"\r\n"), 16):
                    chunk = self.exactly(size)
                    assert self.exactly(2) == b"\r\n"
                    answer.chunks.append(chunk)
                    answer.times.append(time.monotonic())
                while line := self.until(b"\r\n"):
                    answer.trailers.append(tuple(line.decode("latin-1").split(": ", 1)))
                answer.end = "last_chunk"
            elif (length := answer.header("content-length")) is not None:
                answer.chunks.append(self.exactly(int(length)))
                answer.end = "length"
            else:
                while self.fill():
                    pass
                answer.chunks.append(self.buffer)
                self.buffer = b""
                answer.end = "eof"
        except EOFError:
            answer.end = "eof"
        except ConnectionResetError:
            answer.end = "reset"
        return answer

    def post(self, body, path="/v2/deployments/stream", method="POST", headers=()):
        self.send(body, path, method, headers)
        return self.answer(method)


def post(url, body, path="/v2/deployments/stream", method="POST", headers=()):
    client = Client(url)
    try:
        return client.post(body, path, method, headers)
    finally:
        client.close()
