"""Build the documentation as a site: `python scripts/docs_site [FOLDER]`, by default where the server serves it from."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from publish import RefusedByBrowsers, publish

from sources import ROOT, WrongSources, write_sources

#: In the package, so that the wheel has it; git ignores it.
TARGET = ROOT / "src/airtally/docs_site"


def build(target: Path) -> None:
    """Replace `target` by the site. Raises WrongSources, RefusedByBrowsers; CalledProcessError for a link to nowhere."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        write_sources(folder)
        command = [Path(sys.executable).with_name("zensical"), "build", "--strict", "--config-file", "mkdocs.yml"]
        subprocess.run(command, cwd=folder, check=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        publish(folder / "build/site", target)


def main() -> None:
    try:
        build(Path(sys.argv[1]) if len(sys.argv) > 1 else TARGET)
    except (WrongSources, RefusedByBrowsers) as error:
        sys.exit(str(error))
    except subprocess.CalledProcessError as error:
        sys.exit(error.stdout)


if __name__ == "__main__":
    main()
