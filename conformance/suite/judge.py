"""The verdict on what the members of one group did, the same for every client.

A tenure is the time in which a member has a partition: from `assigned` until it is revoked, lost, or the member closed, killed or
frozen. What must hold:

- a partition has one owner at a time;
- a member gets records of what it has, and in a tenure offsets without a gap;
- a tenure begins no earlier than what was acknowledged as committed before it, and no later than where reading had come to:
  so no record is lost, and none comes twice but the uncommitted ones;
- where the tenure before ended in order, with its commits, it begins exactly where that one stopped;
- a committed offset never goes back.

A member that was frozen does not know that time has passed: what it does before it learns that it was put out says nothing.
"""

from collections import defaultdict
from dataclasses import dataclass, field


class Misjudged(Exception):
    """What the group did is not what a group may do."""


@dataclass
class Tenure:
    member: str
    begin: float
    committed: int  # acknowledged when it began
    unsaved: bool = False  # a commit of its member failed
    end: float = float("inf")
    ended: str = ""
    offsets: list = field(default_factory=list)


class Judge:
    """Hears events in the order of their clocks; raises `Misjudged` at the first that may not be."""

    def __init__(self, slack_ms=0):
        self.slack_ms = slack_ms  # how late the end of a tenure may be heard
        self.tenures = defaultdict(list)  # partition -> tenures in order
        self.open = {}  # (member, partition) -> tenure
        self.committed = defaultdict(int)
        self.stale = set()

    def hear(self, event):
        member = event["member"]
        match event["event"]:
            case "assigned":
                self.stale.discard(member)
                for partition in event["partitions"]:
                    self._begin(member, tuple(partition), event["at"])
            case "revoked" | "lost":
                for partition in event["partitions"]:
                    self._end(member, tuple(partition), event["at"], event["event"])
            case "closed" | "killed" | "frozen":
                if event["event"] == "frozen":
                    self.stale.add(member)
                for owner, partition in list(self.open):
                    if owner == member:
                        self._end(member, partition, event["at"], event["event"])
            case "record":
                self._record(member, event)
            case "committed" if member not in self.stale:
                for topic, number, offset in event["offsets"]:
                    self._commit((topic, number), offset, member)
            case "commit-failed":
                for (owner, _), tenure in self.open.items():
                    tenure.unsaved |= owner == member

    def _begin(self, member, partition, at):
        if (member, partition) in self.open:
            raise Misjudged(f"{partition} was assigned to {member}, which has it")
        tenure = Tenure(member, at, self.committed[partition])
        self.tenures[partition].append(tenure)
        self.open[member, partition] = tenure

    def _end(self, member, partition, at, ended):
        tenure = self.open.pop((member, partition), None)
        if tenure is not None:
            tenure.end, tenure.ended = at, ended
        elif member not in self.stale:
            raise Misjudged(f"{partition} was {ended} by {member}, which does not have it")

    def _record(self, member, event):
        partition, offset = (event["topic"], event["partition"]), event["offset"]
        if event["value"] != f"{event['partition']}:{offset}":
            raise Misjudged(f"{partition} at {offset} holds {event['value']!r}")
        if member in self.stale:
            return
        tenure = self.open.get((member, partition))
        if tenure is None:
            raise Misjudged(f"{member} got offset {offset} of {partition}, which it does not have")
        if tenure.offsets and offset != tenure.offsets[-1] + 1:
            raise Misjudged(f"{partition}: {member} got {offset} after {tenure.offsets[-1]}")
        tenure.offsets.append(offset)

    def reached(self, partition):
        """How far the partition was read, after checking that it had one owner at a time and where each tenure began."""
        reached, in_order = 0, True
        for index, tenure in enumerate(self.tenures[partition]):
            for other in self.tenures[partition][:index]:
                if other.end > tenure.begin + self.slack_ms:
                    raise Misjudged(f"{partition} has two owners: {tenure.member}, and {other.member} until "
                                    f"{other.end - tenure.begin:.0f} ms later")
            if tenure.offsets:
                begin = tenure.offsets[0]
                if in_order and begin != reached:
                    raise Misjudged(f"{partition}: {tenure.member} began at {begin}, its predecessor stopped before {reached}")
                if not tenure.committed <= begin <= reached:
                    raise Misjudged(f"{partition}: {tenure.member} began at {begin}, "
                                    f"committed was {tenure.committed}, read up to {reached}")
                reached = max(reached, tenure.offsets[-1] + 1)
            in_order = tenure.ended in ("revoked", "closed") and not tenure.unsaved
        return reached

    def _commit(self, partition, offset, member):
        if offset < self.committed[partition]:
            raise Misjudged(f"{partition}: {member} committed {offset} after {self.committed[partition]}")
        self.committed[partition] = offset


def judge(events, ends, slack_ms=0):
    """Raises unless the events are those of a group that has read `ends`, {(topic, number): end}, to the end."""
    verdict = Judge(slack_ms)
    for event in sorted(events, key=lambda event: event["at"]):
        verdict.hear(event)
    for partition, end in ends.items():
        reached = verdict.reached(partition)
        if reached != end:
            raise Misjudged(f"{partition} was read up to {reached} of {end}")
    return verdict



class View:
    """Who has what, and how far reading has come, as far as was heard."""

    def __init__(self):
        self.owned = defaultdict(set)  # member -> partitions
        self.reached = defaultdict(int)  # partition -> offset after the last that anybody read

    def hear(self, event):
        owned = self.owned[event["member"]]
        match event["event"]:
            case "assigned":
                owned.update(map(tuple, event["partitions"]))
            case "revoked" | "lost":
                owned.difference_update(map(tuple, event["partitions"]))
            case "closed" | "killed":
                owned.clear()
            case "record":
                partition = (event["topic"], event["partition"])
                self.reached[partition] = max(self.reached[partition], event["offset"] + 1)
