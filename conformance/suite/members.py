"""Members of groups in real clients, told what to do by JSON lines and watched by the JSON lines that they print.

A host is one process of a client (`clients/`, verb `members`) with any number of members. Commands, each with `member` and `do`:

    join           group, topics or pattern, protocol, assignor, instance, reset, session_ms, heartbeat_ms, max_poll_ms, metadata_ms;
                   commit: `each` (after each poll, and what is revoked), `auto` (the client's own) or `never`
    commit         everything read, with `metadata`; commit-async: the same, not waited for
    seek           topic, partitions (one), offset; pause, resume: topic, partitions
    sleep          ms in which it does not poll
    close          leaves the group; a static member only goes

Events, each with `member`, `event` and `at`, the wall clock in milliseconds:

    assigned, revoked, lost       partitions: [[topic, number]…]; revoked: after the last commit, before anybody is told
    record                        topic, partition, offset, value
    committed                     offsets: [[topic, number, offset]…], acknowledged; commit-failed: error
    sought, paused                the command has been carried out
    error                         error: Kafka's name of it, or the client's
    closed                        the member is gone

The suite adds `killed`, `frozen` and `thawed`. A host whose input ends is gone without a word.
"""

import json
import re
import signal
import subprocess
import threading
import time
from pathlib import Path

from . import parts
from .clients import GO, NODE, PYTHON, java
from .judge import View
from .runner import Failed

WAIT_SECONDS_MAX = 120
END_SECONDS_MAX = 60


def now_ms():
    return time.time() * 1000


def stop(process):
    """SIGSTOP, and every thread has stopped."""
    process.send_signal(signal.SIGSTOP)
    while any(state(task) != "T" for task in Path(f"/proc/{process.pid}/task").iterdir()):
        time.sleep(0.001)


def state(task):
    return re.search(r"^State:\s*(\S)", (task / "status").read_text(), re.M)[1]


class Timeline:
    """What the members of one group did, in the order in which it was heard."""

    def __init__(self, say):
        self.events = []
        self.view = View()
        self.trouble = None
        self.errors_expected = False
        self.say = say
        self._changed = threading.Condition()

    def add(self, event):
        with self._changed:
            self.events.append(event)
            self.view.hear(event)
            self.say(json.dumps(event))
            if event["event"] == "error" and not self.errors_expected:
                self.trouble = f"{event['error']} at {event['member']}"
            self._changed.notify_all()

    def fail(self, trouble):
        with self._changed:
            self.trouble = trouble
            self._changed.notify_all()

    def until(self, what, reached, seconds=WAIT_SECONDS_MAX):
        """Waits until `reached()` is true, and returns what it gave; it is called when something has happened."""
        deadline = time.monotonic() + seconds
        with self._changed:
            while True:
                if self.trouble:
                    raise Failed(f"{self.trouble}, waiting for {what}")
                found = reached()
                if found:
                    return found
                left = deadline - time.monotonic()
                if left < 0:
                    raise Failed(f"not within {seconds} s: {what}")
                self._changed.wait(left)


class Host:
    """A client's process; members are made by `join` and live until they are closed or it is killed."""

    def __init__(self, argv, log):
        self.log = log
        with open(log, "ab") as errors:
            self.process = subprocess.Popen([str(word) for word in argv], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                            stderr=errors, start_new_session=True)
        self._timelines = {}
        self._writing = threading.Lock()
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self):
        for line in self.process.stdout:
            event = json.loads(line)
            self._timelines[event["member"]].add(event)
        for timeline in set(self._timelines.values()):
            if self.process is not None:
                timeline.fail(f"the host ended: {self.log}")

    def join(self, timeline, member, fields):
        self._timelines[member] = timeline
        self.tell(member, "join", **fields)

    def tell(self, member, do, **fields):
        line = json.dumps({"member": member, "do": do, **fields}) + "\n"
        with self._writing:
            self.process.stdin.write(line.encode())
            self.process.stdin.flush()

    def forget(self, member):
        """Its events say nothing any more to whoever watched it."""
        self._timelines[member] = Timeline(lambda _: None)

    def kill(self):
        process, self.process = self.process, None
        if process is not None:
            process.kill()
            process.wait()


class Watched:
    """What one member is seen to do."""

    def mark(self, event, **fields):
        self.timeline.add({"member": self.name, "event": event, "at": now_ms(), **fields})

    def happened(self, event, after=0):
        """Its events of a kind, after the first `after` events of the group."""
        return [found for found in self.timeline.events[after:] if found["member"] == self.name and found["event"] == event]

    def until(self, event, after=0):
        """Waits for one of them, and returns it."""
        return self.timeline.until(f"{event} by {self.name}", lambda: next(iter(self.happened(event, after)), None))

    @property
    def owned(self):
        return self.timeline.view.owned[self.name]


