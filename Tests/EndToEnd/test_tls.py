"""nginx with a test CA in front of the upstream: TLS is verified, HTTP/2 works."""

import datetime
import json
import os
import pathlib
import shutil
import socket
import subprocess
import time

import pytest

from conftest import curl, request
from upstream import text_frames

NGINX = shutil.which("nginx") or "/usr/sbin/nginx"


def openssl(*arguments, cwd):
    subprocess.run(["openssl", *arguments], cwd=cwd, check=True, capture_output=True)


def authority(directory, name):
    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", f"{name}.key", "-out", f"{name}.pem", "-days", "30",
            "-subj", f"/CN=tapedeck test {name}", cwd=directory)


def certificate(directory, name, host, ca="ca", expired=False):
    openssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={host}",
            cwd=directory)
    kind = "IP" if host[0].isdigit() else "DNS"
    (directory / f"{name}.ext").write_text(f"subjectAltName={kind}:{host}\n")
    if not expired:
        openssl("x509", "-req", "-in", f"{name}.csr", "-CA", f"{ca}.pem", "-CAkey", f"{ca}.key", "-CAcreateserial", "-days", "30",
                "-extfile", f"{name}.ext", "-out", f"{name}.pem", cwd=directory)
        return
    (directory / "index.txt").write_text("")
    (directory / "serial").write_text("1000")
    (directory / "ca.cnf").write_text(
        "[ca]\ndefault_ca=d\n[d]\ndatabase=index.txt\nserial=serial\nnew_certs_dir=.\ndefault_md=sha256\npolicy=p\n[p]\nCN=supplied\n")
    openssl("ca", "-batch", "-config", "ca.cnf", "-in", f"{name}.csr", "-cert", f"{ca}.pem", "-keyfile", f"{ca}.key",
            "-startdate", "20200101000000Z", "-enddate", "20200201000000Z", "-extfile", f"{name}.ext", "-out", f"{name}.pem",
            cwd=directory)


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


@pytest.fixture
def tls(tmp_path, upstream):
    """Starts nginx with a certificate; gives a function name -> https URL."""
    directory = tmp_path / "tls"
    directory.mkdir()
    authority(directory, "ca")
    authority(directory, "other")
    certificate(directory, "good", "127.0.0.1")
    certificate(directory, "elsewhere", "example.com")
    certificate(directory, "expired", "127.0.0.1", expired=True)
    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "self.key", "-out", "self.pem", "-days", "30", "-subj", "/CN=127.0.0.1",
            "-addext", "subjectAltName=IP:127.0.0.1", cwd=directory)
    ports = {name: free_port() for name in ("good", "elsewhere", "expired", "self")}
    servers = "".join(
        f"""server {{ listen 127.0.0.1:{port} ssl http2; ssl_certificate {directory}/{name}.pem;
            ssl_certificate_key {directory}/{name}.key; access_log {directory}/access.log seen;
            location / {{ proxy_pass {upstream.url}; proxy_buffering off; proxy_http_version 1.1; }} }}\n"""
        for name, port in ports.items())
    config = directory / "nginx.conf"
    config.write_text(
        f"""daemon off; pid {directory}/pid; error_log {directory}/error.log; worker_processes 1;
        events {{ worker_connections 256; }}
        http {{ log_format seen '$server_protocol $status'; client_body_temp_path {directory}/b; proxy_temp_path {directory}/p;
        fastcgi_temp_path {directory}/f; uwsgi_temp_path {directory}/u; scgi_temp_path {directory}/s; {servers} }}""")
    process = subprocess.Popen([NGINX, "-c", config, "-p", directory], stderr=subprocess.DEVNULL)
    for port in ports.values():
        for _ in range(200):
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except OSError:
                time.sleep(0.05)
    urls = {name: f"https://127.0.0.1:{port}" for name, port in ports.items()}
    yield directory, urls
    process.terminate()
    process.wait()


def test_tls_and_http2_upstream_work(tapedeck, tls):
    directory, urls = tls
    proxy = tapedeck.serve(urls["good"], "--ca-file", directory / "ca.pem")
    for _ in range(3):
        assert curl(proxy.url, request("text", n=50)) == b"".join(text_frames(50))
    tapedeck.stop(proxy)
    assert [call["state"] for call in tapedeck.calls()] == ["done"] * 3
    assert set((directory / "access.log").read_text().split("\n")) == {"HTTP/2.0 200", ""}


@pytest.mark.parametrize("name, ca, words", [
    ("good", None, ["certificate"]),
    ("good", "other.pem", ["certificate"]),
    ("elsewhere", "ca.pem", ["127.0.0.1"]),
    ("expired", "ca.pem", ["expired"]),
    ("self", None, ["certificate", "trusted authority"]),
    ("self", "ca.pem", ["certificate", "does not have its CA"]),
])
def test_a_certificate_that_is_not_right_is_refused_and_the_error_says_why(tapedeck, tls, upstream, name, ca, words):
    directory, urls = tls
    proxy = tapedeck.serve(urls[name], *(["--ca-file", directory / ca] if ca else []))
    answer = curl(proxy.url, request("text"), "-i").decode()
    assert answer.startswith("HTTP/1.1 502")
    assert all(word in answer for word in words), answer
    tapedeck.stop(proxy)
    shown = tapedeck.show("@1")
    assert shown["state"] == "upstream_error"
    assert all(word in shown["error"]["message"] for word in words), shown["error"]
    assert not upstream.requests


def test_the_authority_may_come_from_the_configuration_and_holds_for_record_too(tapedeck, tls, tmp_path):
    directory, urls = tls
    config = tmp_path / "config.toml"
    config.write_text(f'ca-file = "{directory}/ca.pem"\n')
    body = request("text", n=3)
    for name, flags, code in [("good", ["--config", config], 0), ("good", ["--ca-file", directory / "ca.pem"], 0), ("good", [], 2),
                              ("elsewhere", ["--config", config], 2), ("expired", ["--config", config], 2), ("self", ["--config", config], 2)]:
        out = tapedeck.run("record", "--url", urls[name] + "/v2/deployments/stream", "-d", body, *flags, code=code, text=False)
        assert (out == b"".join(text_frames(3))) == (code == 0)
        assert code == 0 or "certificate" in tapedeck.stderr
        assert tapedeck.show("@1")["state"] == ("done" if code == 0 else "upstream_error")
