#!/usr/bin/env python3
"""Reads a tapedeck archive without tapedeck: Python's standard library and the `zstd` program only.

Written from schema/archive.md alone, so that what that page says is enough. Gives every call's exact bytes, frames,
times and metadata; checks every checksum, chain, leaf hash, place in the tree, checkpoint and signature.

    tapereader.py STORE [--checkpoint FILE]... [--key VERIFIER-KEY] [--out DIRECTORY]

One JSON object a call on stdout, what is wrong on stderr. Exit code 2 if anything is.
"""

import argparse
import base64
import hashlib
import json
import pathlib
import re
import struct
import subprocess
import sys

# --- Numbers, checksums, compression --------------------------------------------------------------------------------


def _crc_table():
    table = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
        table.append(value)
    return table


_TABLE = _crc_table()


def crc32c(data, crc=0):
    """RFC 3720 §12.1, continued from `crc`."""
    crc ^= 0xFFFFFFFF
    for byte in data:
        crc = _TABLE[(crc ^ byte) & 0xFF] ^ crc >> 8
    return crc ^ 0xFFFFFFFF


def sha256(*parts):
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return digest.digest()


def u64(number):
    return struct.pack("<Q", number & 0xFFFFFFFFFFFFFFFF)


def unzstd(frame):
    """The content of a zstd frame; `zstd` checks its checksum."""
    done = subprocess.run(["zstd", "-dcq"], input=frame, capture_output=True)
    if done.returncode:
        raise Damaged("zstd: " + done.stderr.decode(errors="replace").strip())
    return done.stdout


class Damaged(Exception):
    pass


