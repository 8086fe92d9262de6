"""What others put into a store: an error for people, exit code 2, little memory, no hang; and nothing else is lost."""

import hashlib
import json
import os
import pty
import re
import select
import signal
import sqlite3
import struct
import subprocess
import time

import pytest

import hostile
from conftest import BIN
from upstream import chunk, text_frames

MOST_MEGABYTES = 900


@pytest.fixture
def honest(tapedeck, tmp_path):
    """A store with one sealed call; its id and bytes are set."""
    body = b"".join(text_frames(5))
    (tmp_path / "a.sse").write_bytes(body)
    tapedeck.honest = tapedeck.run("import", tmp_path / "a.sse").strip()
    tapedeck.body = body
    tapedeck.run("seal")
    tapedeck.archive = tapedeck.store / "archive"
    return tapedeck


def bounded(deck, *arguments, stdin=None, seconds=60):
    """Runs a command; its exit code and output. No signal, little memory, in time."""
    with open(deck.store.parent / "out", "wb") as out, open(deck.store.parent / "err", "wb") as err:
        process = subprocess.Popen(
            [BIN / "tapedeck", *map(str, arguments)], env=deck.environment(), stdin=subprocess.DEVNULL, stdout=out,
            stderr=err, start_new_session=True)
        deadline = time.monotonic() + seconds
        while True:
            pid, status, usage = os.wait4(process.pid, os.WNOHANG)
            if pid:
                break
            if time.monotonic() > deadline:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                pytest.fail("tapedeck %s hangs" % " ".join(map(str, arguments)))
            time.sleep(0.01)
    process.returncode = os.waitstatus_to_exitcode(status)
    text = (deck.store.parent / "out").read_bytes().decode(errors="replace")
    error = (deck.store.parent / "err").read_bytes().decode(errors="replace")
    assert process.returncode in (0, 1, 2), (arguments, process.returncode, error[-3000:])
    assert usage.ru_maxrss < MOST_MEGABYTES * 1024, (arguments, usage.ru_maxrss)
    if process.returncode == 2:
        assert re.search(r"[a-z]{3}", text + error), "a failure without a word of why"
    return process.returncode, text, error


def check_all(deck, damaged):
    """Every command gets through, says so if something is wrong, and the honest call is as it was."""
    code, _, error = bounded(deck, "index", "--rebuild")
    assert code == (2 if damaged else 0), error
    code, _, error = bounded(deck, "verify")
    assert code == (2 if damaged else 0), error
    for command in (["seal"], ["status"], ["calls"], ["index"], ["show", hostile.CALL], ["cat", hostile.CALL],
                    ["usage", "--by", "identity"], ["export", "--to", "frames"]):
        bounded(deck, *command)
    assert deck.run("cat", deck.honest, text=False) == deck.body
    assert deck.honest in {call["call_id"] for call in deck.calls()}
    still_seals(deck)


def still_seals(deck):
    """What is recorded beside it is sealed, and its journal goes."""
    (deck.store.parent / "b.sse").write_bytes(b"data: beside it\n\n")
    _, call, error = bounded(deck, "import", "--again", deck.store.parent / "b.sse")
    bounded(deck, "seal")
    bounded(deck, "index")
    place = json.loads(deck.run("show", call.strip(), "--format", "json"))["archive"]
    assert place["file"].startswith("S-"), error
    assert deck.run("cat", call.strip(), text=False) == b"data: beside it\n\n"


def index_line(block, frames=2, size=16):
    return ("%s %d %s %s %s\n" % (hostile.CALL, hostile.START, block, frames, size)).encode()


