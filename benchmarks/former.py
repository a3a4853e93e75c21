"""The program of an earlier commit, to compare with in the same run."""

from __future__ import annotations

import io
import subprocess
import tarfile
from pathlib import Path

from benchmarks.server import ROOT, Home

#: What "today" means in the aims of the issue about speed.
FORMER = "7565719"


def former_source(work: Path, commit: str = FORMER) -> Path:
    """The folder of its modules, taken out of git. Raises CalledProcessError where the commit is not there."""
    folder = work / "former" / commit
    if not (folder / "src").exists():
        found = subprocess.run(["git", "archive", commit, "src"], cwd=ROOT, check=True, capture_output=True).stdout
        folder.mkdir(parents=True, exist_ok=True)
        with tarfile.open(fileobj=io.BytesIO(found)) as archive:
            archive.extractall(folder, filter="data")
    return folder / "src"


def run_by_former(home: Home, work: Path, commit: str = FORMER) -> Home:
    """The same home, whose commands and server are those of an earlier commit, with today's libraries."""
    return home.with_settings(PYTHONPATH=str(former_source(work, commit)))
