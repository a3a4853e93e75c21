from __future__ import annotations

import subprocess
import sys

from airtally.web.limits import Limits

#: Sets the limits of a process of its own, then asks.
PROGRAM = """
import resource, sys
soft, hard = map(int, sys.argv[1:])
resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
from airtally.web.limits import open_files
print(open_files(), resource.getrlimit(resource.RLIMIT_NOFILE)[0])
"""


def test_connections_leave_files_to_the_rest_of_the_process() -> None:
    limits = Limits(connections=4096)
    assert limits.within(65_536).connections == 4096
    assert (limits.within(1024).connections, limits.within(1024).each) == (768, 384)
    assert (limits.within(256).connections, limits.within(256).each) == (128, 64)
    assert (limits.within(64).connections, limits.within(64).each) == (1, 1)


def test_the_soft_limit_is_raised_to_the_hard_one() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM, "256", "1024"], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["1024", "1024"]
