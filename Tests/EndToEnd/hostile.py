"""Makes archive files that no tapedeck wrote: by the format page, and against it."""

import struct
import subprocess

WRITER = "01KDVDNA00J5CVAMP8T83WH1R1"
CALL = "01KDVDNA00ABCDEFGHJKMNPQRS"
START = 1767225600000000000
SALT = "000102030405060708090a0b0c0d0e0f"


def crc32c(data, crc=0):
    crc ^= 0xFFFFFFFF
    for byte in data:
        crc = TABLE[(crc ^ byte) & 0xFF] ^ crc >> 8
    return crc ^ 0xFFFFFFFF


def _entry(value):
    for _ in range(8):
        value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
    return value


TABLE = [_entry(value) for value in range(256)]


def zstd(content):
    return subprocess.run(["zstd", "-q", "-c", "--content-size", "--stream-size=%d" % len(content)], input=content,
                          stdout=subprocess.PIPE, check=True).stdout


def skippable(magic, content):
    return struct.pack("<III", magic, len(content) + 4, crc32c(content)) + content


def open_json(call=CALL, path="/v2/deployments/stream", has_times="false"):
    return ('{"id":"%s","started_at_ns":%d,"origin":"proxy","upstream":"u","method":"POST","path":"%s","headers":[],'
            '"has_times":%s,"redactions":[]}' % (call, START, path, has_times))


def end_json(frames, size):
    return ('{"cause":"end_of_body","frames":%d,"bytes":%d,"gap_frames":0,"gap_bytes":0,"clock_step_ns":0}'
            % (frames, size))


# Where the block of `segment` begins.
BLOCK = len(zstd(b"tapedeck-segment/1 literal/1\n"))


def literal_head(frames=2, size=16, body=2, cuts="2", **open_fields):
    return ("# %s %d %d %d %d\nopen %s\ncuts %s\nend %s\n" % (
        CALL, START, frames, size, body, open_json(**open_fields), cuts, end_json(frames, size))).encode()


TEXT = b"{}data: a\n\ndata:\n\n"
NAME = "S-%s-000001-000001.tape.zst" % WRITER


def segment(head=None, text=TEXT, times=b"", proofs=b"\x01\x07", index=None, start=None, table=None, entries=None):
    """One block of `literal/1`. Parts that are bytes are framed; a tuple of one is taken as it is."""
    framed = lambda part: part[0] if isinstance(part, tuple) else zstd(part)
    head = literal_head() if head is None else head
    frames = [(framed(start if start is not None else b"tapedeck-segment/1 literal/1\n"))]
    block = len(frames[0])
    frames += [framed(head), framed(text)]
    frames += [skippable(0x184D2A51, times), skippable(0x184D2A52, proofs)]
    index = ("%s %d %d 2 16\n" % (CALL, START, block)).encode() if index is None else index
    frames.append(framed(index))
    contents = [start if start is not None else b"tapedeck-segment/1 literal/1\n", head, text, b"", b"", index]
    entries = entries or [(len(frame), 0 if isinstance(content, tuple) else len(content))
                          for frame, content in zip(frames, contents)]
    if table is None:
        table = struct.pack("<II", 0x184D2A5E, 8 * len(entries) + 9)
        table += b"".join(struct.pack("<II", size & 0xFFFFFFFF, content) for size, content in entries)
        table += struct.pack("<IBI", len(entries), 0, 0x8F92EAB1)
    return b"".join(frames) + table


def template_head(frames=2, size=18, order="0x*", columns=("lengths a p",), templates=("data: ␛<0>␛0A␛0A",), **open_fields):
    """One call of two frames, `data: a` and `data:  `, as `template/1` has it."""
    open_line = open_json(**open_fields).replace('"id":"%s","started_at_ns":%d,' % (CALL, START), "")
    lines = ["# %s %d %d %d - -" % (CALL, START, frames, size), "open " + open_line,
             'end {"cause":"end_of_body","gap_frames":0,"gap_bytes":0,"clock_step_ns":0}']
    lines += ["frame " + template for template in templates] + ["order " + order, *columns]
    return "".join(line + "\n" for line in lines).encode()


TEMPLATE_TEXT = b"%s /request {}\n%s a a \n" % (CALL.encode(), CALL.encode())


def varint(value):
    return bytes([value]) if value < 128 else bytes([value & 127 | 128]) + varint(value >> 7)


def stream(content):
    frame = zstd(content) if content else b""
    return varint(len(frame)) + frame


def cuts_of(lengths=b"\1\1", runs=b"", misses=b""):
    return stream(runs) + stream(misses) + stream(lengths)


def template_segment(head=None, text=TEMPLATE_TEXT, cuts=None, times=b"", proofs=b"\x01\x07", index=None):
    """One block of `template/1`."""
    start = zstd(b"tapedeck-segment/1 template/1\n")
    head, cuts = template_head() if head is None else head, cuts_of() if cuts is None else cuts
    index = ("%s %d %d 2 18\n" % (CALL, START, len(start))).encode() if index is None else index
    frames = [(start, 30), (zstd(head), len(head)), (zstd(text), len(text)), (skippable(0x184D2A53, cuts), 0),
              (skippable(0x184D2A51, times), 0), (skippable(0x184D2A52, proofs), 0), (zstd(index), len(index))]
    table = struct.pack("<II", 0x184D2A5E, 8 * len(frames) + 9)
    table += b"".join(struct.pack("<II", len(frame), content) for frame, content in frames)
    return b"".join(frame for frame, _ in frames) + table + struct.pack("<IBI", len(frames), 0, 0x8F92EAB1)


def window(content, log):
    """A zstd frame that wants a window of 2^log bytes, of one raw block."""
    return (bytes.fromhex("28b52ffd80") + bytes([log - 10 << 3]) + struct.pack("<I", len(content))
            + struct.pack("<I", len(content) << 3 | 1)[:3] + content)


def stating(content, size):
    """A zstd frame without checksum that states another size than it has."""
    return (bytes.fromhex("28b52ffda0") + struct.pack("<I", size) + struct.pack("<I", len(content) << 3 | 1)[:3] + content)


def claiming(content):
    """A zstd frame that says that it holds so many bytes, and has none."""
    return bytes.fromhex("28b52ffd") + b"\xe0" + struct.pack("<Q", content) + b"\x01\x00\x00"


def zeros(count):
    """A zstd frame of so many zero bytes."""
    with subprocess.Popen(["head", "-c", str(count), "/dev/zero"], stdout=subprocess.PIPE) as source:
        return subprocess.run(["zstd", "-q", "-c", "-1", "--stream-size=%d" % count], stdin=source.stdout,
                              stdout=subprocess.PIPE, check=True).stdout


JOURNAL = "J-%s-000001.tape" % WRITER


def record(kind_and_fields, payload=b"", name=JOURNAL, size=None):
    body = b"%d %s\n%s\n" % (len(payload) if size is None else size, kind_and_fields.encode(), payload)
    return b"%08x %s" % (crc32c(name.encode() + body), body)


def journal(*records, name=JOURNAL):
    header = "journal tapedeck-journal/1 %s %d 1 %s" % (WRITER, int(name[-11:-5]), "0" * 64)
    return record(header, name=name) + b"".join(records)


def opened(number=1, name=JOURNAL, body=b"{}", **fields):
    meta = open_json(**fields).encode()
    return record("open %d %s %d %s" % (number, CALL, len(meta), SALT), meta + b"\n" + body, name=name)
