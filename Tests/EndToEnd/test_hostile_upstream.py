"""Responses that want to be more than one, or somebody else's: the client gets one clean response, or 502."""

import json
import os
import re
import signal
import socket
import threading

import pytest

from conftest import request
from raw_http import Client


class Scripted:
    """An upstream that answers every request with the same bytes, and then closes."""

    def __init__(self):
        self.server = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.server.getsockname()[1]}"
        self.answer = b""
        self.requests = []
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            try:
                connection, _ = self.server.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        with connection:
            head = b""
            while b"\r\n\r\n" not in head:
                if not (piece := connection.recv(65536)):
                    break
                head += piece
            self.requests.append(head)
            try:
                connection.sendall(self.answer)
                connection.shutdown(socket.SHUT_WR)
                while connection.recv(65536):
                    pass
            except OSError:
                pass


@pytest.fixture
def scripted():
    server = Scripted()
    yield server
    server.server.close()


@pytest.fixture
def proxy(tapedeck, scripted):
    return tapedeck.serve(scripted.url, "--no-seal")


BODY = b"data: [DONE]\n\n"


def response(*fields, status=b"HTTP/1.1 200 OK", body=BODY, length=True):
    size = [b"Content-Length: %d" % len(body)] if length else []
    return b"\r\n".join([status, b"Content-Type: text/event-stream", *size, *fields]) + b"\r\n\r\n" + body


# Each has something in it that must not reach a client's parser.
BAD_BYTES = {
    "NUL in a value": response(b"X-Evil: a\x00b"),
    "bare CR in a value": response(b"X-Evil: a\rInjected: b"),
    "bare CR at the start of a value": response(b"X-Evil: \rInjected: b"),
    "two bare CR": response(b"X-Evil: a\r\rInjected: b"),
    "ESC in a value": response(b"X-Evil: a\x1b[31m"),
    "DEL in a value": response(b"X-Evil: a\x7f"),
    "CR in a name": response(b"X\rInjected: b"),
    "space in a name": response(b"X Evil: b"),
    "space in front of the colon": response(b"X-Evil : b"),
    "control in a name": response(b"X\x01Evil: b"),
    "empty name": response(b": b"),
    "no colon": response(b"Nonsense"),
    "CR in the reason": response(status=b"HTTP/1.1 200 OK\rInjected: b"),
    "control in the reason": response(status=b"HTTP/1.1 200 O\x01K"),
    "folded": response(b"X-Evil: a", b" Injected: b"),
    "UTF-8 and other bytes": response(b"X-Evil: \xc3\xa9\xff"),
}


@pytest.mark.parametrize("name", BAD_BYTES)
def test_no_response_splits_into_two(tapedeck, scripted, proxy, name):
    scripted.answer = BAD_BYTES[name]
    client = Client(proxy.url)
    client.send(request("text"), headers=["Connection: close"])
    data = b""
    while client.fill():
        data = client.buffer
    head, _, body = data.partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    assert lines[0].split(b" ")[1] in (b"200", b"502"), data
    for line in lines:
        assert not any(byte < 0x20 and byte != 0x09 or byte == 0x7F for byte in line), data
    names = [line.partition(b":")[0] for line in lines[1:]]
    assert all(name and all(chr(byte).isalnum() or byte in b"!#$%&'*+-.^_`|~" for byte in name) for name in names), data
    assert b"Injected" not in names
    if lines[0].split(b" ")[1] == b"200":
        assert body == BODY
    tapedeck.stop(proxy)
    [call] = tapedeck.calls()
    assert call["state"] == ("done" if b" 200 " in lines[0] + b" " else "upstream_error")


def test_a_field_that_is_folded_into_none_before_it_is_of_no_other_response(tapedeck, scripted, proxy):
    """libcurl before 8.1.1 wrote it into what it had freed of the response before (curl/curl#11101)."""
    first, folded = response(b"X-A: 1"), b"HTTP/1.1 200 OK\r\n X-Evil: " + b"y" * 200 + response().removeprefix(b"HTTP/1.1 200 OK")
    for round in range(100):
        scripted.answer = first
        assert Client(proxy.url).post(request("text")).body == BODY, round
        scripted.answer = folded
        answer = Client(proxy.url).post(request("text"))
        assert answer.status in (200, 502), round
        assert answer.header("x-a") is None
    tapedeck.stop(proxy)
    assert len(tapedeck.calls()) == 200


