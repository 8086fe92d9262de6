"""Nothing in the benchmark passes by failing: each way in which a run can go wrong is made to, and has to be told."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

from tapebench import main, processes, subjects, table, tapes, tools
from tapebench.load import Load, client, run_load
from tapebench.tools import Failed

LOAD = Load(streams=4, frames=300, gap_us=0, timeout=20)
PACED = Load(streams=4, frames=100, gap_us=20000, timeout=20)


@pytest.fixture(scope="module", autouse=True)
def c_tools():
    tools.build_c_tools()


class Meddler:
    """Passes bytes on between two sockets; `change(bytes, sofar)` may alter what comes from upstream."""

    def __init__(self, upstream, change):
        self.upstream, self.change = upstream, change
        self.server = socket.create_server(("127.0.0.1", 0))
        self.port = self.server.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                client, _ = self.server.accept()
            except OSError:
                return
            up = socket.create_connection(("127.0.0.1", self.upstream))
            threading.Thread(target=self._pass, args=(client, up, lambda data, _: data), daemon=True).start()
            threading.Thread(target=self._pass, args=(up, client, self.change), daemon=True).start()

    @staticmethod
    def _pass(source, sink, change):
        sofar = 0
        try:
            while data := source.recv(65536):
                sink.sendall(change(data, sofar))
                sofar += len(data)
        except OSError:
            pass
        for end in (source, sink):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


class Meddled(subjects.Tapedeck):
    """tapedeck before an upstream whose bytes are tampered with."""

    def __init__(self, change):
        super().__init__()
        self.change = change

    @contextmanager
    def running(self, directory, upstream):
        with super().running(directory, Meddler(upstream, self.change).port) as target:
            yield target


def test_a_sound_run_has_figures_and_a_checked_tape():
    result = run_load(subjects.TAPEDECK_WHOLE, LOAD)
    assert result["frames"] == 1200 and result["proxy"]["cpu_us_per_frame"] > 0 and result["whole_cpu_us_per_frame"] > 0
    assert run_load(subjects.RELAY, LOAD)["ok"] == 4


def test_a_changed_byte_of_the_upstream_is_an_error_of_the_client():
    def change(data, sofar):
        return data.replace(b'"content":"', b'"c0ntent":"', 1) if 20000 < sofar < 90000 else data
    with pytest.raises(Failed, match=r"errors \{'crc': \d"):
        run_load(Meddled(change), LOAD)


def test_an_upstream_that_stops_in_the_middle_is_an_error_of_the_client():
    def change(data, sofar):
        if sofar > 40000:
            raise OSError("enough")
        return data
    with pytest.raises(Failed, match=r"0 of 4 streams arrived; errors \{'(short|conn)': 4"):
        run_load(Meddled(change), LOAD)


@pytest.mark.parametrize("name", [signal.SIGKILL, signal.SIGTERM])
def test_a_proxy_that_ends_while_the_load_runs_is_told(name):
    class Mortal(subjects.Tapedeck):
        @contextmanager
        def running(self, directory, upstream):
            with super().running(directory, upstream) as target:
                threading.Timer(1, lambda: os.kill(target.process.pid, name)).start()
                yield target
                target.process._wait(10)
    # Killed, it loses its clients; told to stop, it lets them end, and has ended before the run has.
    with pytest.raises(Failed, match="errors|ended by itself"):
        run_load(Mortal(), PACED)


def test_a_peer_that_does_not_start_is_told(tmp_path):
    class Broken(subjects.Nginx):
        CONFIGURATION = "nonsense {directory} {upstream} {port};"
    with pytest.raises(Failed, match="nginx did not start: .*nonsense"):
        run_load(Broken(), LOAD)
    with pytest.raises(Failed, match="nobody did not start: No such file"):
        processes.Running(tmp_path / "nobody", log=tmp_path / "log")


@pytest.fixture
def recorded(tmp_path):
    """A store with a sound run in it, and its environment."""
    port = processes.free_port()
    with processes.Running(tools.BUILD / "upstream", "-p", port, log=tmp_path / "upstream.log") as upstream:
        upstream.wait_for_port(port)
        with subjects.TAPEDECK.running(tmp_path, port) as target:
            client(LOAD, target.port)
    environment = subjects.TAPEDECK.environment(tmp_path)
    tapes.check(environment, LOAD)
    return tmp_path, environment


def test_a_tape_that_is_not_what_was_sent_is_told_although_the_client_saw_nothing(recorded, tmp_path):
    directory, environment = recorded
    exported = subprocess.run([tools.BIN / "tapedeck-live", "export", "--to", "frames"], env=environment, capture_output=True, check=True).stdout
    events = [json.loads(line) for line in exported.splitlines()]
    plain = [{key: event[key] for key in ("t_ns", "call", "ev", "raw", "request", "how") if key in event} for event in events]

    def imported(name, changed):
        other = tmp_path / name
        other.mkdir()
        there = {**environment, "TAPEDECK_STORE": str(other / "store")}
        (other / "capture.jsonl").write_text("\n".join(map(json.dumps, changed)) + "\n")
        processes.run(tools.BIN / "tapedeck-live", "import", other / "capture.jsonl", env=there)
        return there

    tapes.check(imported("same", plain), LOAD)
    frame = next(i for i, event in enumerate(plain) if event["ev"] == "frame")
    altered = [dict(event) for event in plain]
    altered[frame]["raw"] = altered[frame]["raw"].replace('"is_final":false', '"is_final":fa1se')
    assert altered[frame] != plain[frame]
    with pytest.raises(Failed, match="bytes that were not sent"):
        tapes.check(imported("altered", altered), LOAD)
    with pytest.raises(Failed, match="has 301 frames, not 302"):
        tapes.check(imported("without-a-frame", plain[:frame] + plain[frame + 1:]), LOAD)
    with pytest.raises(Failed, match="3 of 4 calls are on tape"):
        tapes.check(imported("without-a-call", [event for event in plain if event["call"] != 2]), LOAD)


def test_a_damaged_archive_is_told(recorded):
    directory, environment = recorded
    journal = next((directory / "store" / "archive").glob("J-*.tape"))
    data = bytearray(journal.read_bytes())
    data[len(data) // 2] ^= 1
    journal.write_bytes(data)
    with pytest.raises(Failed, match="verify"):
        tapes.check(environment, LOAD)


def test_a_floor_that_did_not_record_is_told(tmp_path):
    subprocess.run(["zstd", "-q", "-o", tmp_path / "relay.zst"], input=b"nothing much", check=True)
    with pytest.raises(Failed, match="relay recorded 12 bytes of 1.5 MB"):
        subjects.RELAY.check(tmp_path, LOAD, {"body_MB": 1.5})


def test_a_row_with_one_failure_has_no_figure_and_no_ratio():
    row = table.Row("speed", "µs", ["floor", "tapedeck", "peer"], "floor", {"tapedeck": table.Target(1.6, 1.2)})

    def failing():
        raise Failed("3 | 4 streams")
    for value in (1.0, 2.0, 3.0):
        row.take("floor", lambda: value)
        row.take("tapedeck", lambda: value * 1.5)
        row.take("peer", failing if value == 2.0 else lambda: value)
    assert list(row.lines()) == [
        "| speed | floor | 2.00 µs (1.00–3.00) | 1.00 |  |  |",
        "|  | **tapedeck** | 3.00 µs (1.50–4.50) | 1.50 | ≤ 1.6× ✓ | ≤ 1.2× ✗ |",
        "|  | peer | **FAILED**: 3 \\| 4 streams |  |  |  |",
    ]
    assert row.has_failures
    row.take("floor", failing)
    assert list(row.lines())[1] == "|  | **tapedeck** | 3.00 µs (1.50–4.50) |  | ≤ 1.6× ✗ | ≤ 1.2× ✗ |"


def test_the_results_that_are_kept_take_the_place_of_the_last_ones(tmp_path):
    readme = tmp_path / "README.md"
    readme.write_text(f"# It\n\n{main.MARKS[0]}\nold\n\n{main.MARKS[1]}\nmore\n")
    for report in ("| a |", "| b |"):
        main.keep(report, readme)
    assert readme.read_text() == f"# It\n\n{main.MARKS[0]}\n| b |\n\n{main.MARKS[1]}\nmore\n"
    assert all(mark in (tools.ROOT / "README.md").read_text() for mark in main.MARKS)


def test_the_command_ends_with_1_and_names_the_rows_when_one_failed(monkeypatch, capsys):
    bad = table.Row("a row", "µs", ["tapedeck"])
    bad.fail("tapedeck", Failed("the proxy is gone"))
    good = table.Row("another", "µs", ["tapedeck"])
    good.take("tapedeck", lambda: 1.0)
    monkeypatch.setattr(main, "GROUPS", {"replay": lambda rounds, quick: [good, bad]})
    monkeypatch.setattr(sys, "argv", ["run"])
    assert main.main() == 1
    out, err = capsys.readouterr()
    assert "**FAILED**: the proxy is gone" in out and "1 of 2 rows failed: a row" in err
    assert "0 errors" not in out
