"""The checks can fail: each anomaly, put into a history by hand, must be found. Needs no broker."""

from . import dataset, judge, group_kill, kill, sink
from .runner import Failed, Test

STARTED_MS = 1_000
RECORDS = 40


def must_raise(context, error, what, check):
    try:
        check()
    except error as found:
        context.say(f"# {what}: {found}")
        return
    raise Failed(f"not noticed: {what}")


def compare(context):
    """Tampers with what one partition of a round trip gave back."""
    written = dataset.generate(context.file("written"), RECORDS, 1, seed=context.options.seed)
    faithful = [(i, [str(STARTED_MS) if fields[0] == "-" else fields[0], *fields[1:]])
                for i, fields in enumerate(written.lines[0])]

    def read(change=None):
        records = [(offset, list(fields)) for offset, fields in faithful]
        if change:
            change(records)
        return {0: records}

    def field(records, name, value):
        records[9][1][("timestamp", "key", "value", "headers").index(name)] = value

    def compare(records):
        dataset.compare(written, records, STARTED_MS)

    def swap(records):
        (a, first), (b, second) = records[1:3]
        records[1:3] = [(a, second), (b, first)]

    compare(read())
    changes = {
        "a record lost at the end": lambda records: records.pop(),
        "a record lost in the middle": lambda records: records.pop(3),
        "a record twice": lambda records: records.append(records[-1]),
        "two records in each other's place": swap,
        "a gap in the offsets": lambda records: records.__setitem__(3, (4, records[3][1])),
        "another timestamp": lambda records: field(records, "timestamp", "1"),
        "another key": lambda records: field(records, "key", "00"),
        "a value that is null": lambda records: field(records, "value", "-"),
        "another header": lambda records: field(records, "headers", "00:00"),
    }
    for what, change in changes.items():
        must_raise(context, dataset.Mismatch, what, lambda change=change: compare(read(change)))
    must_raise(context, dataset.Mismatch, "a partition never written", lambda: compare({**read(), 1: []}))


def verify(context):
    """Tampers with the history of a kill run."""
    faithful = {name: [(partition, i, i) for partition in range(kill.PARTITIONS) for i in range(RECORDS)]
                for name in ("acked", "observed", "final")}

    def check(change):
        history = {name: list(lines) for name, lines in faithful.items()}
        change(history)
        for name, lines in history.items():
            context.file(name).write_text("".join(f"{partition} {offset} {number}\n" for partition, offset, number in lines))
        kill.verify(context.folder)

    last = faithful["final"][-1]

    def swap(history):
        """Unacknowledged and unseen, so that only the order tells."""
        for name in ("acked", "observed"):
            history[name] = history[name][:-2]
        history["final"][-2:] = [(last[0], RECORDS - 2, RECORDS - 1), (last[0], RECORDS - 1, RECORDS - 2)]

    check(lambda history: None)
    changes = {
        "lost": lambda history: history["final"].pop(),
        "seen, then gone": lambda history: (history["final"].pop(), history["acked"].pop()),
        "twice": lambda history: history["final"].append((last[0], RECORDS, last[2])),
        "out of order": swap,
        "acknowledged at another offset": lambda history: history["acked"].__setitem__(0, (0, 1, 0)),
        "a hole in the log": lambda history: history["final"].pop(3),
        "an offset read twice": lambda history: history["observed"].insert(1, (0, 0, 0)),
        "a partition gone": lambda history: history.update(final=[line for line in history["final"] if line[0]]),
    }
    for what, change in changes.items():
        must_raise(context, Failed, what, lambda change=change: check(change))


def table(context):
    """Tampers with what the sink wrote."""
    records = [(partition, offset, "-", f"{offset:02}") for partition in range(2) for offset in range(RECORDS)]

    def check(change):
        rows = list(records)
        change(rows)
        sink.same(records, rows)

    check(lambda rows: None)
    changes = {
        "a record not in the table": lambda rows: rows.pop(5),
        "a row twice": lambda rows: rows.insert(5, rows[5]),
        "a row of another topic": lambda rows: rows.append((2, 0, "-", "00")),
        "another value": lambda rows: rows.__setitem__(5, (0, 5, "-", "ff")),
    }
    for what, change in changes.items():
        must_raise(context, Failed, what, lambda change=change: check(change))