HUGE = 9223372036854775807
SEGMENTS = {
    "head claims 1 TiB": lambda: hostile.segment(head=(hostile.claiming(1 << 40),)),
    "text claims 1 TiB": lambda: hostile.segment(text=(hostile.claiming(1 << 40),)),
    "text claims 2^64-3": lambda: hostile.segment(text=(hostile.claiming((1 << 64) - 3),)),
    "text claims 512 MiB": lambda: hostile.segment(text=(hostile.claiming(1 << 29),)),
    "head is 1 GiB of zeros": lambda: hostile.segment(head=(hostile.zeros(1 << 30),)),
    "text is 1 GiB of zeros": lambda: hostile.segment(text=(hostile.zeros(1 << 30),)),
    "text is 5 GiB of zeros": lambda: hostile.segment(text=(hostile.zeros(5 << 30),)),
    "index is 1 GiB of zeros": lambda: hostile.segment(index=(hostile.zeros(1 << 30),)),
    "start is 1 GiB of zeros": lambda: hostile.segment(start=(hostile.zeros(1 << 30),)),
    "a call of 1 GiB": lambda: hostile.segment(
        head=hostile.literal_head(frames=1, size=(1 << 30) - 2, cuts="1"), text=(hostile.zeros(1 << 30),),
        index=index_line(hostile.BLOCK, 1, (1 << 30) - 2)),
    "2^26 frames": lambda: hostile.segment(
        head=hostile.literal_head(frames=1 << 26, size=0, body=0, cuts="%d" % (1 << 26)), text=b"",
        index=index_line(hostile.BLOCK, 1 << 26, 0)),
    "2^26 frames with times": lambda: hostile.segment(
        head=hostile.literal_head(frames=1 << 26, size=0, body=0, cuts="%d" % (1 << 26), has_times="true"), text=b"",
        times=(lambda frame: bytes([len(frame) & 127 | 128, len(frame) >> 7]) + frame)(hostile.zeros(1 << 26)),
        index=index_line(hostile.BLOCK, 1 << 26, 0)),
    "counts that overflow": lambda: hostile.segment(head=hostile.literal_head(frames=2, size=HUGE, body=HUGE)),
    "more frames than there are numbers": lambda: hostile.segment(head=hostile.literal_head(frames=HUGE, cuts=HUGE)),
    "cuts that overflow": lambda: hostile.segment(head=hostile.literal_head(cuts="0 %d 0 %d" % (HUGE, HUGE))),
    "times of an absurd length": lambda: hostile.segment(
        head=hostile.literal_head(has_times="true"), times=b"\xff" * 8 + b"\x7f"),
    "salts of an absurd length": lambda: hostile.segment(proofs=b"\xff" * 8 + b"\x7f"),
    "index outside of the file": lambda: hostile.segment(index=index_line(1 << 40)),
    "index that is negative": lambda: hostile.segment(index=index_line(-1)),
    "index of huge counts": lambda: hostile.segment(index=b"# tree %d\n" % HUGE + index_line(hostile.BLOCK, HUGE, HUGE)),
    "index that names a block twice": lambda: hostile.segment(index=index_line(hostile.BLOCK) * 2),
    "index that names a block 100,000 times": lambda: hostile.segment(index=index_line(hostile.BLOCK) * 100_000),
    "seek table of 2^32 entries": lambda: hostile.segment(
        table=struct.pack("<IIIBI", 0x184D2A5E, 9, 0xFFFFFFFF, 0, 0x8F92EAB1)),
    "seek table of huge frames": lambda: hostile.segment(entries=[(0xFFFFFFFF, 0xFFFFFFFF)] * 6),
    "seek table that loops": lambda: hostile.segment(entries=[(50, 0), (0, 0), (0, 0), (0, 0), (0, 0), (0, 0)]),
    "no seek table, 100,000 frames": lambda: hostile.zstd(b"tapedeck-segment/1 literal/1\n") + hostile.zstd(b"") * 100_000,
    "skippable frame to beyond the end": lambda: hostile.segment()[:60] + struct.pack("<II", 0x184D2A51, 0xFFFFFFF0),
    "text states less than it has": lambda: hostile.segment(text=(hostile.stating(hostile.TEXT, 17),)),
    "text states more than it has": lambda: hostile.segment(text=(hostile.stating(hostile.TEXT, 19),)),
    "index is far in the tree": lambda: hostile.segment(
        index=b"# tree %d 1\n" % ((1 << 48) - 1) + index_line(hostile.BLOCK)[:-1] + b" " + b"ab" * 32 + b"\n"),
    "index is so far in the tree that none fits behind": lambda: hostile.segment(
        index=b"# tree %d 1\n" % (1 << 48) + index_line(hostile.BLOCK)[:-1] + b" " + b"ab" * 32 + b"\n"),
    "index states 2^48 calls": lambda: hostile.segment(
        index=b"# tree 0 %d\n" % (1 << 48) + index_line(hostile.BLOCK)[:-1] + b" " + b"ab" * 32 + b"\n"),
    "seek table of one frame less": lambda: hostile.segment(entries=[(50, 30), (50, 0), (50, 0), (50, 0), (50, 0)]),
    **{name: (lambda parts: lambda: hostile.template_segment(**parts()))(parts) for name, parts in {
        "template that does not end": lambda: dict(head=hostile.template_head(templates=["␛<"])),
        "hole beyond all columns": lambda: dict(head=hostile.template_head(templates=["␛<%d>" % HUGE])),
        "100,000 templates": lambda: dict(head=hostile.template_head(templates=["␛<0>"] * 100_000)),
        "template that goes on from more than there is": lambda: dict(head=hostile.template_head().replace(
            b"order", b"frame+%d x\norder" % HUGE)),
        "run longer than numbers go": lambda: dict(head=hostile.template_head(order="0x%d 0x%d" % (HUGE, HUGE))),
        "two runs that take the rest": lambda: dict(head=hostile.template_head(order="0x* 0x*")),
        "run of no template": lambda: dict(head=hostile.template_head(order="1x*")),
        "2^60 frames": lambda: dict(head=hostile.template_head(frames=1 << 60, size=1 << 60)),
        "2^26 frames of numbers": lambda: dict(
            head=hostile.template_head(frames=1 << 26, size=1 << 29, columns=["numbers a 0x%d" % (1 << 26)]),
            text=hostile.TEMPLATE_TEXT[:hostile.TEMPLATE_TEXT.index(b"\n") + 1], cuts=hostile.cuts_of(b"")),
        "numbers that overflow": lambda: dict(
            head=hostile.template_head(columns=["numbers a %d 1x1" % HUGE]), cuts=hostile.cuts_of(b"")),
        "runs of numbers that overflow": lambda: dict(
            head=hostile.template_head(columns=["numbers a 1x%d 1x%d" % (HUGE, HUGE)]), cuts=hostile.cuts_of(b"")),
        "cuts beyond the text": lambda: dict(cuts=hostile.cuts_of(b"\xfe\xfe")),
        "cuts whose sum overflows": lambda: dict(cuts=hostile.cuts_of((b"\xff" + b"\xff" * 8 + b"\x7f") * 2)),
        "cuts short of the text": lambda: dict(cuts=hostile.cuts_of(b"\0\0")),
        "cuts that no column wants": lambda: dict(cuts=hostile.cuts_of(b"\1\1\1")),
        "cuts as long as no number": lambda: dict(cuts=b"\xff" * 9 + b"\x7f"),
        "runs of words that overflow": lambda: dict(
            head=hostile.template_head(columns=["words a p"]), cuts=hostile.cuts_of(b"", b"\xff" + b"\xff" * 8 + b"\x7f")),
        "misses that overflow": lambda: dict(
            head=hostile.template_head(columns=["words a p"]),
            cuts=hostile.cuts_of(b"", b"\0\0", (b"\xff" + b"\xff" * 8 + b"\x7f") * 2)),
        "2^62 groups of times": lambda: dict(head=hostile.template_head(has_times="true"), times=b"\xff" * 8 + b"\x3f"),
        "times as long as no number": lambda: dict(
            head=hostile.template_head(has_times="true"), times=b"\1" + b"\xff" * 9 + b"\x7f"),
        "base64 that does not end": lambda: dict(text=hostile.TEMPLATE_TEXT.replace(b" a a", " a ␛(AAAA".encode())),
        "a megabyte of halves of escapes": lambda: dict(
            text=hostile.TEMPLATE_TEXT.replace(b" a a", b" a " + "␛0".encode() * 300_000)),
        "no lines": lambda: dict(head=b"\n" * 1_000_000),
        "a line for a call that is not there": lambda: dict(text=hostile.TEMPLATE_TEXT * 1000),
    }.items()},
    "a newer version": lambda: hostile.segment(start=b"tapedeck-segment/999999999999999999999 literal/1\n"),
    "an unknown coding": lambda: hostile.segment(start=b"tapedeck-segment/1 \x1b[31mred/1\n"),
    "empty": lambda: b"",
}


