"""kafka-consumer-groups, whole: what the tool prints for a group is what it prints when the broker is Kafka.

The transcripts in `transcripts/` hold a story each, and under every command what the tool prints when Kafka 4.3.1 is asked;
`clients/java/GroupTool.java` says how to read them. After a change of a story, `run --kafka --keep tools/consumer-groups` leaves
the new transcript in the test's folder.
"""

import difflib
from pathlib import Path

from .clients import java
from .runner import Test
from .storage import own_broker

TRANSCRIPTS = Path(__file__).resolve().parent / "transcripts"


def play(context, script):
    with own_broker(context):
        played = context.file(script.name)
        context.run(java("GroupTool", context.bootstrap, script, played, context.folder))
        expected, actual = (path.read_text().splitlines() for path in (script, played))
        difference = list(difflib.unified_diff(expected, actual, "expected", "printed", lineterm="", n=3))
        context.say("\n".join(difference))
        context.expect(not difference, f"the tool prints something else: {difference[3:12]}")


def tests():
    for script in sorted(TRANSCRIPTS.glob("*.txt")):
        yield Test(f"tools/consumer-groups-{script.stem}", lambda context, script=script: play(context, script))
