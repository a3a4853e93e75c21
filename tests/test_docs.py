"""What the docs name is there, and what is there is named by the docs."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest

import airtally
from airtally.cli import app
from airtally.settings import Settings

ROOT = Path(__file__).parents[1]
PACKAGE = Path(airtally.__file__).parent
PAGES = [ROOT / "ARCHITECTURE.md", ROOT / "CONTRIBUTING.md", ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
IDS = [str(each.relative_to(ROOT)) for each in PAGES]
#: A module or folder of the package, named from its top; `src/airtally/` may stand before it.
MODULE = re.compile(r"`(?:src/airtally/)?((?:[a-z_]+/)+[a-z_]+\.py)`")
LINK = re.compile(r"\]\((?!https?:|#|mailto:)([^)#\s]+)[^)]*\)")
#: No settings of the server: the example of the guide that adds one, and what `make bench` reads.
OTHERS = {"AIRTALLY_ANSWER_DAYS", "AIRTALLY_BENCHMARK_DATA"}
#: A section of a vendor's page as docstrings and comments cite it: `docs/vendors/slate.md#2, #3`.
CITATION = re.compile(r"docs/vendors/(\w+)\.md((?:#\d+)(?:, #\d+)*)")
HEADING = re.compile(r"^## (\d+)\. ", re.MULTILINE)
#: What stood for a section before the pages numbered theirs, and cites nothing that is here.
UNRESOLVED = re.compile(r"\b(?:contract|test table|storage rules?|design page)\b|\bsections? \d", re.IGNORECASE)
TOPS = {each.name for each in PACKAGE.iterdir() if each.is_dir()}


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_modules_that_a_page_names_are_there(page):
    named = {each for each in MODULE.findall(page.read_text()) if each.split("/")[0] in TOPS}
    assert [each for each in sorted(named) if not (PACKAGE / each).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_links_of_a_page_lead_somewhere(page):
    assert [each for each in LINK.findall(page.read_text()) if not (page.parent / each).exists()] == []


def test_modules_that_the_code_names_are_there():
    """In comments and docstrings, which no import checks."""
    found = {
        (str(file.relative_to(PACKAGE)), each)
        for file in PACKAGE.rglob("*.py")
        for each in MODULE.findall(file.read_text())
        if each.split("/")[0] in TOPS and not (PACKAGE / each).exists()
    }
    assert found == set()


def test_every_command_and_setting_is_in_the_docs():
    docs = "\n".join(each.read_text() for each in PAGES)
    commands = [name for name in app if not name.startswith("-")]
    assert commands
    assert [name for name in commands if f"airtally {name}" not in docs] == []
    settings = {item.metadata["env"].removesuffix("<STREAM>") for item in fields(Settings)}
    named = set(re.findall(r"\bAIRTALLY_[A-Z_]+", docs))
    assert settings - named == set()
    assert {each for each in named - settings - OTHERS if not each.startswith("AIRTALLY_RETAIN_")} == set()


def test_no_public_class_has_the_name_of_another():
    names: dict[str, list[str]] = {}
    for file in PACKAGE.rglob("*.py"):
        for name in re.findall(r"^class ([A-Z]\w*)", file.read_text(), re.MULTILINE):
            names.setdefault(name, []).append(str(file.relative_to(PACKAGE)))
    assert {name: files for name, files in names.items() if len(files) > 1} == {}


def sections_of(vendor: str) -> list[int]:
    return [int(number) for number in HEADING.findall((ROOT / f"docs/vendors/{vendor}.md").read_text())]


@pytest.mark.parametrize("vendor", sorted(each.stem for each in (ROOT / "docs/vendors").glob("*.md")))
def test_sections_of_a_vendor_page_are_numbered_in_order(vendor):
    text = (ROOT / f"docs/vendors/{vendor}.md").read_text()
    assert sections_of(vendor) == list(range(1, len(re.findall("^## ", text, re.MULTILINE)) + 1))


def test_citations_lead_to_sections():
    sources = [*PACKAGE.rglob("*.py"), *(each for each in Path(__file__).parent.rglob("*.py") if str(each) != __file__)]
    cited: set[tuple[str, int]] = set()
    wrong = []
    for file in sources:
        text = file.read_text()
        named = {(vendor, int(each)) for vendor, all_ in CITATION.findall(text) for each in re.findall(r"\d+", all_)}
        cited |= named
        wrong += [(file.name, *each) for each in named if each[1] not in sections_of(each[0])]
        wrong += [(file.name, line) for line in text.splitlines() if UNRESOLVED.search(line)]
    assert wrong == []
    told = {(each.stem, number) for each in (ROOT / "docs/vendors").glob("*.md") for number in sections_of(each.stem)}
    assert told - cited == {("slate", 8)}  # what is not served has no code
