"""What the clients write, what they read back, and the comparison of the two.

One line a record, fields separated by tabs, bytes in hex, `-` for null:

    written:  partition            timestamp  key  value  headers
    read:     partition  offset    timestamp  key  value  headers

Headers are `name:value` pairs separated by commas, both in hex; the field is empty when there are none. A written timestamp of
`-` leaves it to the client's clock. Every client program speaks these two forms, so that all comparing is done here.
"""

import random
import time
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

CODECS = ["none", "gzip", "snappy", "lz4", "zstd"]

# 2021-01-01: old enough that a broker which puts its own clock in is caught.
EXPLICIT_TIMESTAMP_MS = 1_609_459_200_000
# A client's clock may be read a little before the record leaves, and is the same machine's.
CLOCK_SLACK_MS = 2_000

LARGE_VALUE_BYTES = 100_000
MEDIUM_VALUE_BYTES = 10_000


class Mismatch(Exception):
    """What was read is not what was written."""


@dataclass
class Dataset:
    """Records in the order in which they are written, and the file that holds them."""

    path: Path
    count: int
    partitions: int
    lines: dict = field(default_factory=lambda: defaultdict(list))  # partition -> [fields after the partition]

    @classmethod
    def load(cls, path, partitions):
        dataset = cls(path, 0, partitions)
        for line in path.read_text().splitlines():
            fields = line.split("\t")
            dataset.lines[int(fields[0])].append(fields[1:])
            dataset.count += 1
        return dataset


def null_or_hex(data):
    return "-" if data is None else data.hex()


def headers_field(headers):
    return ",".join(f"{name.encode().hex()}:{null_or_hex(value)}" for name, value in headers)


def _value(rng, i):
    if i % 13 == 5:
        return None
    if i % 19 == 3:
        return b""
    if i % 20_000 == 7:
        return rng.randbytes(LARGE_VALUE_BYTES)
    if i % 1_000 == 9:
        return (b"medium %d " % i) * (MEDIUM_VALUE_BYTES // 12)
    if i % 2:
        return rng.randbytes(rng.randrange(1, 200))
    return b'{"record":%d,"text":"%s"}' % (i, b"compressible " * rng.randrange(1, 8))


def _key(rng, i):
    if i % 11 == 4:
        return None
    if i % 17 == 2:
        return b""
    return b"key-%d-" % i + rng.randbytes(rng.randrange(8))


def _headers(rng, i, null_values, text):
    if i % 3:
        return []
    headers = [("trace", b"%d" % i)]
    if i % 2:
        # Twice one name, one beside the other: kafkajs groups them by name.
        headers += [("twice", b"one"), ("twice", b"two"), ("", b"no name"), ("empty", b"")]
        headers.append(("größe", b"5" if text else rng.randbytes(5)))
    if null_values and i % 4 == 0:
        headers.append(("null", None))
    return headers


def generate(path, count, partitions, seed=1, null_headers=True, null_pairs=True, text_headers=False):
    """Writes `count` records of every kind. Same arguments, same file.

    `null_headers`: header values may be null; `null_pairs`: a record's key and value may both be;
    `text_headers`: header values have no bytes that kcat's output would hide.
    """
    rng = random.Random(seed)
    with open(path, "w") as out:
        for i in range(count):
            partition = rng.randrange(partitions)
            # Not in order, as event times are not.
            timestamp = "-" if i % 4 == 0 else EXPLICIT_TIMESTAMP_MS + 7 * i - rng.randrange(1000)
            key, value = _key(rng, i), _value(rng, i)
            if key is None and value is None and not null_pairs:
                key = b""
            headers = headers_field(_headers(rng, i, null_headers, text_headers))
            fields = [partition, timestamp, null_or_hex(key), null_or_hex(value), headers]
            out.write("\t".join(map(str, fields)) + "\n")
    return Dataset.load(path, partitions)


def read_back(path):
    """partition -> [(offset, [timestamp, key, value, headers])], in the order read."""
    partitions = defaultdict(list)
    for line in Path(path).read_text().splitlines():
        fields = line.split("\t")
        partitions[int(fields[0])].append((int(fields[1]), fields[2:]))
    return partitions


def compare(written, read, started_ms, first_offset=0):
    """Raises unless `read` holds exactly the records of `written`: per partition in order, offsets without a gap."""
    now_ms = int(time.time() * 1000)
    extra = set(read) - set(written.lines)
    if extra:
        raise Mismatch(f"records in partitions never written: {sorted(extra)}")
    for partition, lines in sorted(written.lines.items()):
        got = read.get(partition, [])
        if len(got) != len(lines):
            raise Mismatch(f"partition {partition}: {len(lines)} records written, {len(got)} read")
        for i, (fields, (offset, read_fields)) in enumerate(zip(lines, got)):
            where = f"partition {partition}, record {i}"
            if offset != first_offset + i:
                raise Mismatch(f"{where}: offset {offset}, expected {first_offset + i}")
            if fields[0] == "-":
                if not started_ms - CLOCK_SLACK_MS <= int(read_fields[0]) <= now_ms + CLOCK_SLACK_MS:
                    raise Mismatch(f"{where}: timestamp {read_fields[0]} is not between {started_ms} and {now_ms}")
            elif read_fields[0] != fields[0]:
                raise Mismatch(f"{where}: timestamp {read_fields[0]}, written {fields[0]}")
            for name, a, b in zip(("key", "value", "headers"), fields[1:], read_fields[1:]):
                if a != b:
                    raise Mismatch(f"{where}: {name} read {b[:200]!r}, written {a[:200]!r}")