@pytest.mark.parametrize("name", SEGMENTS)
def test_a_segment_that_wants_to_be_believed(honest, name):
    (honest.archive / hostile.NAME).write_bytes(SEGMENTS[name]())
    check_all(honest, damaged=True)


def test_the_segments_above_are_hostile_in_one_point_only(honest):
    """Without that point such a segment is read: else the tests above would show nothing."""
    (honest.archive / hostile.NAME).write_bytes(hostile.segment())
    check_all(honest, damaged=False)
    assert honest.run("cat", hostile.CALL, text=False) == hostile.TEXT[2:]


def test_so_are_those_of_the_present_coding(honest):
    (honest.archive / hostile.NAME).write_bytes(hostile.template_segment())
    check_all(honest, damaged=False)
    assert honest.run("cat", hostile.CALL, text=False) == b"data: a\n\ndata:  \n\n"


@pytest.mark.parametrize("log", [24, 31, 41])
def test_a_window_that_nobody_needs(honest, log):
    """It takes no memory: a block is decoded in one go, and that is what its content needs."""
    (honest.archive / hostile.NAME).write_bytes(hostile.segment(text=(hostile.window(hostile.TEXT, log),)))
    bounded(honest, "index", "--rebuild")
    code, text, _ = bounded(honest, "cat", hostile.CALL)
    assert code == 2 or text.encode() == hostile.TEXT[2:]
    still_seals(honest)


LISTED = {
    "a call of another block": lambda line, call: dict(index=line),
    "a tombstone of another block": lambda line, call: dict(index=line.replace(b" 2 16\n", b" - - " + b"ab" * 32 + b"\n")),
    "a tombstone": lambda line, call: dict(
        index=line.replace(b" 2 16\n", b" - - " + b"ab" * 32 + b"\n"), text=b"", proofs=b"",
        head=b"# %s %d erased 5 %s\n" % (call, hostile.START, b"ab" * 32)),
    "another call": lambda line, call: dict(
        index=line, head=hostile.literal_head(call=call.decode()).replace(hostile.CALL.encode(), call)),
}