class Bytes:
    """Reads off the front of bytes."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, count):
        if count > len(self.data) - self.at:
            raise Damaged("bytes are missing")
        self.at += count
        return self.data[self.at - count:self.at]

    def varint(self):
        value = shift = 0
        while True:
            byte = self.take(1)[0]
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value


# --- Calls ----------------------------------------------------------------------------------------------------------


class Call:
    def __init__(self, open_json, body, salt):
        self.open_json, self.body, self.salt = open_json, body, salt
        self.open = json.loads(open_json)
        self.head_json = self.end_json = None
        self.frames = []
        self.times = []  # one a frame, if the call has times

    @property
    def id(self):
        return self.open["id"]

    @property
    def raw(self):
        return b"".join(self.frames)

    def leaf(self):
        part = lambda data: u64(2**64 - 1) if data is None else u64(len(data)) + data
        meta = sha256(part(self.open_json), part(self.body), part(self.head_json), part(self.end_json))
        times, end = hashlib.sha256(), 0
        for index, frame in enumerate(self.frames):
            end += len(frame)
            if self.open["has_times"]:
                times.update(u64(self.times[index]))
            times.update(u64(end))
        times.update(u64(len(self.frames)) + u64(1 if self.open["has_times"] else 0))
        return sha256(b"\x00", self.salt, meta, sha256(self.raw), times.digest())

    def problem(self):
        """What is wrong with it by its own end record; None if nothing is."""
        if self.end_json is None:
            return None
        end = json.loads(self.end_json)
        if len(self.raw) != end["bytes"] - end["gap_bytes"]:
            return "it has %d bytes, and its end record says %d" % (len(self.raw), end["bytes"] - end["gap_bytes"])
        if not end["gap_frames"] and len(self.frames) != end["frames"]:
            return "it has %d frames, and its end record says %d" % (len(self.frames), end["frames"])
        if "sha256" in end and end["sha256"] != sha256(self.raw).hex():
            return "its bytes are not those whose hash is in its end record"
        return None


# --- Journals -------------------------------------------------------------------------------------------------------

JOURNAL = re.compile(r"J-([0-9A-HJKMNP-TV-Z]{26})-(\d{6,})\.tape")
LINE = re.compile(rb"([0-9a-f]{8}) (\d+) ([^ \n]+)((?: [^ \n]*)*)\n")


class JournalCall:
    """One call while its records are read."""

    def __init__(self, call):
        self.gap_frames = self.gap_bytes = self.missing = 0
        self.call = call
        self.next = 0
        self.pending, self.pending_time = b"", None
        self.key = None

    def add(self, frame, time):
        self.call.frames.append(frame)
        if self.call.open["has_times"]:
            self.call.times.append(time)

    def lose(self):
        """There is no end: what is known to be missing stands in its place."""
        if self.gap_frames or self.gap_bytes or self.missing:
            missing = ',"missing_frames":%d' % self.missing if self.missing else ""
            text = '{"gap_frames":%d,"gap_bytes":%d%s}' % (self.gap_frames, self.gap_bytes, missing)
            self.call.end_json = text.encode()

    def tail(self):
        if self.pending:
            self.add(self.pending, self.pending_time)
            self.next += 1
            self.pending = b""


class Writer:
    """All journals of one writer, in order."""

    def __init__(self, problems):
        self.problems = problems
        self.calls = {}
        self.done = set()
        self.finished = []

    def read(self, path, has_previous):
        data, name = path.read_bytes(), path.name
        seed = crc32c(name.encode())
        at = batch = 0
        chain = None
        while at < len(data):
            line = LINE.match(data, at, at + 512)
            end = line.end() + int(line[2]) + 1 if line else len(data) + 1
            if end > len(data) or data[end - 1:end] != b"\n" or crc32c(data[at + 9:end], seed) != int(line[1], 16):
                following = self.resync(data, at, seed)
                if following is None:
                    self.problems.note("%s: the last %d bytes are no whole record" % (name, len(data) - at))
                    return
                self.problems.add("%s: %d bytes at %d are not what was written" % (name, following - at, at))
                at, chain = following, None
                continue
            kind, fields = line[3].decode(), line[4].decode().split()
            payload = data[line.end():end - 1]
            if kind == "journal":
                if fields[0] != "tapedeck-journal/1":
                    self.problems.add("%s: a %s" % (name, fields[0]))
                    return
                if (fields[1], int(fields[2])) != (JOURNAL.fullmatch(name)[1], int(JOURNAL.fullmatch(name)[2])):
                    self.problems.add("%s: its header is of another journal" % name)
                chain = bytes.fromhex(fields[4])
            elif kind == "batch":
                stated = bytes.fromhex(fields[1])
                if chain is not None and sha256(chain, data[batch:at]) != stated:
                    self.problems.add("%s: the batch at %d does not follow from the one before" % (name, at))
                chain, batch = stated, end
            else:
                self.apply(kind, fields, payload, name, has_previous)
            at = end

    @staticmethod
    def resync(data, at, seed):
        while (at := data.find(b"\n", at) + 1) > 0:
            line = LINE.match(data, at, at + 512)
            end = line.end() + int(line[2]) + 1 if line else 0
            if line and end <= len(data) and crc32c(data[at + 9:end], seed) == int(line[1], 16):
                return at
        return None

    def apply(self, kind, fields, payload, name, has_previous):
        number = int(fields[0])
        if kind == "open":
            if number in self.calls or number in self.done:
                return
            size = int(fields[2])
            self.calls[number] = JournalCall(Call(payload[:size], payload[size + 1:], bytes.fromhex(fields[3])))
            return
        call = self.calls.get(number)
        if kind == "resume" or call is None:
            return
        if kind == "head":
            call.call.head_json = call.call.head_json or payload
        elif kind == "end":
            call.tail()
            call.call.end_json = payload
            self.done.add(number)
            self.finished.append(self.calls.pop(number).call)
        elif kind in ("frame", "delta", "part", "gap"):
            problem = self.frame(call, kind, fields, payload)
            if problem:
                self.problems.add("%s: call %s: %s" % (name, call.call.id, problem))

    @staticmethod
    def frame(call, kind, fields, payload):
        index = int(fields[1])
        if kind == "gap":
            if index < call.next:
                return None
            call.tail()
            call.missing += max(0, index - call.next)
            call.next, call.key = index + int(fields[2]), None
            call.gap_frames, call.gap_bytes = call.gap_frames + int(fields[2]), call.gap_bytes + int(fields[3])
            return None
        time = None if fields[2] == "-" else int(fields[2])
        at = int(fields[3])
        is_key = kind == "frame" and at == 0 and len(payload) <= 65536
        if index < call.next:
            if is_key:
                call.key = payload
            return None
        problem = None
        if index > call.next:
            problem = "frames %d to %d are missing" % (call.next, index - 1)
            call.missing += index - call.next
            call.next, call.pending, call.key = index, b"", None
        if kind == "part":
            if at < len(call.pending):
                return problem
            call.pending, call.pending_time = call.pending + payload, time
            return problem
        if kind == "delta":
            prefix, suffix = at, int(fields[4])
            if call.key is None:
                call.next, call.missing = index + 1, call.missing + 1
                return problem or "the key frame of frame %d is missing" % index
            call.add(call.key[:prefix] + payload + call.key[len(call.key) - suffix:], time)
        else:
            call.add(call.pending[:at] + payload, time)
        if is_key:
            call.key = payload
        call.next, call.pending = index + 1, b""
        return problem

    def finish(self):
        """What has no end is lost; what there is of its last frame is its last frame."""
        for number in sorted(self.calls):
            self.calls[number].tail()
            self.calls[number].lose()
            self.finished.append(self.calls[number].call)
        return self.finished


# --- Segments -------------------------------------------------------------------------------------------------------

TIMES, PROOFS, CUTS, SUMS, SEEK = 0x184D2A51, 0x184D2A52, 0x184D2A53, 0x184D2A54, 0x184D2A5E


class Tombstone:
    def __init__(self, id, leaf):
        self.id, self._leaf = id, leaf

    def leaf(self):
        return self._leaf


class Segment:
    """One sealed file: `items` are its calls and tombstones, in the order of the tree."""

    def __init__(self, path):
        data = path.read_bytes()
        self.frames = self.seek_table(data)
        first = self.plain(self.frames[0]).split(b"\n", 1)[0].decode().split()
        if first[0] != "tapedeck-segment/1" or first[1] not in CODINGS:
            raise Damaged("it is a %s" % " ".join(first))
        kinds, decode = CODINGS[first[1]]
        body = self.frames[1:]
        if self.magic(body[-1][1]) == SUMS:
            sums = self.skippable(body.pop(), SUMS)
            stated = struct.unpack("<%dI" % (len(sums) // 4), sums)
            if list(stated) != [crc32c(frame) for _, frame, _ in self.frames[:-1]]:
                raise Damaged("frames are not what was written")
        self.index(self.plain(body.pop()))
        self.items = []
        places = []
        if len(body) % len(kinds):
            raise Damaged("frames that make up no block")
        for at in range(0, len(body), len(kinds)):
            parts = [self.plain(frame) if kind is None else self.skippable(frame, kind)
                     for kind, frame in zip(kinds, body[at:at + len(kinds)])]
            items = decode(*parts)
            places += [body[at][0]] * len(items)
            self.items += items
        self.compare(places)

    @staticmethod
    def magic(frame):
        return struct.unpack_from("<I", frame)[0]

    @staticmethod
    def plain(framed):
        _, frame, stated = framed
        content = unzstd(frame)
        if len(content) != stated:
            raise Damaged("a frame is not of the size that the seek table says")
        return content

    @staticmethod
    def skippable(framed, magic):
        _, frame, stated = framed
        kind, size, crc = struct.unpack_from("<III", frame)
        if stated or kind != magic or size != len(frame) - 8 or crc != crc32c(frame[12:]):
            raise Damaged("a skippable frame is not what was written")
        return frame[12:]

    @classmethod
    def seek_table(cls, data):
        """(offset, bytes, stated size of the content) of every frame before the seek table."""
        count, zero, magic = struct.unpack("<IBI", data[-9:])
        start = len(data) - 17 - 8 * count
        if zero or magic != 0x8F92EAB1 or struct.unpack_from("<II", data, start) != (SEEK, 8 * count + 9):
            raise Damaged("its seek table")
        frames, at = [], 0
        for place in range(count):
            size, content = struct.unpack_from("<II", data, start + 8 + 8 * place)
            frames.append((at, data[at:at + size], content))
            at += size
        if at != start:
            raise Damaged("its seek table does not fit the file")
        return frames

    def index(self, text):
        self.first = self.count = None
        self.peaks, self.entries = [], []
        for line in text.decode().splitlines():
            words = line.split()
            if words[:2] == ["#", "tree"]:
                self.first, self.count = int(words[2]), int(words[3])
                self.peaks = [bytes.fromhex(word) for word in words[4:]]
            elif words[0] != "#":
                self.entries.append(words)
        if self.count is not None and self.count != len(self.entries):
            raise Damaged("its index states %d leaves and has %d" % (self.count, len(self.entries)))

    def compare(self, places):
        """The index says what the blocks have."""
        if len(self.entries) != len(self.items):
            raise Damaged("its index has %d calls, its blocks %d" % (len(self.entries), len(self.items)))
        for words, item, place in zip(self.entries, self.items, places):
            sizes = ["-", "-"] if isinstance(item, Tombstone) else [str(len(item.frames)), str(len(item.raw))]
            if [words[0], words[2]] + words[3:5] != [item.id, str(place)] + sizes:
                raise Damaged("call %s is not what the index says" % item.id)
            if len(words) > 5 and words[5] != item.leaf().hex():
                raise Damaged("call %s has another leaf hash than the index says" % item.id)


def literal(head, payload, times, proofs):
    """Block coding `literal/1`."""
    items, lines = [], []
    for line in head.split(b"\n")[:-1]:
        word, value = line.split(b" ", 1)
        if word == b"#":
            lines.append((value.decode().split(), {}))
        else:
            lines[-1][1][word.decode()] = value
    payload, salts = Bytes(payload), Bytes(proofs)
    clock = Times(times)
    for words, parts in lines:
        if words[2] == "erased":
            items.append(Tombstone(words[0], bytes.fromhex(words[4])))
            continue
        frames, size, body = map(int, words[2:5])
        request, raw = payload.take(body), payload.take(size)
        call = Call(parts["open"], request, salts.take(salts.varint()))
        ends = cuts(parts.get("cuts", b""), raw)
        call.frames = [raw[start:end] for start, end in zip([0] + ends, ends)]
        if len(ends) != frames or (ends[-1] if ends else 0) != size:
            raise Damaged("the cuts of call %s" % call.id)
        call.head_json = parts.get("head")
        if "end" in parts:
            call.end_json = parts["end"].replace(b'"sha256":"="', b'"sha256":"%s"' % sha256(raw).hex().encode())
        if call.open["has_times"]:
            call.times = clock.next(frames)
        items.append(call)
    return items


def cuts(text, raw):
    """Offsets behind each frame: numbers by turns, so many as predicted, and the length of one that is not."""
    ends, at = [], 0
    for turn, word in enumerate(text.split()):
        if turn % 2 == 0:
            for _ in range(int(word)):
                at = predicted(raw, at)
                ends.append(at)
        else:
            at += int(word)
            ends.append(at)
    return ends


BLANK = re.compile(rb"(?:\r\n|\n|\r)(?:\r\n|\n|\r)")


def predicted(raw, start):
    """Behind the first blank line at or after the start; else the end of the response."""
    found = BLANK.search(raw, start)
    return found.end() if found else len(raw)


class Times:
    """Gaps: a symbol each in a zstd frame, then their low bits."""

    def __init__(self, data):
        self.symbols, self.bits, self.position = b"", 0, 0
        if data:
            reader = Bytes(data)
            self.symbols = unzstd(reader.take(reader.varint()))
            self.bits = int.from_bytes(data[reader.at:], "little")
        self.at = 0

    def low(self, count):
        value = self.bits >> self.position & (1 << count) - 1
        self.position += count
        return value

    def next(self, count):
        offsets, last = [], 0
        for symbol in self.symbols[self.at:self.at + count]:
            if symbol < 16:
                gap = symbol
            elif symbol == 255:
                gap = self.low(64)
            else:
                exponent = (symbol - 16) // 8 + 4
                gap = (8 + (symbol - 16) % 8) << exponent - 3 | self.low(exponent - 3)
            last = last + gap & 0xFFFFFFFFFFFFFFFF
            offsets.append(last - (1 << 64) if last >> 63 else last)
        self.at += count
        if len(offsets) != count:
            raise Damaged("times are missing")
        return offsets


# --- Block coding template/1 ----------------------------------------------------------------------------------------

TOKEN = re.compile("\u241b(?:([0-9A-F]{2})|\\(([A-Za-z0-9+/=]*)\\)|<(\\d+)>)|([^\u241b]+)")
LABEL = re.compile(r"([^ ]*?)(\\u|\\U)?(?: (.*))?", re.DOTALL)


def pieces(text, mark):
    """A value's bytes; the holes of a template are numbers between them."""
    out, at = [b""], 0
    while at < len(text):
        found = TOKEN.match(text, at)
        if not found:
            raise Damaged("an escape that is none")
        at = found.end()
        byte, coded, hole, plain = found.groups()
        if hole is not None:
            out += [int(hole), b""]
        elif byte is not None:
            out[-1] += bytes.fromhex(byte)
        elif coded is not None:
            out[-1] += base64.b64decode(coded, validate=True)
        else:
            out[-1] += escaped(plain, mark) if mark else plain.encode()
    return out


