"""A run of bodies at the decoders, in child processes that are begun anew where a body kills or stops them."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from fuzz.decoding.child import as_finding, draw_body
from fuzz.findings import Finding

#: Seconds without a next body after which a child is killed.
_STUCK = 60.0


@dataclass
class Outcome:
    findings: list[Finding] = field(default_factory=list)
    came: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0
    memory: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)


def run(day: date, seed: int, count: int, children: int) -> Outcome:
    """Each child takes every `children`th body."""
    outcome, started = Outcome(), time.monotonic()
    threads = [
        threading.Thread(target=_feed, args=(outcome, day, seed, range(first, count, children)))
        for first in range(children)
    ]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    outcome.seconds = time.monotonic() - started
    return outcome


def _feed(outcome: Outcome, day: date, seed: int, numbers: range) -> None:
    while numbers:
        with tempfile.NamedTemporaryFile() as progress:
            progress.write(numbers.start.to_bytes(8))
            progress.flush()
            ended = _child(outcome, Path(progress.name), day, seed, numbers)
            if ended is None:
                return
            last = _noted(Path(progress.name))
        _found(outcome, day, seed, last, ended)
        numbers = range(last + numbers.step, numbers.stop, numbers.step)


def _child(outcome: Outcome, progress: Path, day: date, seed: int, numbers: range) -> str | None:
    """How the child came to a bad end; None where it came to a good one."""
    words = [str(progress), str(day), str(seed), *map(str, (numbers.start, numbers.stop, numbers.step))]
    child = subprocess.Popen(
        [sys.executable, "-X", "faulthandler", "-m", "fuzz", "child", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[1],
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])},
    )
    watch = threading.Thread(target=_watch, args=(child, progress), daemon=True)
    watch.start()
    errors: list[str] = []
    reader = threading.Thread(target=lambda: errors.append(child.stderr.read() if child.stderr else ""))
    reader.start()
    with child:
        for line in child.stdout or ():
            _note(outcome, as_finding(line), day, seed)
    reader.join()
    return None if child.returncode == 0 else f"the process ended with {child.returncode}: {''.join(errors)[-3000:]}"


def _watch(child: subprocess.Popen[str], progress: Path) -> None:
    last, since = -1, time.monotonic()
    while child.poll() is None:
        time.sleep(0.5)
        try:
            at = _noted(progress)
        except FileNotFoundError:
            return
        if at != last:
            last, since = at, time.monotonic()
        elif time.monotonic() - since > _STUCK:
            child.kill()


def _noted(progress: Path) -> int:
    return int.from_bytes(progress.read_bytes())


def _note(outcome: Outcome, said: dict[str, object], day: date, seed: int) -> None:
    if "came" in said:
        with outcome.lock:
            outcome.came.update(said["came"])  # type: ignore[call-overload]
            outcome.memory = max(outcome.memory, int(str(said["memory"])))
    else:
        _found(outcome, day, seed, int(str(said["number"])), str(said["what"]))


def _found(outcome: Outcome, day: date, seed: int, number: int, what: str) -> None:
    body = draw_body(seed, number, day)
    with outcome.lock:
        outcome.findings.append(Finding(f"bodies:{day}:{seed}:{number}", what, body.shown(), body.written()))
