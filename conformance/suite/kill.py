"""SIGKILL under load, at random instants: no acknowledged record is lost, none is there twice, the order stays.

The load (clients/java/KillLoad.java) keeps what it was told; checkers/ judges that and what the log holds at the end.
"""

import random
import subprocess
import threading
import time
from collections import defaultdict
from pathlib import Path

from .clients import GO, java
from .runner import Failed, Test
from .storage import own_broker

REPOSITORY = Path(__file__).resolve().parents[2]
PARTITIONS = 6
RATE = 3_000  # records a second
LIFE_SECONDS = (0.1, 2.0)  # of a broker under load, before it is killed
RECOVERY_SECONDS_MAX = 120
DRAIN_SECONDS_MAX = 120


class Load:
    """KillLoad as a process of its own."""

    def __init__(self, context, topic, folder, rate=RATE):
        argv = [str(word) for word in java("KillLoad", context.bootstrap, topic, PARTITIONS, rate, folder)]
        self.errors = open(context.log, "ab")
        self.process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors)
        self.acks = 0
        threading.Thread(target=self._follow, daemon=True).start()

    def _follow(self):
        for line in self.process.stdout:
            self.acks = int(line)

    def await_progress(self):
        """Until records are acknowledged that were not before."""
        before, deadline = self.acks, time.monotonic() + RECOVERY_SECONDS_MAX
        while self.acks == before:
            if self.process.poll() is not None:
                raise Failed(f"the load ended by itself, with status {self.process.returncode}")
            if time.monotonic() > deadline:
                raise Failed(f"no acks within {RECOVERY_SECONDS_MAX} s of a start")
            time.sleep(0.01)

    def finish(self):
        self.process.stdin.close()
        status = self.process.wait(DRAIN_SECONDS_MAX)
        if status:
            raise Failed(f"the load ended with status {status}")

    def close(self):
        self.process.kill()
        self.process.wait()
        self.errors.close()


def read_lines(path):
    """partition -> [(offset, number)]."""
    partitions = defaultdict(list)
    for line in path.read_text().splitlines():
        partition, offset, number = map(int, line.split())
        partitions[partition].append((offset, number))
    return partitions


def verify(folder):
    """Raises with every anomaly that the checkers find; returns how many records were acknowledged."""
    judge = ["cargo", "run", "--quiet", "--release", "-p", "checkers", "--bin", "judge", "--", folder, str(PARTITIONS)]
    judged = subprocess.run(judge, cwd=REPOSITORY, capture_output=True, text=True)
    if judged.returncode:
        raise Failed(judged.stderr.strip())
    return int(judged.stdout)


def kill_under_load(context):
    rng = random.Random(context.options.seed)
    with own_broker(context) as broker:
        topic = "killed"
        GO.create(context, topic, PARTITIONS)
        load = Load(context, topic, context.folder)
        try:
            for kill in range(context.options.kills):
                load.await_progress()
                seconds = rng.uniform(*LIFE_SECONDS)
                time.sleep(seconds)
                broker.check()
                broker.kill()
                started = time.monotonic()
                broker.start()
                context.say(f"# kill {kill + 1} after {seconds:.3f} s, {load.acks} acks; back after {time.monotonic() - started:.2f} s")
            load.await_progress()
            load.finish()
        finally:
            load.close()
        context.say(f"# {verify(context.folder)} records acknowledged, {context.options.kills} kills, seed {context.options.seed}")
        broker.stop()


def tests():
    yield Test("kill/idempotent-producer", kill_under_load)
