"""A full disk refuses appends with KAFKA_STORAGE_ERROR, serves reads, and heals when space returns.

The disk is an ext4 file system in a file, mounted for the test. Kafka ends itself on a full disk, so that this one is Partita's.
"""

import os
import subprocess
from contextlib import contextmanager

from . import dataset
from .broker import Kafka
from .clients import GO, java
from .kcat import KCAT
from .runner import Skip, Test

DISK_BYTES = 1 << 30
LEFT_BYTES = 32 << 20  # what the balloon leaves to the broker
KCAT_MESSAGE = "Disk error when trying to access log file on disk"


@contextmanager
def small_disk(context):
    """An ext4 file system without blocks kept for root; skips where none can be mounted."""
    image, mount = context.file("disk.img"), context.file("disk")
    if os.geteuid():
        raise Skip("needs root to mount a small file system")
    mount.mkdir()
    with open(image, "wb") as file:
        file.truncate(DISK_BYTES)
    for command in (["mkfs.ext4", "-q", "-m", "0", image], ["mount", "-o", "loop", image, mount]):
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            image.unlink()
            raise Skip(f"cannot {command[0]} here: {done.stderr.strip()}")
    try:
        yield mount
    finally:
        subprocess.run(["umount", mount], check=True)
        image.unlink()


def inflate(balloon):
    """Takes all but LEFT_BYTES of the file system that the balloon lies in."""
    free = os.statvfs(balloon.parent)
    with open(balloon, "wb") as file:
        os.posix_fallocate(file.fileno(), 0, free.f_bavail * free.f_frsize - LEFT_BYTES)


def kcat_line(context, topic, line, status):
    source = context.file("line")
    source.write_text(line)
    context.run(["kcat", "-P", "-b", context.bootstrap, "-t", topic, "-p", "0", "-X", "retries=0", "-l", source], status=status)


def full_disk(context):
    if context.make_broker is None:
        raise Skip("needs a broker of its own")
    with small_disk(context) as mount:
        shared, broker = context.broker, context.make_broker(context.folder / "broker", data=mount / "data")
        if isinstance(broker, Kafka):
            raise Skip("Kafka ends itself on a full disk")
        context.broker = broker
        try:
            broker.start()
            fill_and_heal(context, broker, mount / "balloon")
        finally:
            context.broker = shared
            broker.remove()


def fill_and_heal(context, broker, balloon):
    topic, counted = "full", context.file("acked")

    def appended(verb):
        context.run(java("FullDisk", context.bootstrap, topic, verb, counted))
        return int(counted.read_text())

    def read(count):
        out = context.file("read")
        KCAT.consume(context, topic, count, out)
        offsets = [offset for offset, _ in dataset.read_back(out).get(0, [])]
        context.expect(offsets == list(range(count)), f"{count} records acknowledged, {len(offsets)} read")

    GO.create(context, topic, 1)
    inflate(balloon)
    acked = appended("fill")
    context.say(f"# {acked} records until the disk was full")
    read(acked)
    kcat_line(context, topic, "refused", status=1)
    context.expect(KCAT_MESSAGE in context.log.read_text(), f"kcat does not say {KCAT_MESSAGE!r}")
    read(acked)
    broker.check()
    balloon.unlink()
    acked += appended("heal")
    kcat_line(context, topic, "taken", status=0)
    read(acked + 1)
    broker.stop()
    broker.start()
    read(acked + 1)
    broker.stop()


def tests():
    yield Test("full-disk/refuse-serve-heal", full_disk)
