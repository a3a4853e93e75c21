"""What all benchmarks share: the work place, results with their aims, and where they are kept."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.machine import description
from benchmarks.server import ROOT, Home

RESULTS = ROOT / "benchmarks" / "results"
MADE_OF = ("duckdb", "deltalake", "pyarrow", "msgspec", "uvicorn")


@dataclass(frozen=True)
class Aim:
    """What was to be reached: `value` at least (or at most) `bound`."""

    what: str
    value: float
    bound: float
    unit: str = ""
    at_most: bool = False

    @property
    def reached(self) -> bool:
        return self.value <= self.bound if self.at_most else self.value >= self.bound


@dataclass
class Result:
    """Figures of one benchmark. `reference` was measured in the same run, `ratio` is ours over it."""

    name: str
    title: str
    parameters: dict[str, Any]
    figures: dict[str, float]
    reference: dict[str, float | str] = field(default_factory=dict)
    ratio: float | None = None
    aims: list[Aim] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def show(self) -> str:
        """The result as lines for a terminal."""
        lines = [f"{self.name}: {self.title}"]
        lines += [f"    {what}: {plain(value)}" for what, value in self.figures.items()]
        lines += [f"    reference, {what}: {plain(value)}" for what, value in self.reference.items()]
        if self.ratio is not None:
            lines.append(f"    ratio to the reference: {self.ratio:.2f}")
        for aim in self.aims:
            word = "at most" if aim.at_most else "at least"
            state = "reached" if aim.reached else "NOT reached"
            lines.append(
                f"    aim {state}: {aim.what} {plain(aim.value)}, {word} {plain(aim.bound)} {aim.unit}".rstrip()
            )
        return "\n".join(lines + [f"    note: {note}" for note in self.notes])

    def store(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        whole = asdict(self) | {
            "measured": datetime.now(UTC).isoformat(timespec="seconds"),
            "commit": _commit(),
            "machine": description(),
            "versions": {name: version(name) for name in MADE_OF},
        }
        text = json.dumps(whole, indent=2, ensure_ascii=False) + "\n"
        (folder / f"{self.name}.json").write_text(text, encoding="utf-8")


def plain(value: float | str) -> str:
    """A figure with as many digits as mean something."""
    if isinstance(value, str):
        return value
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.4g}"


@dataclass(frozen=True)
class Place:
    """Where a run happens. `small` runs take seconds and show only that the benchmark works; `scale` is of full sizes."""

    work: Path
    small: bool = False
    scale: float = 1.0

    def size(self, full: int, small: int) -> int:
        return small if self.small else max(small, round(full * self.scale))

    @property
    def whole(self) -> bool:
        """Whether figures of this run may stand for what is reached."""
        return not self.small and self.scale == 1.0

    @property
    def data(self) -> Path:
        return self.work / "data"

    @property
    def kept(self) -> Path:
        """Where homes too large to make for each run stay between runs."""
        if self.small:
            return self.work / "kept"
        return Path(os.environ.get("AIRTALLY_BENCHMARK_DATA") or ROOT / "benchmark-data").absolute()

    def home(self, name: str, **settings: str) -> Home:
        """A fresh home with an account and its keys."""
        folder = self.work / "homes" / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.with_suffix(".log").unlink(missing_ok=True)
        folder.parent.mkdir(parents=True, exist_ok=True)
        return Home.make(folder, **settings)

    def folder(self, name: str) -> Path:
        """A fresh folder for a reference."""
        folder = self.work / "references" / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        return folder


Benchmark = Callable[[Place], Result]


def _commit() -> str:
    """The commit measured, with a plus sign when the sources differ from it."""
    commit = _git("rev-parse", "--short", "HEAD")
    return commit + ("+" if _git("status", "--porcelain", "--", "src") else "")


def _git(*arguments: str) -> str:
    asked = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    return asked.stdout.strip()
