"""The process that decodes: it may be killed by what it is given, and its parent then says by which body.

Numbers of bodies are written to a file before each is begun; findings go to standard output, a JSON object a line.
"""

from __future__ import annotations

import json
import os
import resource
import tempfile
import time
import traceback
from collections import Counter
from datetime import date
from pathlib import Path
from typing import Any

from fuzz.chance import Chance
from fuzz.decoding.body import Body
from fuzz.decoding.check import check
from fuzz.decoding.draw import draw

SECONDS_MOST = 5.0
#: What one body may add to the most memory that the process ever took; a body unpacks to 16 MiB at most.
_MEMORY_MOST = 400 << 20


def draw_body(seed: int, number: int, day: date) -> Body:
    """Body `number` of a run: the same for the same seed, number and day."""
    return draw(Chance("bodies", seed, number), day)


def run(progress: Path, day: date, seed: int, numbers: range) -> None:
    """The work of the process."""
    came: Counter[str] = Counter()
    noted = os.open(progress, os.O_WRONLY)
    with tempfile.TemporaryDirectory() as folder:
        for number in numbers:
            os.pwrite(noted, number.to_bytes(8), 0)
            body = draw_body(seed, number, day)
            outcome = judged(body, Path(folder))
            came[outcome[0]] += 1
            if outcome[1]:
                print(json.dumps({"number": number, "what": outcome[1]}), flush=True)
    print(json.dumps({"came": came, "memory": _memory()}), flush=True)


def judged(body: Body, folder: Path) -> tuple[str, str]:
    """What came of a body, and what is wrong with that."""
    before, started = _memory(), time.perf_counter()
    try:
        came, wrong = check(body, folder), ""
    except Exception as error:  # noqa: BLE001 (whatever it is, it is a finding)
        return "fault", f"{type(error).__name__}: {error}\n" + "".join(traceback.format_exc(limit=-6))
    seconds, taken = time.perf_counter() - started, _memory() - before
    if seconds > SECONDS_MOST:
        wrong = f"slow: {seconds:.1f} s"
    elif taken > _MEMORY_MOST:
        wrong = f"it took {taken >> 20} MiB"
    return came, wrong


def _memory() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def as_finding(line: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(line)
    return found