def verdict(context):
    """Tampers with what two members of a group did: the first has both partitions and commits, the second takes one over."""

    def event(at, member, name, **fields):
        return {"at": at, "member": member, "event": name, **fields}

    def record(at, member, partition, offset):
        return event(at, member, "record", topic="t", partition=partition, offset=offset, value=f"{partition}:{offset}")

    both, one = [["t", 0], ["t", 1]], [["t", 1]]
    faithful = [event(0, "a", "assigned", partitions=both),
                *[record(1 + offset, "a", partition, offset) for offset in range(4) for partition in range(2)],
                event(10, "a", "committed", offsets=[["t", 0, 4], ["t", 1, 4]]), event(11, "a", "revoked", partitions=one),
                event(12, "b", "assigned", partitions=one), record(13, "b", 1, 4), record(14, "b", 1, 5), record(15, "a", 0, 4),
                event(16, "b", "committed", offsets=[["t", 1, 6]])]

    def check(change, slack_ms=0):
        events = [dict(found) for found in faithful]
        change(events)
        judge.judge(events, {("t", 0): 5, ("t", 1): 6}, slack_ms)

    def uncommitted(events):
        """Read by a member that was killed, and again by the next: as it should be."""
        events[9]["offsets"] = [["t", 1, 2]]
        events[10] = event(11, "a", "killed")
        events[12:] = [record(13 + offset, "b", 1, offset) for offset in range(2, 6)]
        events += [event(20, "c", "assigned", partitions=[["t", 0]]), *[record(21 + offset, "c", 0, offset) for offset in range(5)]]

    def stale(events):
        """A frozen member goes on as if nothing had happened until it hears: that is nobody's fault."""
        events[10] = event(11, "a", "frozen")
        events[14] = record(17, "a", 1, 4)
        events += [event(18, "a", "committed", offsets=[["t", 1, 5]]), event(19, "a", "lost", partitions=both),
                   event(20, "b", "assigned", partitions=[["t", 0]]), record(21, "b", 0, 4)]

    def overlapping(events):
        """The first is heard to give up its partition a millisecond after the second was given it."""
        events[10].update(at=13)

    for change in (lambda events: None, uncommitted, stale):
        check(change)
    check(overlapping, slack_ms=1)
    changes = {
        "two owners": overlapping,
        "two owners for ever": lambda events: events.pop(10),
        "assigned to its owner": lambda events: events[11].update(member="a", partitions=[["t", 0]]),
        "revoked from whom it is not": lambda events: events[10].update(member="b"),
        "a record of another's partition": lambda events: events[14].update(member="b"),
        "a record left out": lambda events: events.pop(3),
        "a record twice": lambda events: events.insert(3, record(2, "a", 0, 0)),
        "the last record missing": lambda events: events.pop(13),
        "a successor that begins too early": lambda events: events.insert(12, record(12.5, "b", 1, 3)),
        "a successor that begins too late": lambda events: events.pop(12),
        "begun before what was committed": lambda events: (events[10].update(event="lost"),
                                                            events.insert(12, record(12.5, "b", 1, 3))),
        "a commit that goes back": lambda events: events[15].update(offsets=[["t", 1, 3]]),
        "another value": lambda events: events[12].update(value="1:3"),
    }
    for what, change in changes.items():
        must_raise(context, judge.Misjudged, what, lambda change=change: check(change))


def group_history(context):
    """Tampers with what a group went through that lived on while its broker was killed."""
    def event(at, kind, **fields):
        return {"at": at, "member": "m", "event": kind, **fields}

    def record(at, offset, number=None):
        return event(at, "record", partition=0, offset=offset, value=str(offset if number is None else number))

    log = {0: [(offset, offset) for offset in range(4)]}
    faithful = [event(1, "assigned", partitions=[["t", 0]]), record(2, 0), record(3, 1), event(4, "committed", offsets=[["t", 0, 2]]),
                event(5, "assigned", partitions=[["t", 0]]), record(6, 2), record(7, 3), event(8, "committed", offsets=[["t", 0, 4]])]
    snapshots = [(5, {0: 2}), (9, {0: 4})]

    def check(change=lambda events, snapshots: None):
        events, told = list(faithful), list(snapshots)
        change(events, told)
        group_kill.check_commits(events, told)
        group_kill.check_tenures(events)
        group_kill.check_records(events, log)

    check()
    changes = {
        "an acknowledged commit is gone": lambda events, told: told.__setitem__(0, (5, {0: 1})),
        "all commits are gone": lambda events, told: told.__setitem__(1, (9, {})),
        "a commit goes back": lambda events, told: told.insert(1, (6, {0: 3})) or told.insert(2, (7, {0: 2})),
        "a member begins before what is committed": lambda events, told: events.insert(5, record(5.5, 1)),
        "a record never reaches the group": lambda events, told: events.pop(6),
        "a record reaches the group as another one": lambda events, told: events.__setitem__(6, record(7, 3, 9)),
    }
    for what, change in changes.items():
        must_raise(context, Failed, what, lambda change=change: check(change))


def tests():
    yield Test("self/compare", compare)
    yield Test("self/kill-history", verify)
    yield Test("self/sink-table", table)
    yield Test("self/group-verdict", verdict)
    yield Test("self/group-kill-history", group_history)