EVIL = b"HTTP/1.1 200 OK\r\nSet-Cookie: evil=1\r\nContent-Length: 4\r\n\r\nevil"


@pytest.mark.parametrize("status", [b"HTTP/1.1 101 Switching Protocols", b"HTTP/1.1 200xOK", b"HTTP/1.1 200.1 OK", b"HTTP/1.1  200 OK", b"HTTP/ C"])
@pytest.mark.parametrize("path", ["/v2/deployments/stream", "/v2/other"])
def test_nothing_is_passed_on_in_front_of_a_head(tapedeck, scripted, proxy, status, path):
    scripted.answer = status + b"\r\n\r\n" + EVIL
    client = Client(proxy.url)
    client.send(request("text"), path=path, headers=["Connection: close"])
    while client.fill():
        pass
    assert client.buffer.startswith(b"HTTP/1.1 502 ") and client.buffer.count(b"HTTP/1.1 ") == 1 and b"evil" not in client.buffer
    tapedeck.stop(proxy)
    assert [call["state"] for call in tapedeck.calls()] == (["upstream_error"] if "deployments" in path else [])
    assert b"evil" not in b"".join(file.read_bytes() for file in tapedeck.store.rglob("J-*"))


TRAILERS = {
    "ESC in a value": b"X-Evil: a\x1b[31m",
    "DEL in a value": b"X-Evil: a\x7f",
    "control in a name": b"X\x01Evil: b",
    "space in a name": b"X Evil: b",
    "parentheses in a name": b"X(Evil): b",
    "folded": b"X-Good: 1\r\n Injected: b",
    "empty name": b": b",
}


@pytest.mark.parametrize("name", TRAILERS)
def test_a_field_behind_the_body_is_one_or_is_not_passed_on(tapedeck, scripted, proxy, name):
    fields = [b"Transfer-Encoding: chunked", b"Connection: close"]
    body = b"e\r\n" + BODY + b"\r\n0\r\nX-Sum: 1\r\n" + TRAILERS[name] + b"\r\n\r\n"
    scripted.answer = response(*fields, body=body, length=False)
    answer = Client(proxy.url).post(request("text"))
    assert (answer.status, answer.body, answer.end) == (200, BODY, "last_chunk")
    assert ("X-Sum", "1") in answer.trailers
    assert not any("Evil" in field or "Injected" in field for field, _ in answer.trailers)


def test_a_response_without_content_has_no_length(scripted, proxy):
    scripted.answer = response(status=b"HTTP/1.1 204 No Content")
    answer = Client(proxy.url).post(request("text"), path="/v2/other", headers=["Connection: close"])
    assert answer.status == 204 and answer.header("content-length") is None


class Leaving(Scripted):
    """Keeps its connection after the first answer, and leaves without an answer to the second request on it."""

    def serve(self, connection):
        with connection:
            while True:
                head = b""
                while b"\r\n\r\n" not in head:
                    if not (piece := connection.recv(65536)):
                        return
                    head += piece
                head, _, body = head.partition(b"\r\n\r\n")
                length = next((int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), 0)
                while len(body) < length:
                    body += connection.recv(65536)
                self.requests.append(body)
                if len(self.requests) == 2:
                    return
                connection.sendall(self.answer)


@pytest.mark.parametrize("path", ["/v2/deployments/stream", "/v2/other"])
def test_what_may_have_been_done_is_not_asked_for_again(tapedeck, path):
    upstream = Leaving()
    upstream.answer = response()
    proxy = tapedeck.serve(upstream.url, "--no-seal")
    client = Client(proxy.url)
    assert client.post(request("text", n=1), path=path).status == 200
    answer = client.post(request("text", n=2), path=path)
    assert answer.status == 502 and "without an answer" in answer.json()["error"]["message"]
    assert client.post(request("text", n=3), path=path).status == 200
    assert len(upstream.requests) == 3
    upstream.server.close()