@pytest.mark.parametrize("name", LISTED)
def test_a_segment_that_lists_calls_of_journals_does_not_make_them_go(tapedeck, tmp_path, name):
    """Whoever names a call in an index has not got it: it is sealed again, or its journal stays, and that is said."""
    (tmp_path / "a.sse").write_bytes(b"data: x\n\n")
    call = tapedeck.run("import", tmp_path / "a.sse").strip()
    line = index_line(hostile.BLOCK).replace(hostile.CALL.encode(), call.encode())
    (tapedeck.store / "archive" / hostile.NAME).write_bytes(hostile.segment(**LISTED[name](line, call.encode())))
    code, _, error = bounded(tapedeck, "seal")
    assert code == 2 and (call in error or hostile.NAME in error), error
    (tapedeck.store / "archive" / hostile.NAME).unlink()
    # The catalogue has believed the file, and is made again without it.
    bounded(tapedeck, "index", "--rebuild")
    assert tapedeck.run("cat", call, text=False) == b"data: x\n\n"
    bounded(tapedeck, "seal")
    assert not list((tapedeck.store / "archive").glob("J-*.tape"))
    assert tapedeck.run("cat", call, text=False) == b"data: x\n\n"


def test_a_checkpoint_of_more_calls_than_there_can_be(honest):
    """It is reported, and what is recorded is sealed all the same."""
    lines = (honest.archive / "checkpoint").read_bytes().split(b"\n")
    for size in (1 << 33, (1 << 48) - 1, 10**18 - 1):
        text = b"\n".join([lines[0], b"%d" % size, lines[2], b"peaks" + b" " + lines[2] if size == 1 << 33 else b"peaks"])
        text += b"\n"
        (honest.archive / "checkpoint").write_bytes(text + b"crc32c %08x\n" % hostile.crc32c(text))
        assert bounded(honest, "verify")[0] == 2
        still_seals(honest)


JOURNALS = {
    "length of 10^18": lambda: hostile.journal(hostile.opened(), hostile.record("frame 1 0 - 0", b"x", size=10**18)),
    "length of 10^11": lambda: hostile.journal(hostile.opened(), hostile.record("frame 1 0 - 0", b"x", size=10**11)),
    "huge numbers": lambda: hostile.journal(
        hostile.opened(), hostile.record("frame 1 %d - 0" % HUGE, b"x"), hostile.record("gap 1 0 %d %d" % (HUGE, HUGE)),
        hostile.record("delta 1 0 - %d %d" % (HUGE, HUGE)), hostile.record("part 1 %d - %d" % (HUGE, HUGE), b"x"),
        hostile.record("open %d %s %d %s" % (HUGE, hostile.CALL, HUGE, hostile.SALT), b"x")),
    "a frame in 2^48": lambda: hostile.journal(
        hostile.opened(), hostile.record("frame 1 %d - 0" % (1 << 48), b"x"), hostile.record("end 1", b"{}")),
    "an end of huge counts": lambda: hostile.journal(
        hostile.opened(), hostile.record("end 1", hostile.end_json(HUGE, HUGE).encode())),
    **{"length of %d" % length: (lambda length: lambda: hostile.journal(
        hostile.opened(), hostile.record("frame 1 0 - 0", b"x", size=length)))(length)
       for length in (2**63 - 1, 2**63, 2**64 - 1, 2**64, 2**128)},
    **{"the id is " + repr(call): (lambda call: lambda: hostile.journal(
        hostile.record("open 1 %s %d %s" % (call, len(hostile.open_json(call)), hostile.SALT), hostile.open_json(call).encode() + b"\n{}"),
        hostile.record("end 1", hostile.end_json(0, 0).encode())))(call)
       for call in ("../../../../../../etc/passwd", "01KDVDNA00ABCDEFGH/../NPQRS", "01KDVDNA00ABCDEFGH\n1 NPQRS",
                    "01KDVDNA00ABCDEFGH\0\0\0NPQRS", "\x1b[31m", "", "01kdvdna00abcdefghjkmnpqrs", "8" * 26)},
    "open JSON of 100,000 levels": lambda: hostile.journal(
        hostile.record("open 1 %s 100000 %s" % (hostile.CALL, hostile.SALT), b"[" * 100_000 + b"\n{}")),
    "a request and a frame of 100,000 levels": lambda: hostile.journal(
        hostile.opened(body=b'{"messages":' + b"[" * 100_000), hostile.record("frame 1 0 - 0", b"data: " + b'{"a":' * 50_000 + b"\n\n"),
        hostile.record("end 1", hostile.end_json(1, 250_008).encode())),
    "deltas of no key": lambda: hostile.journal(hostile.opened(), hostile.record("delta 1 0 - 0 0", b"x")),
    "no header": lambda: hostile.opened(),
    "a newer version": lambda: hostile.record("journal tapedeck-journal/99 %s 1 1 %s" % (hostile.WRITER, "0" * 64)),
    "lines without end": lambda: b"0" * (1 << 22),
    "line feeds": lambda: b"\n" * (1 << 22),
    "almost records": lambda: b"00000000 999999 frame 1 0 - 0\n" * 20_000,
}


