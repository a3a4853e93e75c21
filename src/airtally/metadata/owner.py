"""Names of the processes that hold leases, and which of them are gone."""

from __future__ import annotations

import os
import socket
from uuid import uuid4


def owner_name() -> str:
    """Unique among all processes that share a metadata store."""
    return f"{socket.gethostname()}:{os.getpid()}:{uuid4().hex[:8]}"


def is_gone(owner: str) -> bool:
    """Whether the process was one of this machine and no longer runs: its leases need not be waited for.

    False where that cannot be told: another machine's, or a process number that is in use again.
    """
    host, _, rest = owner.rpartition(":")[0].rpartition(":")
    if host != socket.gethostname() or not rest.isdigit():
        return False
    try:
        os.kill(int(rest), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False