def test_what_changes_nothing_is_asked_for_again(tapedeck):
    upstream = Leaving()
    upstream.answer = response()
    proxy = tapedeck.serve(upstream.url, "--no-seal")
    client = Client(proxy.url)
    for _ in range(3):
        client.send(b"", path="/v2/other", method="GET")
        assert client.answer().status == 200
    assert len(upstream.requests) == 4
    upstream.server.close()


class Stalled(Scripted):
    """Reads the head and nothing more."""

    def serve(self, connection):
        connection.recv(4096)
        self.requests.append(connection)


def test_an_upstream_that_takes_no_more_of_a_large_body_is_given_up(tapedeck):
    upstream = Stalled()
    proxy = tapedeck.serve(upstream.url, "--no-seal", "--idle-timeout", "1s", "--max-body-bytes", "300M")
    client = Client(proxy.url)
    client.socket.sendall(b"POST /v2/files HTTP/1.1\r\nHost: h\r\nContent-Length: 200000000\r\n\r\n")
    client.socket.settimeout(0.5)
    with pytest.raises(TimeoutError):
        while True:
            client.socket.sendall(b"x" * 65536)
    client.socket.settimeout(15)
    assert client.answer().status == 504
    tapedeck.stop(proxy)
    upstream.server.close()


LENGTHS = {
    "different": [b"Content-Length: 3", b"Content-Length: 14"],
    "different the other way": [b"Content-Length: 14", b"Content-Length: 3"],
    "a list": [b"Content-Length: 14, 3"],
    "negative": [b"Content-Length: -14"],
    "with plus": [b"Content-Length: +14"],
    "hexadecimal": [b"Content-Length: 0xE"],
    "no number": [b"Content-Length: many"],
    "huge": [b"Content-Length: 18446744073709551630"],
    "empty": [b"Content-Length:"],
}


@pytest.mark.parametrize("name", LENGTHS)
def test_lengths_that_contradict_each_other_are_no_response(tapedeck, scripted, proxy, name):
    scripted.answer = response(*LENGTHS[name], length=False)
    answer = Client(proxy.url).post(request("text"))
    assert answer.status == 502 and answer.json()["error"]["code"] == "upstream_failed", (answer, answer.body)
    assert "length" in answer.json()["error"]["message"].lower()
    tapedeck.stop(proxy)
    assert tapedeck.show("@1")["state"] == "upstream_error"


def test_equal_lengths_are_one_and_a_length_beside_chunks_does_not_count(tapedeck, scripted, proxy):
    scripted.answer = response(b"Content-Length: 14")
    answer = Client(proxy.url).post(request("text"))
    assert (answer.status, answer.body, answer.end) == (200, BODY, "length")
    assert sum(name.lower() == "content-length" for name, _ in answer.headers) == 1
    scripted.answer = response(b"Transfer-Encoding: chunked", b"Content-Length: 3", body=b"e\r\n" + BODY + b"\r\n0\r\n\r\n", length=False)
    answer = Client(proxy.url).post(request("text"))
    assert (answer.status, answer.body, answer.end) == (200, BODY, "last_chunk")
    assert answer.header("content-length") is None


def test_what_comes_behind_the_stated_length_is_no_second_response(scripted, proxy):
    scripted.answer = response() + b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"
    client = Client(proxy.url)
    assert client.post(request("text")).body == BODY
    scripted.answer = response(body=b"data: 2\n\n")
    assert client.post(request("text")).body == b"data: 2\n\n"