@pytest.mark.parametrize("name", JOURNALS)
def test_a_journal_that_wants_to_be_believed(honest, name):
    (honest.archive / hostile.JOURNAL).write_bytes(JOURNALS[name]())
    bounded(honest, "index", "--rebuild")
    for command in (["verify"], ["status"], ["calls"], ["cat", hostile.CALL], ["seal"], ["seal"], ["index"], ["calls"],
                    ["verify"], ["show", hostile.CALL], ["frames", hostile.CALL], ["export", "--to", "tape"]):
        bounded(honest, *command)
    assert honest.run("cat", honest.honest, text=False) == honest.body
    still_seals(honest)


def test_a_journal_with_a_hole_of_a_terabyte(honest):
    path = honest.archive / hostile.JOURNAL
    path.write_bytes(hostile.journal(hostile.opened(), hostile.record("frame 1 0 - 0", b"x", size=10**11)))
    os.truncate(path, 1 << 40)
    code, _, error = bounded(honest, "index", seconds=120)
    for command in (["verify"], ["cat", hostile.CALL], ["seal"], ["seal"], ["status"], ["verify"]):
        bounded(honest, *command, seconds=120)
    assert sum(entry.stat().st_blocks * 512 for entry in honest.archive.iterdir()) < 64 << 20
    assert honest.run("cat", honest.honest, text=False) == honest.body


def test_names_with_numbers_that_end(honest):
    for name in ("J-%s-%d.tape" % (hostile.WRITER, HUGE), "J-%s-%d.tape" % (hostile.WRITER, HUGE - 1),
                 "J-%s-%s.tape" % (hostile.WRITER, "9" * 40), "S-%s-%d-%d.tape.zst" % (hostile.WRITER, HUGE, HUGE),
                 "S-%s--00001-000001.tape.zst" % hostile.WRITER, "J-%s-000000.tape" % hostile.WRITER):
        (honest.archive / name).write_bytes(hostile.journal(hostile.opened()))
    for command in (["index", "--rebuild"], ["verify"], ["seal"], ["status"], ["calls"]):
        bounded(honest, *command)
    assert honest.run("cat", honest.honest, text=False) == honest.body


@pytest.mark.parametrize("name", [hostile.NAME, hostile.JOURNAL, "x.tmp", "x.torn"])
@pytest.mark.parametrize("kind", ["fifo", "directory", "link to itself", "link to nothing", "link to /dev/zero", "socket"])
def test_what_is_no_file_in_the_archive(honest, name, kind):
    make_odd(honest.archive / name, kind)
    for command in (["index", "--rebuild"], ["verify"], ["seal"], ["status"], ["calls"]):
        bounded(honest, *command)
    assert honest.run("cat", honest.honest, text=False) == honest.body


def make_odd(path, kind):
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "directory":
        path.mkdir()
    elif kind == "socket":
        import socket

        here = os.getcwd()
        os.chdir(path.parent)
        try:
            socket.socket(socket.AF_UNIX).bind(path.name[:90])
        finally:
            os.chdir(here)
    else:
        target = {"link to itself": path.name, "link to nothing": "nothing", "link to /dev/zero": "/dev/zero"}[kind]
        path.symlink_to(target)


@pytest.mark.parametrize("name", ["tapedeck.json", "catalogue.sqlite", "store.lock", "fingerprint.key", "archive"])
@pytest.mark.parametrize("kind", ["fifo", "directory", "link to itself", "link to /dev/zero", "noise", "empty"])
def test_a_store_whose_parts_are_something_else(honest, name, kind, tmp_path):
    path = honest.store / name
    if not path.exists() and name != "fingerprint.key":
        path.touch()
    if path.exists():
        path.rename(honest.store.parent / "aside")
    if kind in ("noise", "empty"):
        path.write_bytes(os.urandom(5000) if kind == "noise" else b"")
    else:
        make_odd(path, kind)
    for command in (["calls"], ["status"], ["index"], ["seal"], ["import", tmp_path / "a.sse"], ["cat", honest.honest], ["verify"],
                    ["checkpoint"]):
        bounded(honest, *command, seconds=30)


STORES = [b"", b"{}", b"[" * 100_000, b'{"format":"tapedeck-store","version":1e400}',
          b'{"format":"tapedeck-store","version":-1}', b'{"format":"tapedeck-store","version":999999999999999999999999}',
          b'{"format":"tapedeck-store","version":2,"created":"\x1b[31m"}', b'{"format":"tapedeck-store","version":1}' * 9000]


@pytest.mark.parametrize("content", STORES, ids=lambda content: repr(content[:40]))
def test_a_store_that_says_nonsense_of_itself(honest, content):
    (honest.store / "tapedeck.json").write_bytes(content)
    before = sorted(path.name for path in honest.archive.iterdir())
    for command in (["calls"], ["index", "--rebuild"], ["seal"], ["status"], ["verify"]):
        code, _, error = bounded(honest, *command)
        assert code == 2 and str(honest.store) in error, error
    assert sorted(path.name for path in honest.archive.iterdir()) == before


