"""Metrics of several processes together: each keeps its own in files of one folder, and any of them adds up all.

The files are those of prometheus_client's multiprocess mode, with two differences: their blocks exist before they are
mapped, so that a full disk is no signal that ends the process, and they are named by the worker's number, so that one
that is started again goes on where its predecessor was killed: sums of counters never fall.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar, Final

from prometheus_client import CollectorRegistry, Metric, generate_latest, multiprocess, values
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.mmap_dict import MmapedDict, mmap_key
from prometheus_client.registry import Collector

#: Of each file: about six thousand samples. A file that needs more grows, by a hole.
_FILE_BYTES: Final = 1 << 20

_folder: Path | None = None


class SharedValue:
    """A number of a metric in a file of this process. Thread-safe by one lock for all, as the files need it."""

    _multiprocess: ClassVar[bool] = True
    _lock: ClassVar[threading.Lock] = threading.Lock()
    _files: ClassVar[dict[str, Any]] = {}
    _owner: ClassVar[tuple[Path, str]]

    def __init__(self, typ: str, *named: Any, multiprocess_mode: str = "", **_: Any) -> None:
        """`named`: the metric's name, the sample's, names and values of its labels, and the metric's help."""
        kind = f"{typ}_{multiprocess_mode}" if typ == "gauge" else typ
        self._key = mmap_key(*named)
        with self._lock:
            self._file = self._file_of(kind)
            self._value: float = self._file.read_value(self._key)[0]

    def inc(self, amount: float) -> None:
        with self._lock:
            self._value += amount
            self._file.write_value(self._key, self._value, 0.0)

    def set(self, value: float, timestamp: float | None = None) -> None:
        with self._lock:
            self._value = value
            self._file.write_value(self._key, self._value, timestamp or 0.0)

    def get(self) -> float:
        return self._value

    def set_exemplar(self, exemplar: object) -> None:
        """There are none."""

    def get_exemplar(self) -> None:
        return None

    @classmethod
    def keep_in(cls, folder: Path, owner: str) -> None:
        cls._owner = folder, owner

    @classmethod
    def _file_of(cls, kind: str) -> Any:
        if kind not in cls._files:
            folder, owner = cls._owner
            path = folder / f"{kind}_{owner}.db"
            _reserve(path)
            cls._files[kind] = MmapedDict(str(path))  # type: ignore[no-untyped-call]
        return cls._files[kind]


class MemoryOfAll(Collector):
    """The memory of the parent and all its children, under the name that it has for a single process."""

    def collect(self) -> Iterator[Metric]:
        """Nothing on systems without /proc."""
        parent = os.getppid()
        try:
            children = Path(f"/proc/{parent}/task/{parent}/children").read_text(encoding="ascii").split()
        except OSError:
            return
        total = sum(map(_resident_bytes, (str(parent), *children)))
        yield GaugeMetricFamily("process_resident_memory_bytes", "Resident memory of all processes, in bytes.", total)


def _resident_bytes(pid: str) -> int:
    """0 for a process that has ended."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    except OSError:
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


def share(folder: Path, owner: int) -> None:
    """Keep the metrics of this process in `folder` from now on, as those of worker `owner`.

    To be called before any metric is made. Raises OSError where there is no room for them.
    """
    global _folder  # noqa: PLW0603 (the registry of metrics is the process's, too)
    _folder = folder
    SharedValue.keep_in(folder, str(owner))
    values.ValueClass = SharedValue


def forget_gauges(folder: Path, owner: int) -> None:
    """Take the gauges of a worker that ended out of the sums; its counters stay."""
    multiprocess.mark_process_dead(owner, str(folder))  # type: ignore[no-untyped-call]


def exposition() -> bytes:
    """All metrics in the Prometheus text format: of this process, or of all that share a folder with it."""
    if _folder is None:
        return generate_latest()
    registry = CollectorRegistry()
    registry.register(MemoryOfAll())
    multiprocess.MultiProcessCollector(registry, path=str(_folder))  # type: ignore[no-untyped-call]
    return generate_latest(registry)


def _reserve(path: Path) -> None:
    """Blocks of zeros, unless the file is there already."""
    if path.exists():
        return
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        done = 0
        while done < _FILE_BYTES:
            done += os.pwrite(descriptor, bytes(_FILE_BYTES - done), done)
    except OSError:
        path.unlink(missing_ok=True)
        raise
    finally:
        os.close(descriptor)
