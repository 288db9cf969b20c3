"""The checks can fail: each anomaly, put into a history by hand, must be found. Needs no broker."""

from . import dataset, kill, sink
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


def tests():
    yield Test("self/compare", compare)
    yield Test("self/kill-history", verify)
    yield Test("self/sink-table", table)
