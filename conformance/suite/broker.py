"""The broker under test: Partita, a real Kafka 4.3.1, or one that somebody else runs.

A broker that the suite starts lives in its own folder on a free port of the loopback, and is always stopped, by its pid.
"""

import os
import re
import shlex
import shutil
import signal
import socket
import struct
import subprocess
import time
from pathlib import Path

from . import parts

HOST = "127.0.0.1"
START_SECONDS_MAX = 60
STOP_SECONDS_MAX = 60
PARTITA_COMMAND = ("{target}/release/partita serve --listen 127.0.0.1:{port} --data-dir {dir} --cores 2 "
                   "--set group.initial.rebalance.delay.ms=0")
KAFKA_FLAGS = ["-Xms1g", "-Xmx1g", "-XX:+UseG1GC", "-XX:TieredStopAtLevel=1"]


class BrokerFailed(Exception):
    """The broker did not start, or ended when it should not have."""


def free_port():
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return probe.getsockname()[1]


def api_keys(host, port):
    """What something there says to ApiVersions v0: the keys that it serves, none when it does not answer."""
    try:
        with socket.create_connection((host, port), timeout=2) as connection:
            connection.sendall(struct.pack(">ihhih", 10, 18, 0, 1, -1))
            head = connection.recv(14, socket.MSG_WAITALL)
            length, correlation, _error, count = struct.unpack(">iihi", head)
            if correlation != 1:
                return []
            table = connection.recv(length - 10, socket.MSG_WAITALL)
            return [struct.unpack_from(">h", table, 6 * i)[0] for i in range(count)]
    except (OSError, struct.error):
        return []


def answers(host, port):
    return bool(api_keys(host, port))


class Remote:
    """A broker that the suite does not own."""

    owned = False

    def __init__(self, bootstrap):
        self.bootstrap = bootstrap
        host, port = bootstrap.rsplit(":", 1)
        if not answers(host, int(port)):
            raise BrokerFailed(f"nothing answers ApiVersions at {bootstrap}")

    def check(self):
        """Nothing to say about a process that is not ours."""

    def stop(self):
        """Left as it is."""


class Owned:
    """A broker process: `start`, `kill` and `start` again keep port and folder."""

    owned = True

    def __init__(self, home):
        self.home = Path(home)
        self.home.mkdir(parents=True, exist_ok=True)
        self.data = self.home / "data"
        self.log = self.home / "broker.log"
        self.port = free_port()
        self.bootstrap = f"{HOST}:{self.port}"
        self.process = None

    def command(self):
        raise NotImplementedError

    def start(self):
        assert self.process is None
        command = self.command()
        with open(self.log, "ab") as log:
            log.write(f"$ {shlex.join(command)}\n".encode())
            log.flush()
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            start_new_session=True)
        deadline = time.monotonic() + START_SECONDS_MAX
        while not answers(HOST, self.port):
            self.check()
            if time.monotonic() > deadline:
                self.say_where_it_waits()
                raise BrokerFailed(f"no answer within {START_SECONDS_MAX} s: {self.log}")
            time.sleep(0.02)
        return self

    def say_where_it_waits(self):
        """Each thread's state and system call, in the log."""
        with open(self.log, "a") as log:
            for task in sorted(Path(f"/proc/{self.process.pid}/task").iterdir()):
                told = {name: (task / name).read_text(errors="replace").strip() for name in ("comm", "wchan", "syscall")}
                state = re.search(r"^State:\s*(.*)$", (task / "status").read_text(), re.M)
                log.write(f"thread {task.name} {told['comm']}: {state and state[1]}, in {told['wchan']}, system call {told['syscall']}\n")

    def check(self):
        """Raises when the process has ended."""
        if self.process is None:
            raise BrokerFailed(f"the broker has ended: {self.log}")
        status = self.process.poll()
        if status is not None:
            self.process = None
            raise BrokerFailed(f"the broker ended with status {status}: {self.log}")

    def kill(self):
        """SIGKILL, and the end of the process."""
        self.process.kill()
        self.process.wait()
        self.process = None

    def stop(self):
        """SIGTERM; raises unless the broker ends by itself, with a status that says so."""
        if self.process is None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self.kill()
            raise BrokerFailed(f"still running {STOP_SECONDS_MAX} s after SIGTERM: {self.log}") from None
        self.process = None
        if status not in self.clean_statuses:
            raise BrokerFailed(f"ended with status {status} after SIGTERM: {self.log}")

    def end(self):
        """No longer runs, however it takes that."""
        if self.process is not None:
            self.kill()

    def remove(self):
        """Ends it and deletes what it stored; the log stays."""
        self.end()
        shutil.rmtree(self.data, ignore_errors=True)


class Partita(Owned):
    """Ours; `template` may name {target}, {port} and {dir}."""

    name = "partita"
    clean_statuses = (0,)

    def __init__(self, home, template=PARTITA_COMMAND, settings=(), data=None):
        super().__init__(home)
        self.template = template
        self.settings = list(settings)
        self.data = Path(data) if data else self.data

    def command(self):
        target = os.environ.get("CARGO_TARGET_DIR", Path(__file__).resolve().parents[2] / "target")
        words = [word.format(target=target, port=self.port, dir=self.data) for word in shlex.split(self.template)]
        for setting in self.settings:
            words += ["--set", setting]
        return words


class Kafka(Owned):
    """Apache Kafka 4.3.1 in KRaft mode, one node, from the jars that the Java client comes with."""

    name = "kafka"
    clean_statuses = (0, 128 + signal.SIGTERM)  # the JVM reports the signal although it ended in order

    def __init__(self, home, settings=()):
        super().__init__(home)
        self.settings = list(settings)

    def _java(self, *words):
        return ["java", *KAFKA_FLAGS, f"-Dlog4j2.configurationFile={parts.LOG4J}", "-cp", f"{parts.get('jars')}/*", *words]

    def command(self):
        properties = self.home / "server.properties"
        if not properties.exists():
            controller = free_port()
            properties.write_text("\n".join([
                "process.roles=broker,controller",
                "node.id=1",
                f"controller.quorum.voters=1@{HOST}:{controller}",
                "controller.listener.names=CONTROLLER",
                f"listeners=PLAINTEXT://{self.bootstrap},CONTROLLER://{HOST}:{controller}",
                f"log.dirs={self.data}",
                "offsets.topic.replication.factor=1",
                "group.initial.rebalance.delay.ms=0",
                *self.settings, ""]))
            subprocess.run(self._java("kafka.tools.StorageTool", "format", "--cluster-id", "4L6g3nShT-eMCtK--X86sw",
                                      "--config", str(properties)), check=True, stdout=subprocess.DEVNULL, env=os.environ)
        return self._java("kafka.Kafka", str(properties))