def test_a_catalogue_that_points_elsewhere(honest, tmp_path):
    """The catalogue names files of the archive; what is no such name is not opened."""
    (tmp_path / "secret").write_text("secret")
    for place in ("../../secret", str(tmp_path / "secret"), "/dev/zero", hostile.NAME + "/../../../secret", "\x1b[31m"):
        catalogue = sqlite3.connect(honest.store / "catalogue.sqlite")
        columns = [row[1] for row in catalogue.execute("PRAGMA table_info(calls)")]
        file = next(column for column in columns if "file" in column)
        if catalogue.execute("SELECT type FROM pragma_table_info('calls') WHERE name = ?", [file]).fetchone()[0] == "TEXT":
            catalogue.execute("UPDATE calls SET %s = ?" % file, [place])
        catalogue.commit()
        catalogue.close()
        code, text, _ = bounded(honest, "cat", honest.honest)
        assert "secret" not in text and (code != 0 or text.encode() == honest.body)


CAPTURES = {
    "deep request": '{"t_ns":1,"call":1,"ev":"open","request":%s%s}' % ("[" * 100_000, "]" * 100_000),
    "deep frame": '{"t_ns":1,"call":1,"ev":"open","request":1}\n{"t_ns":2,"call":1,"ev":"frame","raw":"data: %s\\n\\n"}'
                  % ("[" * 100_000),
    "deep line": "[" * 1_000_000,
    "huge numbers": '{"t_ns":-9223372036854775808,"call":9223372036854775807,"ev":"open","request":1}\n'
                    '{"t_ns":9223372036854775807,"call":9223372036854775807,"ev":"frame","raw":""}',
    "numbers beyond": '{"t_ns":1e400,"call":1,"ev":"open"}',
    "path": '{"t_ns":1,"call":1,"ev":"open","call_id":"../../../../etc/passwd1234","request":1}',
    "headers": '{"t_ns":1,"call":1,"ev":"open","headers":{"a":[[]]},"request":1}',
    "half a pair": '{"t_ns":1,"call":1,"ev":"open"}\n{"t_ns":1,"call":1,"ev":"frame","raw":"\\ud83d"}',
    "a line of 64 MiB": '{"t_ns":1,"call":1,"ev":"open","request":1}\n{"t_ns":2,"call":1,"ev":"frame","raw":"data: %s\\n\\n"}'
                        % ("x" * (64 << 20)),
    "a line of 64 MiB that does not end": "x" * (64 << 20),
    "salt": '{"t_ns":1,"call":1,"ev":"open","salt":"zz","request":1}',
}


@pytest.mark.parametrize("name", CAPTURES)
def test_a_capture_that_wants_to_be_believed(honest, tmp_path, name):
    (tmp_path / "x.jsonl").write_text(CAPTURES[name])
    code, text, error = bounded(honest, "import", tmp_path / "x.jsonl")
    if code == 2:
        assert "x.jsonl" in error
    for command in (["index"], ["seal"], ["calls"], ["usage", "--by", "day"], *(["show", call] for call in text.split()),
                    *(["frames", call] for call in text.split())):
        bounded(honest, *command)
    assert honest.run("cat", honest.honest, text=False) == honest.body


@pytest.fixture
def tape(honest, tmp_path):
    """A small tape, and an empty store to import it into."""
    (tmp_path / "small.sse").write_bytes(b"data: \x1b[31m\xff\n\n")
    call = honest.run("import", tmp_path / "small.sse").strip()
    content = honest.run("export", "--to", "tape", call, text=False)
    honest.other = tmp_path / "other"
    return honest, call, content


def import_tape(deck, content):
    """Exit code and error; what the other store has then."""
    path = deck.store.parent / "x.tape"
    path.write_bytes(content)
    code, text, error = bounded(deck, "import", "--store", deck.other, path)
    calls = bounded(deck, "calls", "--store", deck.other, "--format", "ndjson")[1] if deck.other.exists() else ""
    return code, error, {json.loads(line)["call_id"] for line in calls.splitlines()}


def with_sum(lines):
    return lines + b"sha256 %s\n" % hashlib.sha256(lines).hexdigest().encode()


