"""Tests by name, their logs, and the lines that say how they went.

A test is a function that takes a `Context` and raises when it fails; `Skip` says why it cannot run here. A skipped test is
counted and printed, never silent.
"""

import itertools
import shlex
import subprocess
import sys
import threading
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from . import dataset
from .broker import BrokerFailed

COMMAND_SECONDS_MAX = 300
OUTPUT_SHOWN = 2000
PARALLEL_TESTS = 4

reviving = threading.Lock()


class Skip(Exception):
    """Why a test does not run here."""


class Failed(Exception):
    """A test's own verdict."""


@dataclass
class Test:
    name: str
    run: object  # called with the context
    parallel: bool = False  # beside its neighbours that are so too: it mostly waits


@dataclass
class Options:
    """What the command line asks for."""

    records: int  # a round trip's records
    kills: int
    seed: int
    broker_command: str


@dataclass
class Context:
    """What a test works with. `broker` is shared by all tests; one that kills or fills its broker makes its own."""

    options: Options
    broker: object
    make_broker: object  # (home, settings=(), data=None) -> a new Owned broker, not started; None when only --bootstrap is given
    home: Path
    hosts: object  # members.Pool
    name: str = ""
    _datasets: dict = field(default_factory=dict)
    _serial: int = 0

    @property
    def bootstrap(self):
        return self.broker.bootstrap

    @property
    def folder(self):
        path = self.home / self.name.replace("/", "-")
        path.mkdir(parents=True, exist_ok=True)
        return path

    @property
    def log(self):
        return self.folder / "log"

    def say(self, text):
        with open(self.log, "a") as log:
            log.write(text.rstrip() + "\n")

    def file(self, name):
        return self.folder / name

    def topic(self):
        """A name no other test and no other run uses."""
        self._serial += 1
        return f"{self.name.replace('/', '-')}-{int(time.time() * 1000) % 10**9}-{self._serial}"

    def dataset(self, count, partitions, **kinds):
        """One file for all tests that want the same records."""
        key = (count, partitions, *sorted(kinds.items()))
        if key not in self._datasets:
            path = self.home / ("records-" + "-".join(str(part) for part in key).replace("'", "").replace(" ", ""))
            self._datasets[key] = dataset.generate(path, count, partitions, seed=self.options.seed, **kinds)
        return self._datasets[key]

    def run(self, argv, timeout=COMMAND_SECONDS_MAX, stdin=None, stdout=None, status=0):
        """Runs a command to its end, output in the test's log; returns its standard output.

        `stdin` and `stdout` are files that take the place of the terminal's; `status=None` accepts any end.
        """
        argv = [str(word) for word in argv]
        self.say("$ " + shlex.join(argv))
        started = time.monotonic()
        out = open(stdout, "wb") if stdout else subprocess.PIPE
        source = open(stdin, "rb") if stdin else subprocess.DEVNULL
        with open(self.log, "ab") as log:
            try:
                done = subprocess.run(argv, stdin=source, stdout=out, stderr=log, timeout=timeout)
            except subprocess.TimeoutExpired:
                raise Failed(f"not done within {timeout} s: {shlex.join(argv)[:300]}") from None
            finally:
                for stream in (out, source):
                    if stream not in (subprocess.PIPE, subprocess.DEVNULL):
                        stream.close()
        text = "" if stdout else done.stdout.decode(errors="replace")
        self.say(f"{text[:OUTPUT_SHOWN]}\n# status {done.returncode} after {time.monotonic() - started:.2f} s")
        if status is not None and done.returncode != status:
            raise Failed(f"status {done.returncode}, expected {status}: {shlex.join(argv)[:300]}")
        return text

    def expect(self, holds, otherwise):
        if not holds:
            raise Failed(otherwise)


def run_all(tests, context):
    """Runs the tests in order, neighbours that are parallel side by side; returns the process's exit status."""
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    with ThreadPoolExecutor(PARALLEL_TESTS) as threads:
        for parallel, neighbours in itertools.groupby(tests, key=lambda test: test.parallel):
            run = partial(run_one, context)
            for verdict in threads.map(run, neighbours) if parallel else map(run, neighbours):
                counts[verdict] += 1
    try:
        context.broker.stop()
    except BrokerFailed as error:
        counts["failed"] += 1
        print(f"FAIL stop: {error}", flush=True)
    print(", ".join(f"{count} {verdict}" for verdict, count in counts.items()), flush=True)
    if counts["passed"] + counts["failed"] == 0:
        print("no test ran", file=sys.stderr)
        return 1
    return 1 if counts["failed"] else 0


def run_one(shared, test):
    """Runs one test, says how it went, and returns that as a key of the counts."""
    context = replace(shared, name=test.name)
    started = time.monotonic()
    try:
        test.run(context)
        context.broker.check()
    except Skip as reason:
        print(f"skip {test.name}: {reason}", flush=True)
        return "skipped"
    except Exception as error:  # whatever went wrong, it is this test's failure and not the suite's end
        context.say(traceback.format_exc())
        print(f"FAIL {test.name} ({time.monotonic() - started:.1f} s): {str(error)[:300]}\n     {context.log}", flush=True)
        revive(context.broker)
        return "failed"
    print(f"ok {test.name} ({time.monotonic() - started:.1f} s)", flush=True)
    return "passed"


def revive(broker):
    """The shared broker again, if the failed test was its end, so that the tests after it say something."""
    if not broker.owned:
        return
    with reviving:
        start_again(broker)


def start_again(broker):
    try:
        if broker.process is not None:
            broker.check()
        if broker.process is None:
            broker.start()
    except BrokerFailed:
        if broker.process is None:
            try:
                broker.start()
            except BrokerFailed as error:
                print(f"     the broker does not come back: {error}", flush=True)