def test_fields_of_one_connection_stay_on_it(scripted, proxy):
    hop = [b"Connection: X-Hop, close", b"X-Hop: secret", b"Keep-Alive: timeout=5", b"Proxy-Authenticate: Basic", b"Upgrade: h2c",
           b"Trailer: X", b"TE: trailers", b"Proxy-Connection: close", b"X-Stays: 1"]
    scripted.answer = response(*hop)
    answer = Client(proxy.url).post(
        request("text"), headers=["Connection: X-Mine, keep-alive", "X-Mine: secret", "TE: trailers", "Proxy-Authorization: Basic eDp5",
                                  "X-Also: 1"])
    names = {name.lower() for name, _ in answer.headers}
    assert "x-stays" in names
    assert not names & {"x-hop", "keep-alive", "proxy-authenticate", "upgrade", "trailer", "te", "proxy-connection"}
    sent = scripted.requests[0].lower()
    assert b"x-also: 1" in sent
    assert not any(name in sent for name in (b"x-mine", b"\r\nte:", b"proxy-authorization", b"keep-alive"))


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_goes_to_the_client_and_is_not_followed(tapedeck, scripted, proxy, status):
    other = Scripted()
    other.answer = response()
    scripted.answer = response(b"Location: %s/x?key=KEYSECRET" % other.url.encode(), status=b"HTTP/1.1 %d Go" % status, body=b"")
    answer = Client(proxy.url).post(request("text"))
    assert answer.status == status and answer.header("location") == other.url + "/x?key=KEYSECRET"
    tapedeck.run("record", "--url", scripted.url + "/v2/deployments/stream", "-d", request("text"), code=None)
    assert not other.requests and len(scripted.requests) == 2
    other.server.close()
    tapedeck.stop(proxy)
    assert b"KEYSECRET" not in b"".join(path.read_bytes() for path in tapedeck.store.rglob("*") if path.is_file())


def test_interim_responses_are_no_final_ones(scripted, proxy):
    scripted.answer = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + response()
    answer = Client(proxy.url).post(request("text"))
    assert (answer.status, answer.body) == (200, BODY) and answer.header("link") is None


@pytest.mark.parametrize("version", [b"HTTP/2.0", b"HTTP/2", b"HTTP/3", b"HTTP/1.2", b"HTTP/1.9", b"HTTP/0.9"])
def test_a_version_that_was_not_asked_for_is_no_response(tapedeck, scripted, proxy, version):
    scripted.answer = response(status=version + b" 200 OK")
    answer = Client(proxy.url).post(request("text"))
    assert answer.status == 502 and answer.json()["error"]["code"] == "upstream_failed", (answer, answer.body)
    tapedeck.stop(proxy)
    assert tapedeck.show("@1")["state"] == "upstream_error"


def test_an_answer_of_http_1_0_is_one(scripted, proxy):
    scripted.answer = response(status=b"HTTP/1.0 200 OK")
    answer = Client(proxy.url).post(request("text"))
    assert (answer.status, answer.body) == (200, BODY)


@pytest.mark.parametrize("answer", [b"hello there\n", b"HTTP/1.1 abc OK\r\n\r\n", b"ICY 200 OK\r\n\r\n",
                                    b"HTTP/1.1 999999 OK\r\n\r\n", b"\x16\x03\x01\x00\x05hello", b""])
def test_what_is_no_http_is_502_with_a_reason(tapedeck, scripted, proxy, answer):
    scripted.answer = answer
    got = Client(proxy.url).post(request("text"))
    assert got.status == 502 and got.json()["error"]["message"], got
    tapedeck.stop(proxy)
    assert tapedeck.show("@1")["state"] == "upstream_error"


def test_a_head_without_end_is_bounded(tapedeck, scripted, proxy):
    scripted.answer = response(*[b"X-%d: %s" % (i, b"a" * 1000) for i in range(1000)])
    assert Client(proxy.url).post(request("text")).status == 502
    scripted.answer = response(b"X: " + b"a" * 1_000_000)
    assert Client(proxy.url).post(request("text")).status == 502


def test_who_does_not_read_what_is_logged_holds_nobody_up(tapedeck):
    upstream = Scripted()
    read, write = os.pipe()
    proxy = tapedeck.popen("serve", "--upstream", upstream.url, "--listen", "127.0.0.1:0", "--ui", "off", "--no-index", stderr=write)
    os.close(write)
    log = b""
    while not (found := re.search(rb"proxy listening on (http://\S+)", log)):
        log += os.read(read, 4096)
    # Each is a line of a hundred bytes or more, and a pipe takes 64 KiB.
    for _ in range(1000):
        client = Client(found[1].decode())
        assert client.post(request("text")).status == 502
        client.close()
    proxy.send_signal(signal.SIGTERM)
    assert proxy.wait(15) == 0
    os.close(read)
    assert len(tapedeck.calls()) == 0 and tapedeck.run("index") is not None and len(tapedeck.calls("--limit", 2000)) == 1000
    upstream.server.close()
