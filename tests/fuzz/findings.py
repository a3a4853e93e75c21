"""What a run found, and how it is told: with the command that repeats it, and the line that keeps it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

SEEDS = Path(__file__).with_name("seeds.txt")
_KEPT_MOST = 2000


@dataclass
class Finding:
    """`name` repeats the case, empty where no single case is to blame. `written` is the case itself."""

    name: str
    what: str
    shown: str = ""
    written: str = ""

    def told(self) -> str:
        lines = [self.what]
        if self.shown:
            lines.append(f"  {self.shown}")
        if self.name:
            lines.append(f"  again: make fuzz CASES={self.name}")
        if "=" not in self.name and self.name and len(self.written) < _KEPT_MOST:
            kind = self.name.partition(":")[0]
            lines.append(f"  for {SEEDS.name}, which holds though the grammar changes: {kind}={self.written}")
        return "\n".join(lines)


def kept() -> list[str]:
    """The cases of seeds.txt: names, or `requests=…` and `bodies=…` with the case itself."""
    lines = SEEDS.read_text().splitlines()
    return [line.split("  #")[0].strip() for line in lines if line.strip() and not line.startswith("#")]
