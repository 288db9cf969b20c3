"""Java's scenarios (clients/java/Scenario.java), each a test of its own."""

import re

from . import parts
from .clients import java
from .runner import Test


def names():
    source = (parts.CLIENTS / "java" / "Scenario.java").read_text()
    return re.findall(r'ALL\.put\("([^"]+)"', source)


def tests():
    for name in names():
        yield Test(f"java/{name}", lambda context, name=name:
                   context.run(java("Scenario", context.bootstrap, name, context.topic())))
