"""A PostgreSQL server for one test: Debian's, durable as it comes, on a free port, in a temporary folder."""

import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from . import parts
from .broker import HOST, free_port
from .runner import Failed

USER = "postgres"  # Debian's; the server refuses to run as root
START_SECONDS_MAX = 60
STOP_SECONDS_MAX = 60


class Postgres:
    """Runs while its `with` does."""

    def __init__(self, context):
        self.context = context
        self.port = free_port()
        self.address = f"host={HOST} port={self.port} user={USER} dbname=postgres"
        self.folder = None
        self.process = None
        self.identity = {"user": USER, "group": USER, "extra_groups": []} if os.geteuid() == 0 else {}

    def _program(self, name, *words):
        return [f"{parts.get('postgres')}/{name}", *map(str, words)]

    def __enter__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="conformance-postgres-"))
        if self.identity:
            shutil.chown(self.folder, USER, USER)
        data = self.folder / "data"
        try:
            with open(self.context.file("postgres.log"), "ab") as log:
                common = {"stdin": subprocess.DEVNULL, "stdout": log, "stderr": log, "cwd": self.folder, **self.identity}
                subprocess.run(self._program("initdb", "-D", data, "-U", USER, "--auth=trust", "--no-sync"), check=True, **common)
                self.process = subprocess.Popen(
                    self._program("postgres", "-D", data, "-p", self.port, "-c", f"listen_addresses={HOST}",
                                  "-c", "unix_socket_directories="), **common)
            self._await_start()
        except BaseException:
            self._remove()
            raise
        return self

    def _await_start(self):
        deadline = time.monotonic() + START_SECONDS_MAX
        while subprocess.run(self._program("pg_isready", "-q", "-h", HOST, "-p", self.port)).returncode:
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise Failed(f"PostgreSQL does not start: {self.context.file('postgres.log')}")
            time.sleep(0.05)

    def query(self, statement, out=None):
        """What psql prints: rows a line, fields separated by tabs; into the file `out` if there is one."""
        return self.context.run([*self._program("psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1"), self.address,
                                 "-c", statement], stdout=out)

    def __exit__(self, *_):
        self._remove()

    def _remove(self):
        if self.process is not None:
            self.process.terminate()
            try:
                self.process.wait(STOP_SECONDS_MAX)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)