def escaped(text, mark):
    """What stands for escapes: characters beyond ASCII, the pair of surrogates for one beyond U+FFFF."""
    form = "\\u%04x" if mark == "\\u" else "\\u%04X"
    out = ""
    for character in text:
        if character < "\x80":
            out += character
        else:
            units = character.encode("utf-16-be")
            out += "".join(form % unit for unit in struct.unpack(">%dH" % (len(units) // 2), units))
    return out.encode()


def value(text, mark):
    found = pieces(text, mark)
    if len(found) != 1:
        raise Damaged("a hole in a value")
    return found[0]


class TemplateCall:
    """What the head says of one call."""

    def __init__(self, words):
        self.words, self.parts = words, {}
        self.templates, self.order, self.columns = [], "", []

    def take(self, label, mark, rest):
        if label.startswith("frame"):
            if rest is None:
                self.templates.append(None)
            else:
                start = int(label[6:]) if label[5:] else 0
                template = pieces(rest, mark)
                template[0] = (self.templates[0][0][:start] if start else b"") + template[0]
                self.templates.append(template)
        elif label == "order":
            self.order = rest
        elif label in ("numbers", "words", "lengths", "noise"):
            path, _, rest = rest.partition(" ")
            if label != "numbers" and path in ("/request", "/frame"):
                raise Damaged("a column whose path is %s" % path)
            self.columns.append([label, path, rest, []])
        else:
            self.parts[label] = value(rest, mark)

    def frames(self):
        """The number of the template of each frame."""
        runs, stretch = [], None
        for run in self.order.split():
            template, _, count = run.partition("x")
            if count == "*":
                stretch = len(runs)
            runs.append([int(template), 1 if not count else 0 if count == "*" else int(count)])
        if stretch is not None:
            runs[stretch][1] = int(self.words[2]) - sum(count for _, count in runs)
        return [template for template, count in runs for _ in range(count)]


def template(head, text, cuts, times, proofs):
    """Block coding `template/1`."""
    items = []
    for line in head.decode().split("\n")[:-1]:
        label, mark, rest = LABEL.fullmatch(line).groups()
        if label == "#":
            items.append(TemplateCall(rest.split()))
        else:
            items[-1].take(label, mark, rest)
    calls = [item for item in items if item.words[2] != "erased"]
    lines = Lines(text)
    for call in calls:
        call.body = lines.take(call.words[0], "/request") if lines.next_is(call.words[0], "/request") else b""
        call.templates = [
            [lines.take(call.words[0], "/frame")] if each is None else each for each in call.templates]
        call.read_columns(lines, "words", "lengths")
    for call in calls:
        call.read_columns(lines, "noise")
    lines.expect_end()
    orders = [call.frames() for call in calls]
    streams = Streams(cuts)
    for kinds in (("words", "lengths"), ("noise",)):
        for call, order in zip(calls, orders):
            for number, column in enumerate(call.columns):
                if column[0] in kinds:
                    count = sum(number in call.templates[each][1::2] for each in order)
                    column[3] = split(column[3], (streams.words if column[0] == "words" else streams.lengths)(
                        column[3], count))
    streams.expect_end()
    salts, built = Bytes(proofs), {}
    for call, order in zip(calls, orders):
        built[call.words[0]] = call.build(order, salts.take(salts.varint()))
    timed = [call for call in built.values() if call.open["has_times"]]
    for call, offsets in zip(timed, group_times(times, [len(call.frames) for call in timed])):
        call.times = offsets
    return [built[item.words[0]] if item in calls else Tombstone(item.words[0], bytes.fromhex(item.words[4]))
            for item in items]


def read_columns(self, lines, *kinds):
    for column in self.columns:
        if column[0] in kinds:
            column[3] = b"" if "e" in column[2].split()[0] else lines.take(self.words[0], column[1])
        elif column[0] == "numbers" and "words" in kinds:
            number, column[3] = 0, []
            for run in column[2].split():
                step, _, count = run.partition("x")
                for _ in range(int(count or 1)):
                    number += int(step)
                    column[3].append(str(number).encode())


def build(self, order, salt):
    """The call, without its times."""
    id, start, frames, size = self.words[:4]
    open_json = b'{"id":"%s","started_at_ns":%s,' % (id.encode(), start.encode()) + self.parts["open"][1:]
    call = Call(open_json, self.body, salt)
    values = [iter(column[3]) for column in self.columns]
    try:
        for each in order:
            call.frames.append(b"".join(
                next(values[piece]) if isinstance(piece, int) else piece for piece in self.templates[each]))
    except StopIteration:
        raise Damaged("call %s lacks values" % id)
    if any(next(rest, None) is not None for rest in values):
        raise Damaged("call %s has values that are not used" % id)
    if (len(call.frames), len(call.raw)) != (int(frames), int(size)):
        raise Damaged("call %s is not of the size that its first line says" % id)
    call.head_json = self.parts.get("head")
    if "end" in self.parts:
        end = self.parts["end"].replace(b'"sha256":"="', b'"sha256":"%s"' % sha256(call.raw).hex().encode())
        # Without a cause it is what is known to be missing of a call that has no end.
        if b',"frames":' not in end and not end.startswith(b'{"gap_frames":'):
            counts = b',"frames":%s,"bytes":%s' % (frames.encode(), size.encode())
            # Before the keys that follow them. Inside of a string a quote is escaped, so these are keys.
            at = min(place for place in (end.find(b',"sha256":'), end.find(b',"gap_frames":')) if place >= 0)
            end = end[:at] + counts + end[at:]
        call.end_json = end
    return call


TemplateCall.read_columns, TemplateCall.build = read_columns, build


class Lines:
    """The lines of a block's text, one after the other."""

    def __init__(self, text):
        self.lines, self.at = text.decode().split("\n")[:-1], 0

    def next_is(self, id, label):
        if self.at == len(self.lines):
            return False
        words = self.lines[self.at].split(" ", 2)
        return words[0] == id and LABEL.fullmatch(words[1])[1] == label

    def take(self, id, label):
        if not self.next_is(id, label):
            raise Damaged("the text of call %s lacks its line %s" % (id, label))
        _, named, text = self.lines[self.at].split(" ", 2)
        self.at += 1
        return value(text, LABEL.fullmatch(named)[2])

    def expect_end(self):
        if self.at != len(self.lines):
            raise Damaged("lines of text that belong to no call")


def split(joined, lengths):
    values, at = [], 0
    for length in lengths:
        values.append(joined[at:at + length])
        at += length
    if at != len(joined):
        raise Damaged("the cuts do not make up a column")
    return values


WORD, DIGIT, SPACE, LINE_END, IDEOGRAPH, SIGN = range(6)


def atom(text, at):
    """Kind and length of the atom at a position."""
    byte = text[at]
    if byte == 0x5C:
        if text[at + 1:at + 2] == b"u" and at + 6 <= len(text):
            return {0x30: WORD, 0x31: WORD, 0x32: SIGN}.get(text[at + 2], IDEOGRAPH), 6
        if text[at + 1:at + 2] in (b"n", b"r", b"t"):
            return LINE_END, 2
        return SIGN, min(2, len(text) - at)
    if 0x41 <= byte <= 0x5A or 0x61 <= byte <= 0x7A:
        return WORD, 1
    if 0x30 <= byte <= 0x39:
        return DIGIT, 1
    if byte == 0x20:
        return SPACE, 1
    if byte < 0x80:
        return SIGN, 1
    kind, length = ((WORD, 2) if byte <= 0xDF else (WORD, 3) if byte <= 0xE1 else (SIGN, 3) if byte == 0xE2
                    else (IDEOGRAPH, 3) if byte <= 0xEF else (IDEOGRAPH, 4))
    return kind, min(length, len(text) - at)


def unit(text, start):
    """Length of the unit at a position, and its place in the table of what was learned."""
    at = start
    if text[at] == 0x20 and at + 1 < len(text) and text[at + 1] != 0x20:
        at += 1
    first, length = atom(text, at)
    hashed = text[start:at] + (b"0" if first == DIGIT else text[at:at + length])
    at += length
    while first != IDEOGRAPH and at < len(text):
        kind, length = atom(text, at)
        if kind != first or at + length - start > 32:
            break
        hashed += b"0" if kind == DIGIT else text[at:at + length]
        at += length
    fnv = 0x811C9DC5
    for byte in hashed:
        fnv = (fnv ^ byte) * 0x01000193 & 0xFFFFFFFF
    return at - start, (fnv ^ fnv >> 16) & 0xFFFF


class Streams:
    """The streams of a block's cuts."""

    def __init__(self, data):
        reader, parts = Bytes(data), []
        for _ in range(3):
            size = reader.varint()
            parts.append(Bytes(unzstd(reader.take(size)) if size else b""))
        self.runs, self.misses, self.sizes = parts
        self.ends = [reader] + parts
        self.learned = bytearray(65536)

    def expect_end(self):
        if any(part.at != len(part.data) for part in self.ends):
            raise Damaged("cuts that belong to no column")

    @staticmethod
    def number(stream):
        byte = stream.take(1)[0]
        return byte if byte < 255 else 255 + stream.varint()

    def lengths(self, text, count):
        return [self.number(self.sizes) for _ in range(count)]

    def foretold(self, text, at, count=1):
        """How long so many foretold values in a row are."""
        start = at
        for _ in range(count):
            if at < len(text):
                length, place = unit(text, at)
                known = self.learned[place]
                at += known if 0 < known <= length else length
        return at - start

    def learn(self, text, at, length):
        if at < len(text):
            size, place = unit(text, at)
            if 0 < length <= size:
                self.learned[place] = length
                return True
        return False

    def words(self, text, count):
        lengths, at = [], 0
        while len(lengths) < count:
            for _ in range(self.number(self.runs)):
                lengths.append(self.foretold(text, at))
                at += lengths[-1]
            if len(lengths) < count:
                lengths.append(self.miss(text, at))
                at += lengths[-1]
        if len(lengths) != count:
            raise Damaged("a run of more values than there are")
        return lengths

    def miss(self, text, at):
        byte, tail = self.misses.take(1)[0], None
        if byte < 0x80 or 0xF0 <= byte < 0xFF:
            raise Damaged("a cut that is none")
        if byte < 0xA0:
            length = self.foretold(text, at, byte - 0x80 + 2)
        elif byte < 0xE0:
            length = byte - 0xA0
        elif byte == 0xFF:
            length = self.misses.varint()
        else:
            before, tail = self.foretold(text, at, byte - 0xE0 + 1), self.misses.take(1)[0]
            length = before + tail
        if not self.learn(text, at, length) and tail is not None:
            self.learn(text, at + length - tail, tail)
        return length


def group_times(data, counts):
    """The offsets of each call with clock: symbols by groups, bits in the order of the block."""
    if not data:
        return [[] for _ in counts]
    reader = Bytes(data)
    groups = [unzstd(reader.take(reader.varint())) for _ in range(reader.varint())]
    chosen = unzstd(reader.take(reader.varint())) if len(groups) > 1 else bytes(len(counts))
    bits = Times(b"")
    bits.bits = int.from_bytes(data[reader.at:], "little")
    places, offsets = [0] * len(groups), []
    for group, count in zip(chosen, counts):
        start = places[group]
        places[group] += count
        bits.symbols, bits.at = groups[group][start:start + count], 0
        offsets.append(bits.next(count))
    return offsets


# The frames of a block, by kind (None: zstd), and what makes calls of them.
CODINGS = {
    "literal/1": ([None, None, TIMES, PROOFS], literal),
    "template/1": ([None, None, CUTS, TIMES, PROOFS], template),
}

# --- The tree -------------------------------------------------------------------------------------------------------


def peaks_of(leaves, peaks=(), size=0):
    """The roots of the perfect trees that all leaves fall into, those before being in `peaks` already."""
    peaks = list(peaks)
    for leaf in leaves:
        bit = size
        while bit & 1:
            leaf = sha256(b"\x01", peaks.pop(), leaf)
            bit >>= 1
        peaks.append(leaf)
        size += 1
    return peaks


def root_of(peaks):
    if not peaks:
        return sha256()
    root = peaks[-1]
    for peak in reversed(peaks[:-1]):
        root = sha256(b"\x01", peak, root)
    return root


def leaf_list(path):
    """(first, [(id, leaf)]) of a leaf list."""
    data = path.read_bytes()
    at = data.rindex(b"sha256 ")
    if data[at:] != b"sha256 %s\n" % sha256(data[:at]).hex().encode():
        raise Damaged("its checksum")
    lines = data[:at].decode().splitlines()
    if lines[0].split()[:2] != ["tapedeck-leaves/1", path.name[:-len(".leaves")] + ".tape.zst"]:
        raise Damaged("its first line")
    place = next(line.split() for line in lines if line.startswith("# tree "))
    leaves = [(line.split()[0], bytes.fromhex(line.split()[1])) for line in lines[1:] if not line.startswith("#")]
    return int(place[2]), leaves


# --- Notes ----------------------------------------------------------------------------------------------------------

P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P


def _add(a, b):
    """RFC 8032 §5.1.4, extended coordinates."""
    left = (a[1] - a[0]) * (b[1] - b[0]) % P
    right = (a[1] + a[0]) * (b[1] + b[0]) % P
    c, d = 2 * a[3] * b[3] * D % P, 2 * a[2] * b[2] % P
    e, f, g, h = right - left, d - c, d + c, right + left
    return e * f % P, g * h % P, f * g % P, e * h % P


def _times(scalar, point):
    result = (0, 1, 1, 0)
    while scalar:
        if scalar & 1:
            result = _add(result, point)
        point = _add(point, point)
        scalar >>= 1
    return result


def _point(data):
    """RFC 8032 §5.1.3; None for what is no point."""
    y = int.from_bytes(data, "little")
    sign, y = y >> 255, y & (1 << 255) - 1
    if y >= P:
        return None
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    if (x * x - square) % P or (x == 0 and sign):
        return None
    if x & 1 != sign:
        x = P - x
    return x, y, 1, x * y % P


def is_signature(key, message, signature):
    """Ed25519, RFC 8032 §5.1.7."""
    base = _point((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))
    public, r = _point(key), _point(signature[:32])
    s = int.from_bytes(signature[32:], "little")
    if len(signature) != 64 or public is None or r is None or s >= ORDER:
        return False
    k = int.from_bytes(hashlib.sha512(signature[:32] + key + message).digest(), "little") % ORDER
    left, right = _times(s, base), _add(r, _times(k, public))
    return (left[0] * right[2] - right[0] * left[2]) % P == 0 and (left[1] * right[2] - right[1] * left[2]) % P == 0


class Note:
    def __init__(self, data):
        text, blank, signatures = data.partition(b"\n\n")
        self.text = text + b"\n" if blank else data
        lines = self.text.decode().splitlines()
        self.origin, self.size, self.root = lines[0], int(lines[1]), base64.b64decode(lines[2], validate=True)
        self.extensions = lines[3:]
        self.signatures = []
        for line in signatures.decode().splitlines():
            dash, name, signed = line.split(" ")
            if dash != "\u2014":
                raise Damaged("a line that is no signature")
            self.signatures.append((name, base64.b64decode(signed, validate=True)))

    def is_signed(self, verifier):
        """By the key `<name>+<key id>+<base64(0x01 ‖ public key)>`."""
        name, id, key = verifier.strip().split("+", 2)
        key = base64.b64decode(key, validate=True)
        if key[0] != 1 or sha256(name.encode(), b"\n", key)[:4].hex() != id:
            raise Damaged("a verifier key whose id is not its own")
        own = [signed[4:] for signer, signed in self.signatures if signer == name and signed[:4].hex() == id]
        return bool(own) and all(is_signature(key[1:], self.text, signature) for signature in own)


# --- A store --------------------------------------------------------------------------------------------------------


class Problems:
    def __init__(self):
        self.found = []
        self.notes = []

    def add(self, what):
        self.found.append(what)

    def note(self, what):
        self.notes.append(what)


class Archive:
    """Everything in a store: `calls` by id, `places` by id, `problems`."""

    def __init__(self, store):
        self.store = pathlib.Path(store)
        self.problems = Problems()
        self.calls, self.places, self.erased, self.removed = {}, {}, [], []
        marker = json.loads((self.store / "tapedeck.json").read_bytes())
        if marker["format"] != "tapedeck-store" or marker["version"] != 1:
            raise Damaged("%s is no store of version 1" % store)
        self.origin = "tapedeck/" + marker["created"]
        archive = self.store / "archive"
        self.parts = {}
        for path in sorted(archive.glob("S-*")):
            self.sealed(path)
        writers = {}
        for path in sorted(archive.glob("J-*")):
            if (name := JOURNAL.fullmatch(path.name)):
                writers.setdefault(name[1], []).append((int(name[2]), path))
        for journals in writers.values():
            writer, numbers = Writer(self.problems), {number for number, _ in journals}
            for number, path in sorted(journals):
                writer.read(path, number - 1 in numbers)
            for call in writer.finish():
                if call.id not in self.calls:
                    self.calls[call.id], self.places[call.id] = call, journals[0][1].name
        for call in self.calls.values():
            if (problem := call.problem()):
                self.problems.add("call %s: %s" % (call.id, problem))
        self.tree()
        own = archive / "checkpoint"
        if own.exists():
            self.check_own(own.read_bytes())

    def sealed(self, path):
        try:
            if path.suffix == ".leaves":
                first, leaves = leaf_list(path)
                self.removed += [id for id, _ in leaves]
                self.parts[first] = (path.name, [leaf for _, leaf in leaves], None)
                return
            segment = Segment(path)
        except (Damaged, ValueError, KeyError, IndexError, struct.error) as error:
            return self.problems.add("%s: %s" % (path.name, error))
        for item in segment.items:
            if isinstance(item, Tombstone):
                self.erased.append(item.id)
            else:
                self.calls[item.id], self.places[item.id] = item, path.name
        leaves = [item.leaf() for item in segment.items]
        first = segment.first
        if first is None:
            # Of the first programs: the numbers that the others leave free, in the order of the names.
            first = -1 - len([key for key in self.parts if key < 0])
        self.parts[first] = (path.name, leaves, segment.peaks)

    def tree(self):
        unplaced = [self.parts.pop(key) for key in sorted((key for key in self.parts if key < 0), reverse=True)]
        next = 0
        for part in unplaced:
            while next in self.parts:
                next += len(self.parts[next][1])
            self.parts[next] = part
            next += len(part[1])
        self.peaks, self.size = [], 0
        # The root after each file, by the number of leaves.
        self.leaves = []
        for first in sorted(self.parts):
            name, leaves, before = self.parts[first]
            if first != self.size:
                self.problems.add("leaves %d to %d are in no file" % (self.size, first - 1))
                return
            if before and before != self.peaks:
                self.problems.add("%s: the tree before it is not the one it states" % name)
            self.peaks, self.size = peaks_of(leaves, self.peaks, self.size), first + len(leaves)
            self.leaves += leaves

    def check(self, note, name, verifier=None):
        if note.origin != self.origin:
            self.problems.add("%s: it is of another store" % name)
        if note.size > self.size:
            self.problems.add("%s: it counts %d calls, and there are %d" % (name, note.size, self.size))
        elif root_of(peaks_of(self.leaves[:note.size])) != note.root:
            self.problems.add("%s: its root is not that of the archive's first %d calls" % (name, note.size))
        if verifier and not note.is_signed(verifier):
            self.problems.add("%s: it is not signed by the key" % name)

    def check_own(self, data):
        try:
            note = Note(data)
            peaks = [base64.b64decode(word) for word in note.extensions[0].split()[1:]]
            start = data[:data.rindex(b"crc32c ")]
            if note.extensions[0].split()[0] != "peaks" or root_of(peaks) != note.root:
                self.problems.add("checkpoint: its peaks are not those of its root")
            if data[len(start):] != b"crc32c %08x\n" % crc32c(start):
                self.problems.add("checkpoint: it is not what was written")
            self.check(note, "checkpoint")
        except (ValueError, IndexError) as error:
            self.problems.add("checkpoint: %s" % error)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("store")
    parser.add_argument("--checkpoint", action="append", default=[])
    parser.add_argument("--key")
    parser.add_argument("--out", type=pathlib.Path)
    options = parser.parse_args()
    archive = Archive(options.store)
    for file in options.checkpoint:
        archive.check(Note(pathlib.Path(file).read_bytes()), file, options.key)
    for id, call in sorted(archive.calls.items()):
        print(json.dumps({
            "call_id": id, "file": archive.places[id], "frames": len(call.frames), "bytes": len(call.raw),
            "sha256": sha256(call.raw).hex(), "request_sha256": sha256(call.body).hex(), "leaf_hash": call.leaf().hex(),
        }))
        if options.out:
            options.out.mkdir(parents=True, exist_ok=True)
            (options.out / id).write_bytes(call.raw)
    for line in archive.problems.found + archive.problems.notes:
        print(line, file=sys.stderr)
    return 2 if archive.problems.found else 0


if __name__ == "__main__":
    sys.exit(main())
