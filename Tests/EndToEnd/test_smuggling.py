"""Requests that two servers might read in two ways: refused with 400 and the connection closed, by proxy and replay server
alike, and nothing of them goes upstream. Raw sockets throughout: no client library would send these."""

import json
import re
import socket

import pytest

from conftest import Tapedeck, request
from upstream import Upstream

BODY = request("text").encode()
HEAD = b"POST /v2/deployments/stream HTTP/1.1\r\nHost: h\r\n"
GET = b"GET /v2/models HTTP/1.1\r\nHost: h\r\n"
# What an attacker would have the other server take for a request of its own.
HIDDEN = b"GET /hidden HTTP/1.1\r\nHost: h\r\n\r\n"


def sized(*fields, body=BODY):
    return HEAD + b"".join(field + b"\r\n" for field in fields) + b"\r\n" + body


def chunked(body, *fields):
    return sized(b"Transfer-Encoding: chunked", *fields, body=body)


LENGTH = b"Content-Length: %d" % len(BODY)
CHUNKS = b"%x\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY)

SMUGGLED = {
    # Two lengths, or one that is none.
    "CL.CL different": sized(LENGTH, b"Content-Length: 0", body=BODY + HIDDEN),
    "CL.CL list": sized(b"Content-Length: %d, 0" % len(BODY)),
    "CL.CL equal list": sized(b"Content-Length: %d, %d" % (len(BODY), len(BODY))),
    "CL.CL twice the same": sized(LENGTH, LENGTH),
    "CL plus": sized(b"Content-Length: +%d" % len(BODY)),
    "CL minus": sized(b"Content-Length: -1"),
    "CL hex": sized(b"Content-Length: 0x%x" % len(BODY)),
    "CL with a space inside": sized(b"Content-Length: 1 0"),
    "CL with a fraction": sized(b"Content-Length: 10.0"),
    "CL exponent": sized(b"Content-Length: 1e1"),
    "CL underscore": sized(b"Content-Length: 1_0"),
    "CL empty": sized(b"Content-Length:"),
    "CL only spaces": sized(b"Content-Length:   "),
    "CL quoted": sized(b'Content-Length: "10"'),
    "CL with a semicolon": sized(b"Content-Length: 10;"),
    "CL of 2^64": sized(b"Content-Length: 18446744073709551616"),
    "CL of 2^64 + body": sized(b"Content-Length: %d" % ((1 << 64) + len(BODY))),
    "CL of 2^63": sized(b"Content-Length: 9223372036854775808"),
    "CL of other digits": sized("Content-Length: ١٠".encode()),
    "CL with a form feed": sized(b"Content-Length: \x0c10"),
    "CL with a vertical tab": sized(b"Content-Length: 10\x0b"),
    # Length and coding.
    "CL.TE": sized(LENGTH, b"Transfer-Encoding: chunked", body=b"0\r\n\r\n" + HIDDEN),
    "TE.CL": sized(b"Transfer-Encoding: chunked", b"Content-Length: 4", body=CHUNKS),
    "CL.TE of zero": sized(b"Content-Length: 0", b"Transfer-Encoding: chunked", body=CHUNKS),
    # A coding that one of the two would not know.
    "TE xchunked": sized(b"Transfer-Encoding: xchunked", body=CHUNKS),
    "TE chunked, identity": sized(b"Transfer-Encoding: chunked, identity", body=CHUNKS),
    "TE identity, chunked": sized(b"Transfer-Encoding: identity, chunked", body=CHUNKS),
    "TE identity": sized(b"Transfer-Encoding: identity", LENGTH),
    "TE identity alone": sized(b"Transfer-Encoding: identity"),
    "TE gzip, chunked": sized(b"Transfer-Encoding: gzip, chunked", body=CHUNKS),
    "TE chunked, chunked": sized(b"Transfer-Encoding: chunked, chunked", body=CHUNKS),
    "TE chunked twice": sized(b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked", body=CHUNKS),
    "TE chunked and x": sized(b"Transfer-Encoding: chunked", b"Transfer-Encoding: x", body=CHUNKS),
    "TE x and chunked": sized(b"Transfer-Encoding: x", b"Transfer-Encoding: chunked", body=CHUNKS),
    "TE chunked, cow": sized(b"Transfer-Encoding: chunked, cow", body=CHUNKS),
    "TE list with nothing": sized(b"Transfer-Encoding: ,chunked", body=CHUNKS),
    "TE with a parameter": sized(b"Transfer-Encoding: chunked;q=1", body=CHUNKS),
    "TE quoted": sized(b'Transfer-Encoding: "chunked"', body=CHUNKS),
    "TE with a vertical tab": sized(b"Transfer-Encoding: \x0bchunked", body=CHUNKS),
    "TE with a NUL": sized(b"Transfer-Encoding: chunked\x00", body=CHUNKS),
    "TE empty": sized(b"Transfer-Encoding:", LENGTH),
    "TE with a space in front of the colon": sized(b"Transfer-Encoding : chunked", LENGTH),
    "TE with a space in front": sized(b"X: y", b" Transfer-Encoding: chunked", LENGTH),
    "TE folded": sized(b"Transfer-Encoding:", b" chunked", body=CHUNKS),
    "TE behind a bare LF": sized(b"X: y\nTransfer-Encoding: chunked", LENGTH),
    "TE behind a bare CR": sized(b"X: y\rTransfer-Encoding: chunked", LENGTH),
    "TE in HTTP/1.0": sized(b"Transfer-Encoding: chunked", body=CHUNKS).replace(b"HTTP/1.1", b"HTTP/1.0"),
    "TE and an upgrade": chunked(CHUNKS, b"Connection: Upgrade", b"Upgrade: h2c", b"Content-Length: 3"),
    # Lines that end otherwise.
    "bare LF everywhere": sized(LENGTH).replace(b"\r\n", b"\n"),
    "bare LF behind a field": HEAD + b"X: y\n" + LENGTH + b"\r\n\r\n" + BODY,
    "bare LF behind the request line": sized(LENGTH).replace(b"HTTP/1.1\r\n", b"HTTP/1.1\n"),
    "bare LF for the blank line": HEAD + LENGTH + b"\r\n\n" + BODY,
    "bare CR in a value": sized(b"X: a\rb", LENGTH),
    "bare CR behind a field": sized(b"X: a\r", LENGTH),
    "bare CR in front of a field": sized(b"\rX: a", LENGTH),
    "bare CR in the request line": sized(LENGTH).replace(b" HTTP/1.1", b"\r HTTP/1.1"),
    "CR CR LF": sized(LENGTH).replace(b"Host: h\r\n", b"Host: h\r\r\n"),
    "folded value": sized(b"X: a", b" b", LENGTH),
    "folded with a tab": sized(b"X: a", b"\tb", LENGTH),
    "folded first field": b"POST /v2/deployments/stream HTTP/1.1\r\n X: y\r\nHost: h\r\n" + LENGTH + b"\r\n\r\n" + BODY,
    # Names and values with bytes that they must not have.
    "space in front of the colon": sized(b"X : y", LENGTH),
    "tab in front of the colon": sized(b"X\t: y", LENGTH),
    "space in a name": sized(b"X Y: z", LENGTH),
    "no colon": sized(b"Nonsense", LENGTH),
    "no name": sized(b": y", LENGTH),
    "NUL in a name": sized(b"X\x00Y: z", LENGTH),
    "NUL in a value": sized(b"X: y\x00z", LENGTH),
    "DEL in a name": sized(b"X\x7fY: z", LENGTH),
    "DEL in a value": sized(b"X: a\x7fb", LENGTH),
    "ESC in a value": sized(b"X: \x1b[31m", LENGTH),
    "BEL in a value": sized(b"X: \x07", LENGTH),
    "UTF-8 in a name": sized("Xé: y".encode(), LENGTH),
    "slash in a name": sized(b"X/Y: z", LENGTH),
    "brace in a name": sized(b"{X}: z", LENGTH),
    "quote in a name": sized(b'"X": z', LENGTH),
    "underscored length": sized(b"Content_Length: 0\x00", LENGTH),
    # Chunks that are none.
    "chunk size overflow": chunked(b"%x\r\n%s\r\n0\r\n\r\n" % ((1 << 64) + len(BODY), BODY)),
    "chunk size of 17 digits": chunked(b"1" + b"0" * 16 + b"\r\n" + BODY),
    "chunk size negative": chunked(b"-1\r\n\r\n0\r\n\r\n"),
    "chunk size with 0x": chunked(b"0x%x\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY)),
    "chunk size with plus": chunked(b"+%x\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY)),
    "chunk size empty": chunked(b"\r\n\r\n"),
    "chunk size with a space in front": chunked(b" %x\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY)),
    "chunk size with a space behind": chunked(b"%x \r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY)),
    "chunk size no number": chunked(b"zz\r\n\r\n0\r\n\r\n"),
    "chunk size with underscore": chunked(b"1_0\r\n%s\r\n0\r\n\r\n" % BODY[:16]),
    "chunk size behind a bare LF": chunked(b"%x\n%s\r\n0\r\n\r\n" % (len(BODY), BODY)),
    "chunk size behind a bare CR": chunked(b"%x\r%s\r\n0\r\n\r\n" % (len(BODY), BODY)),
    "no line end behind a chunk": chunked(b"%x\r\n%s0\r\n\r\n" % (len(BODY), BODY)),
    "LF behind a chunk": chunked(b"%x\r\n%s\n0\r\n\r\n" % (len(BODY), BODY)),
    "other bytes behind a chunk": chunked(b"%x\r\n%sXX0\r\n\r\n" % (len(BODY), BODY)),
    "bare LF in a chunk extension": chunked(b"%x;a\nb\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY)),
    "bare CR in a chunk extension": chunked(b"%x;a\rb\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY)),
    "NUL in a chunk extension": chunked(b"%x;a\x00\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY)),
    "chunk extension without end": chunked(b"%x;%s\r\n%s\r\n0\r\n\r\n" % (len(BODY), b"a" * 200000, BODY)),
    "many long chunk extensions": chunked(b"1;%s\r\n{\r\n" % (b"a" * 4000) * 64 + b"0\r\n\r\n"),
    "last chunk with LF": chunked(b"%x\r\n%s\r\n0\n\n" % (len(BODY), BODY)),
    "chunk size of 16 digits": chunked(b"%016x\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY)),
    "chunk size with a comma": chunked(b"%x,0\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY)),
    "chunk extension with ESC": chunked(b"%x;\x1b[0m\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY)),
    "chunk extension of the last chunk with LF": chunked(b"%x\r\n%s\r\n0;a\n\r\n\r\n" % (len(BODY), BODY)),
    "CR CR LF behind a chunk size": chunked(b"%x\r\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY)),
    "space in front of the last chunk": chunked(b"%x\r\n%s\r\n 0\r\n\r\n" % (len(BODY), BODY)),
    "trailer without colon": chunked(CHUNKS[:-2] + b"X\r\n\r\n"),
    "trailer without name": chunked(CHUNKS[:-2] + b": x\r\n\r\n"),
    "trailer with a space in front of the colon": chunked(CHUNKS[:-2] + b"X : y\r\n\r\n"),
    "bare CR in a trailer": chunked(CHUNKS[:-2] + b"X: a\rb\r\n\r\n"),
    "a request for trailers": chunked(CHUNKS[:-2] + HIDDEN),
    "length among trailers": chunked(CHUNKS[:-2] + b"Content-Length: 5\r\n\r\n"),
    "bare LF in trailers": chunked(CHUNKS[:-2] + b"X: y\n\r\n"),
    "NUL in trailers": chunked(CHUNKS[:-2] + b"X: \x00\r\n\r\n"),
    "folded trailer": chunked(CHUNKS[:-2] + b"X: y\r\n z\r\n\r\n"),
    "endless trailers": chunked(CHUNKS[:-2] + b"X: y\r\n" * 20000 + b"\r\n"),
    "very many fields": HEAD + b"X:\r\n" * 5000 + LENGTH + b"\r\n\r\n" + BODY,
    # Hosts.
    "no Host": b"GET /v2/models HTTP/1.1\r\n\r\n",
    "two Hosts": GET + b"Host: evil\r\n\r\n",
    "two equal Hosts": GET + b"Host: h\r\n\r\n",
    "Host list": b"GET / HTTP/1.1\r\nHost: h, evil\r\n\r\n",
    "Host with a path": b"GET / HTTP/1.1\r\nHost: h/evil\r\n\r\n",
    "Host with userinfo": b"GET / HTTP/1.1\r\nHost: h@evil\r\n\r\n",
    "Host with a space": b"GET / HTTP/1.1\r\nHost: h evil\r\n\r\n",
    # Request lines.
    "absolute form": b"GET http://evil/x HTTP/1.1\r\nHost: evil\r\n\r\n",
    "absolute form of the upstream's": b"GET https://h/x HTTP/1.1\r\nHost: h\r\n\r\n",
    "asterisk form": b"OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n",
    "no slash": b"GET x HTTP/1.1\r\nHost: h\r\n\r\n",
    "at sign for a slash": b"GET @evil/ HTTP/1.1\r\nHost: h\r\n\r\n",
    "no target": b"GET  HTTP/1.1\r\nHost: h\r\n\r\n",
    "two spaces": b"GET  /x HTTP/1.1\r\nHost: h\r\n\r\n",
    "tab for a space": b"GET\t/x HTTP/1.1\r\nHost: h\r\n\r\n",
    "space in the target": b"GET /x y HTTP/1.1\r\nHost: h\r\n\r\n",
    "tab in the target": b"GET /x\ty HTTP/1.1\r\nHost: h\r\n\r\n",
    "NUL in the target": b"GET /x\x00y HTTP/1.1\r\nHost: h\r\n\r\n",
    "ESC in the target": b"GET /x\x1b[0m HTTP/1.1\r\nHost: h\r\n\r\n",
    "DEL in the target": b"GET /x\x7f HTTP/1.1\r\nHost: h\r\n\r\n",
    "fragment in the target": b"GET /x#y HTTP/1.1\r\nHost: h\r\n\r\n",
    "no method": b" /x HTTP/1.1\r\nHost: h\r\n\r\n",
    "unknown letters for a method": b"G{T /x HTTP/1.1\r\nHost: h\r\n\r\n",
    "HTTP/0.9": b"GET /x\r\n\r\n",
    "HTTP/1.1 in small letters": b"GET /x http/1.1\r\nHost: h\r\n\r\n",
    "HTTP/1.1 and more": b"GET /x HTTP/1.1 x\r\nHost: h\r\n\r\n",
    "HTTP/1.10": b"GET /x HTTP/1.10\r\nHost: h\r\n\r\n",
    "a TLS client": bytes.fromhex("16030100c8010000c40303") + b"\x00" * 60 + b"\r\n\r\n",
    "an HTTP/2 client": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
}
# What has a status of its own.
OTHERS = {
    "chunk extension without end": {400, 413, 431}, "many long chunk extensions": {400, 413, 431},
    "endless trailers": {400, 413, 431}, "very many fields": {431}, "CL of 2^63": {400, 413},
    "an HTTP/2 client": {400, 505}, "HTTP/1.10": {400, 505}, "HTTP/0.9": {400, 505},
}


def said(url, data):
    """All that the server says to these bytes until it closes; a reset counts as a close."""
    host, port = url.removeprefix("http://").split(":")
    answer = b""
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        try:
            connection.sendall(data)
        except ConnectionError:
            pass
        try:
            while piece := connection.recv(65536):
                answer += piece
        except ConnectionError:
            pass
        except TimeoutError:
            return answer, False
    return answer, True


@pytest.fixture(scope="module")
def servers(tmp_path_factory):
    """A proxy, and a replay server of one recording, that last for all cases."""
    directory = tmp_path_factory.mktemp("smuggling")
    upstream = Upstream()
    recorded, deck = Tapedeck(directory / "recorded"), Tapedeck(directory / "store")
    first = recorded.serve(upstream.url)
    assert said(first.url, sized(LENGTH, b"Connection: close"))[0].startswith(b"HTTP/1.1 200")
    recorded.stop(first)
    yield {"proxy": deck.serve(upstream.url).url, "replay": recorded.replay_server("--pace", "instant").url}, upstream
    for process in deck.running + recorded.running:
        process.kill()
        process.wait()
    upstream.stop()


@pytest.mark.parametrize("server", ["proxy", "replay"])
@pytest.mark.parametrize("name", SMUGGLED)
def test_what_might_be_read_in_two_ways_is_refused(servers, server, name):
    urls, upstream = servers
    before = len(upstream.requests)
    # Behind it comes one that would be answered, if the connection were read on.
    answer, isClosed = said(urls[server], SMUGGLED[name] + HIDDEN + HIDDEN)
    assert isClosed, answer
    head, _, body = answer.partition(b"\r\n\r\n")
    assert int(head.split(b" ")[1]) in OTHERS.get(name, {400}), answer
    assert len(re.findall(rb"HTTP/1\.1 \d", answer)) == 1, answer
    assert b"connection: close" in head.lower()
    assert json.loads(body)["error"]["message"]
    assert len(upstream.requests) == before, upstream.requests[before:]


TAKEN = {
    "a length": sized(LENGTH),
    "a length with zeros and spaces": sized(b"Content-Length:  00%d " % len(BODY)),
    "chunks": chunked(CHUNKS),
    "chunks in capitals": sized(b"TRANSFER-ENCODING:\tChunked ", body=CHUNKS),
    "chunk sizes with zeros and capitals": chunked(b"000%X\r\n%s\r\n000\r\n\r\n" % (len(BODY), BODY)),
    "a chunk extension": chunked(b'%x;a=b;c="d"\r\n%s\r\n0;e\r\n\r\n' % (len(BODY), BODY)),
    "chunks of a byte": chunked(b"".join(b"1;a\r\n%c\r\n" % byte for byte in BODY) + b"0\r\n\r\n"),
    "trailers": chunked(CHUNKS[:-2] + b"X-Checksum: 1\r\nX-More:\r\n\r\n"),
    "empty lines in front": b"\r\n\r\n" + sized(LENGTH),
    "tabs and other bytes in values": sized(b"X: a\tb \xc3\xa9\xff", LENGTH),
    "names of all characters": sized(b"!#$%&'*+-.^_`|~0aZ: y", LENGTH),
    "an empty value": sized(b"X:", LENGTH),
    "a Host with a port": sized(LENGTH).replace(b"Host: h", b"Host: h.example:8080"),
    "a Host that is an address": sized(LENGTH).replace(b"Host: h", b"Host: [::1]:80"),
    "an empty Host": sized(LENGTH).replace(b"Host: h", b"Host:"),
    "a Host of somebody else": sized(LENGTH).replace(b"Host: h", b"Host: evil.example"),
}


@pytest.mark.parametrize("server", ["proxy", "replay"])
@pytest.mark.parametrize("name", TAKEN)
def test_what_can_be_read_in_one_way_only_is_taken(servers, server, name):
    urls, _ = servers
    last = sized(LENGTH, b"Connection: close")
    answer, isClosed = said(urls[server], TAKEN[name] + last)
    assert isClosed and answer.count(b"HTTP/1.1 200 ") == 2, answer
    assert answer.count(b"[DONE]") == 2


# Targets that may mean another place to somebody.
PLACES = [
    "//evil.example/x", "///evil.example/x", "/\\evil.example/x", "/http://evil.example/", "/x?url=http://evil.example/", "/@evil.example/",
    "/../../etc/passwd", "/v2/../../secret", "/v2/%2e%2e/%2e%2e/secret", "/.%2e/x", "/./x", "/x/..;/y", "/%00", "/%0d%0aX:%20y",
    "/a%2fb", "/x;y=z", "/*", "/?", "/??", "/x%", "/" + "a" * 8000,
]


@pytest.mark.parametrize("target", PLACES)
def test_every_target_goes_to_the_one_upstream_as_it_is(servers, target):
    urls, upstream = servers
    before = len(upstream.requests)
    answer, _ = said(urls["proxy"], b"GET %s HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n" % target.encode())
    assert answer.startswith(b"HTTP/1.1 200 "), answer
    [seen] = upstream.requests[before:]
    assert seen["path"] == target
    assert [value for name, value in seen["headers"] if name.lower() == "host"] == [upstream.url.removeprefix("http://")]
