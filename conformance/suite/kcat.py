"""kcat as Debian ships it (librdkafka 2.0.2): the verbs of clients/java/Client.java as far as kcat has them.

kcat sets headers and partition per run, takes no timestamps and splits its input at delimiters, so that its records are made
for it: segments of one partition, one set of headers and one meaning of "empty" each. It has no admin client: franz-go's creates and
deletes its topics.
"""

import random
import re

from . import clients
from .dataset import CODECS, Dataset, Mismatch, headers_field, null_or_hex

KEY_DELIMITER = b"<K>"
RECORD_DELIMITER = b"<R>"
# Lengths first, so that keys and values may hold anything; headers end at the newline.
FORMAT = r"%p %o %T %K %S %k%s%h\n"
HEAD = re.compile(rb"(\d+) (\d+) (-?\d+) (-?\d+) (-?\d+) ")

# (headers, whether empty means null)
SEGMENTS = [([], False), ([("kind", b"null"), ("n", b"2")], True), ([("kind", b"empty"), ("kind", b"again"), ("none", b"")], False)]


class Kcat:
    name = "kcat"
    codecs = CODECS

    def _kcat(self, context, mode, *args):
        return ["kcat", "-q", "-b", context.bootstrap, mode, *args]

    def create(self, context, topic, partitions):
        clients.GO.create(context, topic, partitions)

    def delete(self, context, topic):
        clients.GO.delete(context, topic)

    def records(self, context, count, partitions, **_kinds):
        """The dataset, and beside it one input file per run of kcat."""
        path = context.home / f"records-kcat-{count}-{partitions}"
        if path.exists():
            return Dataset.load(path, partitions)
        rng = random.Random(context.options.seed)
        runs = [(partition, segment) for segment in range(len(SEGMENTS)) for partition in range(partitions)]
        with open(path, "w") as lines:
            for run, (partition, segment) in enumerate(runs):
                headers, empty_is_null = SEGMENTS[segment]
                with open(input_file(path, partition, segment), "wb") as source:
                    for i in range(run, count, len(runs)):
                        key, value, text = record(rng, i, empty_is_null)
                        source.write(text + RECORD_DELIMITER)
                        fields = [partition, "-", null_or_hex(key), null_or_hex(value), headers_field(headers)]
                        lines.write("\t".join(map(str, fields)) + "\n")
        return Dataset.load(path, partitions)

    def produce(self, context, topic, codec, records, *properties):
        settings = [word for property in properties for word in ("-X", property)]
        for segment, (headers, empty_is_null) in enumerate(SEGMENTS):
            words = ["-Z"] if empty_is_null else []
            for name, value in headers:
                words += ["-H", f"{name}={value.decode()}"]
            for partition in sorted(records.lines):
                context.run(self._kcat(context, "-P", "-t", topic, "-p", partition, "-z", codec, *settings, *words,
                                       "-K", KEY_DELIMITER.decode(), "-D", RECORD_DELIMITER.decode(),
                                       "-l", input_file(records.path, partition, segment)))

    def consume(self, context, topic, count, out):
        """Reads every partition from the beginning to its end; `count` is the comparison's business."""
        raw = context.file("kcat-output")
        context.run(self._kcat(context, "-C", "-t", topic, "-o", "beginning", "-e", "-f", FORMAT), stdout=raw)
        convert(raw, out)

    def group(self, context, topic, group, count, out, end):
        assert end == "leave"
        raw = context.file("kcat-output")
        context.run(self._kcat(context, "-G", group, "-X", "auto.offset.reset=earliest", "-c", count, "-f", FORMAT, topic),
                    stdout=raw)
        convert(raw, out)


def input_file(path, partition, segment):
    return path.with_name(f"{path.name}-input-{partition}-{segment}")


def record(rng, i, empty_is_null):
    """Key, value, and how kcat is told of them."""
    key = b"" if i % 11 == 4 else b"key-%d" % i
    value = b"" if i % 13 == 5 else rng.randbytes(rng.randrange(1, 150)).replace(b"<", b">")
    if i % 1_000 == 9:
        value = (b"medium %d " % i) * 1000
    text = key + KEY_DELIMITER + value
    if empty_is_null:
        return key or None, value or None, text
    if i % 11 == 5 and value:
        return None, value, value  # no delimiter, no key
    return key, value, text


def convert(raw, out):
    """kcat's output as the suite's record lines."""
    data = raw.read_bytes()
    at = 0
    with open(out, "w") as lines:
        while at < len(data):
            head = HEAD.match(data, at)
            if head is None:
                raise Mismatch(f"kcat printed no record at {at}: {data[at:at + 100]!r}")
            partition, offset, timestamp, key_length, value_length = map(int, head.groups())
            key, at = take(data, head.end(), key_length)
            value, at = take(data, at, value_length)
            end = data.index(b"\n", at)
            headers = [pair.split(b"=", 1) for pair in data[at:end].split(b",") if pair]
            named = [(name.decode(), None if text == b"NULL" else text) for name, text in headers]
            fields = [partition, offset, timestamp, null_or_hex(key), null_or_hex(value), headers_field(named)]
            lines.write("\t".join(map(str, fields)) + "\n")
            at = end + 1


def take(data, at, length):
    return (None, at) if length < 0 else (data[at:at + length], at + length)


KCAT = Kcat()
