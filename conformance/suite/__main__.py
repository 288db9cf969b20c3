"""The command line: picks the broker and the tests, runs them, says how it went."""

import argparse
import random
import shutil
import signal
import sys
import tempfile
from pathlib import Path

from . import (compaction, consumer_groups_tool, full_disk, group_kill, group_limits, groups, kill, memberships, migrations, roundtrip,
               scenarios, selftest, sink, storage, tools)
from .broker import PARTITA_COMMAND, BrokerFailed, Kafka, Partita, Remote
from .members import Pool
from .runner import Context, Options, run_all
from .stage import BROKER_SETTINGS, PARTITA_SETTINGS

RECORDS = 100_000
RECORDS_QUICK = 10_000
TESTS = [selftest.tests, roundtrip.tests, scenarios.tests, groups.tests, memberships.tests, migrations.tests, group_limits.tests, roundtrip.matrix,
         tools.tests, consumer_groups_tool.tests, storage.tests, compaction.tests, kill.tests, group_kill.tests, sink.tests,
         full_disk.tests]


def arguments():
    parser = argparse.ArgumentParser(prog="run", description="Real clients against a broker; see conformance/README.md.")
    target = parser.add_mutually_exclusive_group()
    target.add_argument("--broker-command", default=PARTITA_COMMAND, metavar="COMMAND",
                        help="starts the broker; may name {target} (cargo's), {port} and {dir} (default: %(default)s)")
    target.add_argument("--kafka", action="store_true", help="the same tests against Apache Kafka 4.3.1")
    target.add_argument("--bootstrap", metavar="HOST:PORT", help="a broker that already runs; tests that need their own skip")
    parser.add_argument("--quick", action="store_true", help=f"{RECORDS_QUICK} records a round trip instead of {RECORDS}")
    parser.add_argument("--kills", type=int, default=5, help="how often the tests that kill do (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 31), help="of the data and of the kills")
    parser.add_argument("--keep", action="store_true", help="keep the logs of a run without a failure")
    parser.add_argument("--list", action="store_true", help="print the names of the tests")
    parser.add_argument("test", nargs="*", help="names or their beginnings, e.g. java, tools/topics")
    return parser.parse_args()


def chosen(patterns):
    tests = [test for tests in TESTS for test in tests()]
    for pattern in patterns:
        if not any(test.name.startswith(pattern) for test in tests):
            sys.exit(f"run: no test begins with {pattern!r}; --list prints them")
    return [test for test in tests if not patterns or any(test.name.startswith(pattern) for pattern in patterns)]


def broker_maker(args):
    """Makes brokers of the kind under test, or is None."""
    if args.bootstrap:
        return None
    if args.kafka:
        return lambda home, settings=(), data=None: Kafka(home, settings)
    return lambda home, settings=(), data=None: Partita(home, args.broker_command, settings, data)


def main():
    # SIGTERM unwinds like an exception, so that the broker goes too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("run: terminated"))
    args = arguments()
    tests = chosen(args.test)
    if args.list:
        print("\n".join(test.name for test in tests))
        return 0
    home = Path(tempfile.mkdtemp(prefix="conformance-"))
    options = Options(RECORDS_QUICK if args.quick else RECORDS, args.kills, args.seed, args.broker_command)
    make_broker = broker_maker(args)
    print(f"seed {args.seed}, logs in {home}", flush=True)
    broker = None
    hosts = Pool(home)
    try:
        settings = BROKER_SETTINGS if args.kafka else PARTITA_SETTINGS
        broker = make_broker(home / "broker", settings).start() if make_broker else Remote(args.bootstrap)
        status = run_all(tests, Context(options, broker, make_broker, home, hosts))
    except BrokerFailed as error:
        print(f"FAIL start: {error}\n0 passed, 1 failed, 0 skipped", flush=True)
        return 1
    finally:
        hosts.end()
        if broker is not None and broker.owned:
            broker.remove()
    if status == 0 and not args.keep:
        shutil.rmtree(home)
    return status


sys.exit(main())
