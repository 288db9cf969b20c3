"""Where `setup` has put what the suite runs."""

import os
from pathlib import Path

CLIENTS = Path(__file__).resolve().parents[1] / "clients"
LOG4J = CLIENTS / "java" / "log4j2.xml"


def get(name):
    """The path of one part, by the name that `setup` prints."""
    lines = os.environ["CONFORMANCE_PARTS"].splitlines()
    return dict(line.split("=", 1) for line in lines)[name]
