"""The clients, each behind the same few verbs. Java, Go, Python and Node are programs of ours around the client; kcat is itself."""

from . import parts
from .dataset import CODECS

# A tool lives for a second or two: the cheap compiler and collector start fastest.
JAVA_FLAGS = ["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData", "-Xmx1g"]


def java(main, *args):
    """The command line of a class: ours, or one of Kafka's tools."""
    return ["java", *JAVA_FLAGS, f"-Dlog4j2.configurationFile={parts.LOG4J}",
            "-cp", f"{parts.get('classes')}:{parts.get('jars')}/*", main, *args]


class Program:
    """One of our client programs; they all speak the verbs that clients/java/Client.java lists."""

    codecs = CODECS

    def __init__(self, name, command, **kinds):
        self.name = name
        self.command = command
        self.kinds = kinds  # what dataset.generate is to leave out

    def _run(self, context, *args):
        context.run([*self.command(), context.bootstrap, *args])

    def create(self, context, topic, partitions):
        self._run(context, "create", topic, partitions)

    def delete(self, context, topic):
        self._run(context, "delete", topic)

    def produce(self, context, topic, codec, records, *properties):
        self._run(context, "produce", topic, codec, records.path, *properties)

    def consume(self, context, topic, count, out):
        self._run(context, "consume", topic, count, out)

    def group(self, context, topic, group, count, out, end):
        self._run(context, "group", topic, group, count, out, end)

    def admin(self, context):
        self._run(context, "admin", context.topic())

    def records(self, context, count, partitions, **kinds):
        return context.dataset(count, partitions, **self.kinds, **kinds)


JAVA = Program("java", lambda: java("Client"))
GO = Program("go", lambda: [parts.get("go")])
# Neither of these two can send a header whose value is null, and kafka-python sends no record without both key and value.
PYTHON = Program("python", lambda: [parts.get("python"), parts.CLIENTS / "python" / "client.py"],
                 null_headers=False, null_pairs=False)
NODE = Program("node", lambda: ["env", f"NODE_PATH={parts.get('node_modules')}", "node", parts.CLIENTS / "node" / "client.js"],
               null_headers=False)
PROGRAMS = [JAVA, GO, PYTHON, NODE]