class Member(Watched):
    """A member in a host."""

    def __init__(self, host, timeline, name, fields):
        self.host = host
        self.timeline = timeline
        self.name = name
        host.join(timeline, name, fields)

    def tell(self, do, **fields):
        self.host.tell(self.name, do, **fields)

    def kill(self):
        self.mark("killed")
        self.host.kill()

    def freeze(self):
        stop(self.host.process)
        self.mark("frozen")

    def thaw(self):
        self.mark("thawed")
        self.host.process.send_signal(signal.SIGCONT)

    def close(self):
        self.tell("close")
        self.until("closed")

    def dismiss(self):
        """Leaves, and nobody waits for it."""
        if self.host.process is not None and self.host.process.poll() is None:
            self.host.forget(self.name)
            self.tell("close")


class KcatMember(Watched):
    """kcat's balanced consumer: its own process, which commits by itself and obeys nothing but signals.

    It has no clock in its output: `at` is when the line was heard.
    """

    REBALANCED = re.compile(r"% Group \S+ rebalanced(?:: incremental (assignment|revoke))?.* \(memberid [^)]*\): "
                            r"(?:(assigned|revoked): ?)?(.*)")
    PARTITION = re.compile(r"(\S+) \[(\d+)\]")

    def __init__(self, bootstrap, timeline, name, fields):
        self.timeline = timeline
        self.name = name
        settings = {"auto.offset.reset": fields["reset"], "partition.assignment.strategy": fields["assignor"],
                    "session.timeout.ms": fields["session_ms"], "heartbeat.interval.ms": fields["heartbeat_ms"],
                    "topic.metadata.refresh.interval.ms": fields["metadata_ms"], "auto.commit.interval.ms": 50,
                    "fetch.wait.max.ms": 100}
        if fields["instance"]:
            settings["group.instance.id"] = fields["instance"]
        words = [word for key, value in settings.items() for word in ("-X", f"{key}={value}")]
        topics = [fields["pattern"]] if fields["pattern"] else fields["topics"]
        self.process = subprocess.Popen(["kcat", "-b", bootstrap, *words, "-u", "-f", "%t %p %o %s\n", "-G", fields["group"], *topics],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                        start_new_session=True)
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def _listen(self):
        for line in self.process.stdout:
            if line.startswith("%"):
                self._told(line)
                continue
            topic, partition, offset, value = line.rstrip("\n").split(" ", 3)
            self.mark("record", topic=topic, partition=int(partition), offset=int(offset), value=value)

    def _told(self, line):
        found = self.REBALANCED.match(line)
        if found is None:
            self.timeline.say(f"{self.name}: {line.rstrip()}")
            return
        partitions = [[topic, int(number)] for topic, number in self.PARTITION.findall(found[3])]
        if partitions:
            self.mark("assigned" if (found[1] or found[2]).startswith("assign") else "revoked", partitions=partitions)

    def kill(self):
        self.mark("killed")
        self.process.kill()
        self.process.wait()

    def freeze(self):
        stop(self.process)
        self.mark("frozen")

    def thaw(self):
        self.mark("thawed")
        self.process.send_signal(signal.SIGCONT)

    def close(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(END_SECONDS_MAX)
        self._listener.join()
        self.mark("closed")

    def dismiss(self):
        self.process.kill()
        self.process.wait()


HOSTS = {
    "java": lambda: java("Members"),
    "go": GO.command,
    "confluent": lambda: [parts.get("python"), parts.CLIENTS / "python" / "confluent.py"],
    "python": PYTHON.command,
    "node": NODE.command,
}


class Pool:
    """One host of each client, shared by all tests; made when first asked for."""

    def __init__(self, home):
        self.home = home
        self._hosts = {}
        self._making = threading.Lock()

    def host(self, client, bootstrap):
        with self._making:
            host = self._hosts.get(client)
            if host is None or host.process.poll() is not None:
                host = self._hosts[client] = start_host(client, bootstrap, self.home / f"host-{client}.log")
            return host

    def end(self):
        for host in self._hosts.values():
            host.kill()


def start_host(client, bootstrap, log):
    argv = HOSTS[client]()
    verb = [] if client == "java" else ["members"]
    return Host([*argv, bootstrap, *verb], log)


class Operator:
    """Topics, numbered records and groups' offsets, by franz-go: one long-lived process, one answer an order."""

    def __init__(self, context):
        self.context = context
        with open(context.log, "ab") as errors:
            self.process = subprocess.Popen([*map(str, GO.command()), context.bootstrap, "operator"], stdin=subprocess.PIPE,
                                            stdout=subprocess.PIPE, stderr=errors)
        self._asking = threading.Lock()

    def ask(self, do, refused=None, **fields):
        """The answer; or, where an error is expected, its text."""
        with self._asking:
            self.process.stdin.write((json.dumps({"do": do, **fields}) + "\n").encode())
            self.process.stdin.flush()
            line = self.process.stdout.readline()
        answer = json.loads(line) if line else {"error": "the operator is gone"}
        self.context.say(f"{do} {fields}: {answer}")
        if refused:
            if refused not in answer.get("error", ""):
                raise Failed(f"{do} {fields}: {answer}, expected {refused}")
        elif "error" in answer:
            raise Failed(f"{do} {fields}: {answer['error']}")
        return answer.get("answer")

    def end(self):
        self.process.kill()
        self.process.wait()