def test_a_tape_that_was_changed_is_refused_with_a_reason(tape):
    deck, call, content = tape
    places = sorted({*range(0, len(content), max(1, len(content) // 40)), len(content) - 1, len(content) - 70})
    changed = [content[:place] + bytes([content[place] ^ 1]) + content[place + 1:] for place in places]
    changed += [content[:place] for place in places if place < len(content) - 1] + [content + b"x", content + content, b"", b"\n" * 5000, content[1:]]
    lines = content.split(b"\n")
    body = b"\n".join(lines[:-2]) + b"\n"
    # From here on the checksum is right.
    changed += [with_sum(body[:place]) for place in places[::4] if place < len(body) - 1]
    for old, new in ((b"\nrequest 0", b"\nrequest %d" % HUGE), (b"\nframe - ", b"\nframe %d " % HUGE), (b"\nframe -", b"\nframe x"),
                     (b"\\xff", b"\\xfe"), (b"\\xff", b"\\x"), (b"\nleaf ", b"\nleaf 0"),
                     (call.encode(), b"../../../../../../etc/passwd"), (call.encode(), b"01KDVDNA00ABCDEFGH\0JKMNPQR"),
                     (b"\nopen {", b"\nopen " + b"[" * 100_000 + b"{"), (b"end of tape, 1", b"call x\nend of tape, 1"),
                     (b"\nsalt ", b"\nsalt zz"), (b"\nend {", b"\nend of {"), (b"\ncall ", b"\n| \\n\ncall "),
                     (b"tapedeck-tape/1", b"tapedeck-tape/2"), (b"tapedeck-tape/1", b"tapedeck-tape/" + b"9" * 1000)):
        assert old in body, old
        changed.append(with_sum(body.replace(old, new)))
    for content in changed:
        code, error, calls = import_tape(deck, content)
        assert code == 2 and not calls, (content[-600:], error)
        assert "x.tape" in error and re.search(r": [a-z' ]{10}", error), error
        assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f]", error), error
    code, error, calls = import_tape(deck, tape[2])
    assert code == 0 and calls == {call}, error


def test_a_tape_of_two_calls_whose_second_is_wrong_gives_none(tape):
    deck, call, _ = tape
    content = deck.run("export", "--to", "tape", text=False)
    assert content.count(b"\nleaf ") == 2
    place = content.rindex(b"\nleaf ") + 10
    body = b"\n".join((content[:place] + bytes([content[place] ^ 1]) + content[place + 1:]).split(b"\n")[:-2]) + b"\n"
    code, error, calls = import_tape(deck, with_sum(body))
    assert code == 2 and not calls and "line " in error, error


def test_a_tape_of_huge_lengths(tape):
    deck = tape[0]
    for content in (b"tapedeck-tape/1\n" + b"| " + b"x" * (64 << 20), b"tapedeck-tape/1\n" + b"#\n" * 2_000_000,
                    b"tapedeck-tape/1\ncheckpoint\n" + b"| x\n" * 1_000_000):
        code, error, calls = import_tape(deck, with_sum(content + b"\n"))
        assert code == 2 and not calls, error


def test_many_tiny_frames_and_one_that_is_large(honest, tmp_path):
    for name, body in (("tiny", b":\n\n" * 100_000), ("distinct", b"".join(b"%x:\n\n" % n for n in range(20_000))),
                       ("large", b"data: " + b"x" * (20 << 20) + b"\n\n"), ("feeds", b'{"a":"' + b"\\n" * (4 << 20) + b'"}')):
        (tmp_path / (name + ".sse")).write_bytes(body)
        code, call, error = bounded(honest, "import", tmp_path / (name + ".sse"), seconds=120)
        assert code == 0, error
        for command in (["index"], ["seal"], ["index", "--rebuild"], ["verify"], ["status"]):
            code, _, error = bounded(honest, *command, seconds=120)
            assert code == 0, error
        for command in (["show", call.strip()], ["frames", call.strip()]):
            bounded(honest, *command, seconds=120)
        assert honest.run("cat", call.strip(), text=False) == body


PROOFS = ["[" * 100_000, "{}", "null", '{"format":"tapedeck-proof/1","inclusion":[' + ",".join(['"%064d"' % 0] * 9999) + "]}",
          '{"format":"tapedeck-proof/1","call_id":"%s","leaf":"%s","leaf_number":9223372036854775807,"erased":true,'
          '"inclusion":[],"checkpoint":"a\\n999999999999999999\\n%s=\\n"}' % (hostile.CALL, "ab" * 32, "A" * 43),
          "x" * (64 << 20)]


@pytest.mark.parametrize("content", PROOFS, ids=lambda content: content[:30])
def test_a_proof_and_a_checkpoint_that_want_to_be_believed(honest, tmp_path, content):
    (tmp_path / "x").write_text(content)
    assert bounded(honest, "proof", "--check", tmp_path / "x")[0] == 2
    assert bounded(honest, "verify", "--checkpoint", tmp_path / "x")[0] == 2
    os.mkfifo(tmp_path / "fifo")
    bounded(honest, "verify", "--checkpoint", tmp_path)
    bounded(honest, "verify", "--checkpoint", "/dev/zero")


LEAVES = {
    "noise": b"\xff" * 1000, "empty": b"", "far": b"# tree 281474976710656 1\n", "beyond": b"# tree %d %d\n" % (HUGE, HUGE),
    "peaks": b"# tree 5 1" + b" ab" * 100 + b"\n",
}


@pytest.mark.parametrize("name", LEAVES)
def test_a_leaf_list_that_wants_to_be_believed(honest, name):
    file = hostile.NAME.replace(".tape.zst", ".leaves")
    body = b"tapedeck-leaves/1 %s 5\n%s%s %s\n" % (
        hostile.NAME.encode(), LEAVES[name], hostile.CALL.encode(), b"ab" * 32)
    body += b"sha256 %s\n" % hashlib.sha256(body).hexdigest().encode()
    (honest.archive / file).write_bytes(LEAVES[name] if name in ("noise", "empty") else body)
    assert bounded(honest, "verify")[0] == 2
    for command in (["seal"], ["import", honest.store.parent / "a.sse"], ["seal"], ["index", "--rebuild"], ["status"]):
        bounded(honest, *command)
    assert honest.run("cat", honest.honest, text=False) == honest.body


def test_token_counts_that_no_sum_holds(honest, tmp_path):
    for number in range(3):
        body = b'data: {"choices":[],"usage":{"prompt_tokens":%d,"completion_tokens":1,"total_tokens":%d}}\n\n' % (
            HUGE - number, HUGE - 1)
        (tmp_path / f"{number}.sse").write_bytes(body)
        bounded(honest, "import", tmp_path / f"{number}.sse")
    for by in ("identity", "day", "model"):
        code, text, error = bounded(honest, "usage", "--by", by, "--totals", "--format", "json")
        assert code == 0 and sum(row["calls"] for row in json.loads(text) if row["group"]) == 4, error
    bounded(honest, "calls")
    bounded(honest, "status")


def on_terminal(deck, *arguments):
    """What a command writes to a terminal."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execve(BIN / "tapedeck", ["tapedeck", *map(str, arguments)], deck.environment(TERM="xterm"))
    out = b""
    while select.select([terminal], [], [], 30)[0]:
        try:
            piece = os.read(terminal, 65536)
        except OSError:
            break
        if not piece:
            break
        out += piece
    os.close(terminal)
    os.waitpid(pid, 0)
    return out


EVIL = "\x1b]0;owned\x07\x1b[2J\x9b31m\r\x08"


def test_no_control_character_of_a_call_reaches_a_terminal(honest, tmp_path):
    chunks = [{"id": EVIL, "model": EVIL, "provider": EVIL, "telemetry": {"trace_id": EVIL, "span_id": EVIL}, EVIL: EVIL,
               "choices": [{"index": 0, "message": {"role": "assistant", "content": EVIL}, "finish_reason": EVIL}],
               "error": {"code": EVIL, "message": EVIL}}]
    lines = [{"t_ns": hostile.START, "call": 1, "ev": "open", "path": "/" + EVIL, "method": EVIL, "upstream": EVIL,
              "headers": [[EVIL, EVIL]], "redactions": [EVIL], "http_status": 200, "http_version": EVIL,
              "response_headers": [[EVIL, EVIL]],
              "request": {"key": EVIL, "thread": {"id": EVIL, "tags": [EVIL]}, "identity": {"id": EVIL, "display_name": EVIL},
                          "metadata": {EVIL: EVIL}, "messages": [{"role": EVIL, "content": EVIL}]}}]
    lines += [{"t_ns": hostile.START + 5, "call": 1, "ev": "frame",
               "raw": "event: %s\ndata: %s\n\n" % (EVIL.replace("\r", ""), json.dumps(chunk))} for chunk in chunks]
    lines += [{"t_ns": hostile.START + 5, "call": 1, "ev": "frame", "raw": ": " + EVIL + "\n\n"}]
    frames = [line["raw"] for line in lines if line["ev"] == "frame"]
    lines += [{"t_ns": hostile.START + 9, "call": 1, "ev": "end", "how": "done", "cause": "upstream_failed", "detail": EVIL,
               "frames": len(frames), "bytes": sum(len(frame.encode()) for frame in frames), "gap_frames": 0, "gap_bytes": 0,
               "clock_step_ns": 0}]
    (tmp_path / "x.jsonl").write_text("\n".join(map(json.dumps, lines)))
    call = honest.run("import", tmp_path / "x.jsonl").strip()
    (honest.archive / ("S-" + EVIL.replace("/", "") + ".tape.zst")).mkdir()
    (honest.archive / ("J-" + EVIL.replace("/", "") + ".tape")).mkdir()
    (tmp_path / "evil.json").write_text(json.dumps({"format": EVIL, EVIL: EVIL}))
    commands = [["calls"], ["show", call], ["frames", call], ["usage", "--by", "identity,thread,model,deployment"], ["status"],
                ["seal"], ["index", "--rebuild"], ["show", "--full", call], ["events", call], ["show", EVIL], ["verify"], ["verify", call],
                ["export", "--to", "frames", call], ["proof", EVIL], ["proof", "--check", tmp_path / "evil.json"],
                ["import", tmp_path / ("no" + EVIL)], ["--store", str(tmp_path) + "/" + EVIL, "calls"]]
    for command in commands:
        out = on_terminal(honest, *command)
        # The program's own styles are SGR sequences; what the call has is not among them.
        rest = re.sub(rb"\x1b\[[0-9;]*m", b"", out).decode(errors="surrogateescape")
        for character in "\x1b\x07\x08\x9b":
            assert character not in rest, (command, out)
        assert "\r" not in rest.replace("\r\n", ""), (command, out)
