"""The program of an earlier commit, out of this repository's history, as the reference in the same run."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.harness import Place
from benchmarks.server import ROOT, Home


def sources_of(place: Place, commit: str) -> Path:
    """The folder that a commit's program is imported from, made unless it is there."""
    folder = place.work / "earlier" / commit
    if not folder.exists():
        making = folder.with_suffix(".making")
        shutil.rmtree(making, ignore_errors=True)
        making.mkdir(parents=True)
        packed = subprocess.run(["git", "archive", commit, "src"], cwd=ROOT, capture_output=True, check=True)
        subprocess.run(["tar", "-x", "-C", str(making)], input=packed.stdout, check=True)
        making.rename(folder)
    return folder / "src"


def run_by(home: Home, sources: Path) -> Home:
    """The home, its commands run by the program there."""
    return Home(home.folder, home.settings | {"PYTHONPATH": str(sources)}, home.token, home.secret_token)


@contextmanager
def all_run_by(sources: Path) -> Iterator[None]:
    """Every home's commands are run by the program there, as while one is made."""
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = str(sources)
    try:
        yield
    finally:
        del os.environ["PYTHONPATH"]
        if before is not None:
            os.environ["PYTHONPATH"] = before
