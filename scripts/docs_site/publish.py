"""Puts a built site in its place: without what is never loaded, packed, and with a list of its files for the server."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
import shutil
import tempfile
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

#: The list, which `src/airtally/console/docs_site.py` reads: of each file its tag, whether it has a packed copy beside it,
#: and of a page the hashes of its inline scripts and styles.
LIST = "site.json"
_PACKED = {".css", ".html", ".js", ".json", ".md", ".svg", ".txt", ".xml"}
_NEVER_LOADED = ("404.html", "sitemap.xml")
#: The theme's program makes a style element for the search, out of a text that it has in a variable.
_MADE_STYLE = re.compile(r'\("style",\{\},(\w+)\.toString\(\)\)')


class RefusedByBrowsers(Exception):
    """A page has what its Content-Security-Policy forbids."""


class _InlineParts(HTMLParser):
    """Collects the inline scripts of a page, and what no hash can allow."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=False)
        self.scripts: list[str] = []
        self.refused: list[str] = []
        self._in_script = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = dict(attrs)
        self._in_script = tag == "script" and "src" not in names and names.get("type") != "application/json"
        if self._in_script:
            self.scripts.append("")
        loaded = (names.get("src") or "", (names.get("href") or "") if tag == "link" else "")
        if tag == "style" or any(name == "style" or name.startswith("on") for name in names):
            self.refused.append(self.get_starttag_text() or tag)
        elif any("//" in each for each in loaded):
            self.refused.append(f"{self.get_starttag_text()} loads from another host")

    def handle_endtag(self, tag: str) -> None:
        self._in_script = self._in_script and tag != "script"

    def handle_data(self, data: str) -> None:
        if self._in_script:
            self.scripts[-1] += data


def publish(site: Path, target: Path) -> None:
    """Replace `target` by the built site, in one step. Raises RefusedByBrowsers; then `target` stays as it was."""
    for name in _NEVER_LOADED:
        (site / name).unlink(missing_ok=True)
    files = {each.relative_to(site).as_posix(): each for each in sorted(site.rglob("*")) if each.is_file()}
    styles = [each for name, file in files.items() if name.endswith(".js") for each in _made_styles(file)]
    listed = {name: _list_entry(file, styles) for name, file in files.items()}
    for name, about in listed.items():
        if about["packed"]:
            packed = gzip.compress(files[name].read_bytes(), 9, mtime=0)
            files[name].with_name(f"{files[name].name}.gz").write_bytes(packed)
    (site / LIST).write_text(json.dumps(listed, indent=0, sort_keys=True) + "\n", encoding="utf-8")
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}.") as folder:
        made = shutil.copytree(site, Path(folder) / "made")
        if target.exists():
            target.rename(Path(folder) / "former")
        made.rename(target)


def _list_entry(file: Path, styles: list[str]) -> dict[str, Any]:
    content = file.read_bytes()
    about = {"tag": hashlib.sha256(content).hexdigest()[:32], "packed": file.suffix in _PACKED}
    if file.suffix != ".html":
        return about
    return about | {"scripts": _inline_scripts(file, content.decode()), "styles": styles}


def _inline_scripts(file: Path, page: str) -> list[str]:
    """The hashes of a page's inline scripts."""
    parts = _InlineParts()
    parts.feed(page)
    if parts.refused:
        raise RefusedByBrowsers(f"{file.name}: browsers would refuse {parts.refused[0]}")
    return sorted({_policy_hash(each) for each in parts.scripts})


def _made_styles(program: Path) -> list[str]:
    """The hashes of the styles that a program of the theme puts into pages."""
    text, found = program.read_text(encoding="utf-8"), []
    for variable in _MADE_STYLE.findall(text):
        style = re.search(rf"\b{variable}='([^'\\]*)'", text)
        if style is None:
            raise RefusedByBrowsers(
                f"{program.name}: browsers would refuse the style of the search, which is not found"
            )
        found.append(_policy_hash(style[1]))
    return found


def _policy_hash(text: str) -> str:
    """As a Content-Security-Policy names an inline script or style."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
