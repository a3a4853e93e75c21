"""What processes cost, read from /proc: memory and processor time of a process and its children."""

from __future__ import annotations

import os
import platform
import resource
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

_TICKS = os.sysconf("SC_CLK_TCK")


def tree(pid: int) -> list[int]:
    """The process and all below it, as far as they still run."""
    found, todo = [], [pid]
    while todo:
        one = todo.pop()
        found.append(one)
        for task in Path(f"/proc/{one}/task").glob("*/children"):
            try:
                todo += [int(child) for child in task.read_text().split()]
            except OSError:
                continue
    return found


def _status_bytes(pid: int, name: str) -> int:
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(name + ":")), 0)


def resident(pid: int) -> int:
    """Bytes of memory in use by the process and its children, shared pages counted in each."""
    return sum(_status_bytes(one, "VmRSS") for one in tree(pid))


def cpu_seconds(pid: int) -> float:
    """Processor time of the process and its living children, user and system."""
    total = 0
    for one in tree(pid):
        try:
            fields = Path(f"/proc/{one}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        except OSError:
            continue
        total += sum(map(int, fields[11:15]))
    return total / _TICKS


def children_seconds() -> float:
    """Processor time of the children of this process that have ended, user and system."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@dataclass
class Watch:
    """Samples memory while its block runs. `peak` is of the whole tree at one moment, `process_peak` of one process."""

    pid: int
    every: float = 0.05
    peak: int = 0
    process_peak: int = 0
    _end: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._end.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while not self._end.wait(self.every):
            sizes = [_status_bytes(one, "VmRSS") for one in tree(self.pid)]
            self.peak = max(self.peak, sum(sizes))
            self.process_peak = max(self.process_peak, *sizes)


def description() -> dict[str, str | int]:
    """What the figures were measured on."""
    return {
        "processor": _first_value("/proc/cpuinfo", "model name"),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
    }


def _first_value(path: str, name: str) -> str:
    lines = Path(path).read_text(encoding="utf-8").splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(name)), platform.machine())


def wait_for(what: Callable[[], bool], seconds: float, *, every: float = 0.05, says: str = "it") -> None:
    """Raises TimeoutError when `what` stays false for so long."""
    end = threading.Event()
    for _ in range(int(seconds / every)):
        if what():
            return
        end.wait(every)
    raise TimeoutError(f"{says} did not happen within {seconds:g} s")
