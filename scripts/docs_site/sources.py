"""The sources of the site: docs/ and the pages at the repository's top, with links that hold among them."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
CONFIG = ROOT / "mkdocs.yml"
#: Pages at the top. The README is the site's first page, the others are below `project/`.
TOP = ("ARCHITECTURE.md", "CHANGELOG.md", "CONTRIBUTING.md", "README.md", "SECURITY.md")
_LINK = re.compile(r"(?<=\]\()(?![a-z]+:|#)([^)#\s]+)")
#: A block with the name of its file, which tests write to that file: "```json key.json".
_NAMED_BLOCK = re.compile(r"^( *```\w+) ([\w.-]+)$", re.MULTILINE)
#: In the navigation of mkdocs.yml, a folder stands for all of its pages.
_FOLDER = re.compile(r"^( *)- (.+): ([\w/-]+)/$", re.MULTILINE)
_IN_NAVIGATION = re.compile(r"^ *- (?:.+: )?([\w/.-]+\.md)$", re.MULTILINE)


class WrongSources(Exception):
    """The sources cannot become a site."""


def write_sources(folder: Path) -> None:
    """Write `mkdocs.yml` and `docs/` into an empty folder. Raises WrongSources for a navigation that is not of the pages."""
    pages = [*DOCS.rglob("*.md"), *(ROOT / name for name in TOP)]
    others = {each for each in DOCS.rglob("*") if each.is_file() and each.suffix != ".md"}
    for page in pages:
        text = page.read_text(encoding="utf-8")
        others.update(each for each in _linked_files(page, text) if each.is_file() and each not in pages)
        _destination_of(folder, page).write_text(
            _NAMED_BLOCK.sub(r'\1 title="\2"', _with_site_links(page, text)), encoding="utf-8"
        )
    for file in others:
        shutil.copyfile(file, _destination_of(folder, file))
    config = _FOLDER.sub(_pages_in_navigation, CONFIG.read_text(encoding="utf-8"))
    _check_navigation(config, {place_of(page) for page in pages})
    (folder / "mkdocs.yml").write_text(config, encoding="utf-8")


def place_of(file: Path) -> str:
    """Where a file or folder of the repository is below the site's `docs/`; a folder is its first page."""
    if file.is_dir():
        file = next(iter(_pages_of(file)), file)
    if file.is_relative_to(DOCS):
        return file.relative_to(DOCS).as_posix()
    name = file.relative_to(ROOT).as_posix()
    if name == "README.md":
        return "index.md"
    shown_as_text = not file.suffix or (file.suffix == ".md" and name not in TOP)
    return f"project/{name}.txt" if shown_as_text else f"project/{name}"


def _destination_of(folder: Path, file: Path) -> Path:
    place = folder / "docs" / place_of(file)
    place.parent.mkdir(parents=True, exist_ok=True)
    return place


def _linked_files(page: Path, text: str) -> Iterator[Path]:
    """The files and folders of the repository that a page links to."""
    for link in _LINK.findall(text):
        target = (page.parent / link).resolve()
        if target.exists() and target.is_relative_to(ROOT):
            yield target


def _with_site_links(page: Path, text: str) -> str:
    """The page's text, whose links lead to where their targets are in the site."""
    here = Path(place_of(page)).parent

    def led(link: re.Match[str]) -> str:
        targets = list(_linked_files(page, f"]({link[1]})"))
        return os.path.relpath(place_of(targets[0]), here) if targets else link[1]

    return _LINK.sub(led, text)


def _pages_of(folder: Path) -> list[Path]:
    """Its pages by name, README first."""
    return sorted(folder.glob("*.md"), key=lambda page: (page.name != "README.md", page.name))


def _pages_in_navigation(folder: re.Match[str]) -> str:
    indent, title, path = folder.groups()
    return "\n".join([f"{indent}- {title}:", *(f"{indent}    - {place_of(each)}" for each in _pages_of(DOCS / path))])


def _check_navigation(config: str, pages: set[str]) -> None:
    listed = set(_IN_NAVIGATION.findall(config))
    if listed != pages:
        raise WrongSources(
            f"mkdocs.yml: not in the navigation: {sorted(pages - listed)}; no such page: {sorted(listed - pages)}"
        )
