"""Hosts group members for any client in Python: one command a line on standard input, one event a line on standard output, both
JSON; suite/members.py says what each command does. A thread a member; a client is a subclass of `Member`.
"""

import json
import os
import queue
import sys
import threading
import time

_printing = threading.Lock()


class Member(threading.Thread):
    """One consumer and its thread: everything but `commands` belongs to it.

    A subclass has `open`, `poll` (gives (topic, partition, offset, value)), `commit_sync(offsets, metadata)`, which raises,
    `commit_async(offsets, done)`, which calls `done(error or None)`, `seek`, `pause`, `resume` and `shut`; its callbacks call
    `assigned`, `revoked` and `lost`. Partitions are (topic, number).
    """

    def __init__(self, bootstrap, join):
        super().__init__(name=join["member"], daemon=True)
        self.bootstrap = bootstrap
        self.join_command = join
        self.commits_each = join["commit"] == "each"
        self.commands = queue.SimpleQueue()
        self.uncommitted = {}  # partition -> offset after the last that was read

    def run(self):
        try:
            self.open(self.join_command)
            try:
                while self.turn():
                    pass
            finally:
                self.shut()
        except Exception as error:
            self.say("error", error=name_of(error))
        self.say("closed")

    def turn(self):
        """A command, or a poll; false when it was told to close."""
        try:
            command = self.commands.get_nowait()
        except queue.Empty:
            self.read()
            return True
        partitions = [(command["topic"], number) for number in command.get("partitions", [])]
        match command["do"]:
            case "commit":
                self.commit(dict(self.uncommitted), command["metadata"])
            case "commit-async":
                offsets = dict(self.uncommitted)
                self.commit_async(offsets, lambda error: self.committed(offsets, error))
            case "seek":
                self.seek(partitions[0], command["offset"])
                self.say("sought")
            case "pause":
                self.pause(partitions)
                self.say("paused")
            case "resume":
                self.resume(partitions)
            case "sleep":
                time.sleep(command["ms"] / 1000)
            case "close":
                return False
            case other:
                raise ValueError(f"no command {other}")
        return True

    def read(self):
        for topic, partition, offset, value in self.poll():
            self.say("record", topic=topic, partition=partition, offset=offset, value=value.decode())
            self.uncommitted[topic, partition] = offset + 1
        if self.commits_each:
            self.commit(dict(self.uncommitted), "")

    def commit(self, offsets, metadata):
        if not offsets:
            return
        try:
            self.commit_sync(offsets, metadata)
        except Exception as error:
            self.committed(offsets, error)
        else:
            self.committed(offsets, None)

    def committed(self, offsets, error):
        if error is not None:
            self.say("commit-failed", error=name_of(error))
            return
        for partition, offset in offsets.items():
            if self.uncommitted.get(partition) == offset:
                del self.uncommitted[partition]
        self.say("committed", offsets=[[*partition, offset] for partition, offset in offsets.items()])

    def assigned(self, partitions):
        self.say_partitions("assigned", partitions)

    def revoked(self, partitions):
        if self.commits_each:
            self.commit({partition: offset for partition, offset in self.uncommitted.items() if partition in partitions}, "")
        self.forget(partitions)
        self.say_partitions("revoked", partitions)

    def lost(self, partitions):
        self.forget(partitions)
        self.say_partitions("lost", partitions)

    def forget(self, partitions):
        for partition in partitions:
            self.uncommitted.pop(partition, None)

    def say_partitions(self, event, partitions):
        if partitions:  # none are not worth a line
            self.say(event, partitions=sorted(partitions))

    def say(self, event, **fields):
        with _printing:
            print(json.dumps({"member": self.name, "event": event, "at": time.time() * 1000, **fields}), flush=True)


def name_of(error):
    """Kafka's name of an error, or that of its class; librdkafka says the cause of a fatal one in words only."""
    inner = error.args[0] if error.args else None
    if not hasattr(inner, "name"):
        return type(error).__name__
    return f"{inner.name()}: {inner.str()}" if inner.name() == "_FATAL" else inner.name()


def host(bootstrap, kind):
    """Until the input ends; then everything is gone without a word."""
    members = {}
    for line in sys.stdin:
        command = json.loads(line)
        if command["do"] == "join":
            members[command["member"]] = kind(bootstrap, command)
            members[command["member"]].start()
        else:
            members[command["member"]].commands.put(command)
    os._exit(0)
