"""Everything that the docs name exists, and everything that users need is in the docs."""

from __future__ import annotations

import ast
import re
from dataclasses import fields
from pathlib import Path

import pytest

import airtally
from airtally.cli.program import app
from airtally.cli.remote import FLAGS
from airtally.kit.errors import Failure
from airtally.reference import PAGES, commands, declared_metrics, failures, metric_name
from airtally.settings import Settings
from airtally.streams import ROLLUPS, STREAMS
from airtally.vendors.apis import APIS

ROOT = Path(__file__).parents[1]
PACKAGE = Path(airtally.__file__).parent
FILES = [ROOT / "ARCHITECTURE.md", ROOT / "CONTRIBUTING.md", ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
IDS = [str(each.relative_to(ROOT)) for each in FILES]
#: A module or folder of the package, named from its top; `src/airtally/` may stand before it.
MODULE = re.compile(r"`(?:src/airtally/)?((?:[a-z_]+/)+[a-z_]+\.py)`")
LINK = re.compile(r"\]\((?!https?:|#|mailto:)([^)#\s]+)[^)]*\)")
#: No settings of the server: the example of the guide that adds one, and what `make bench` reads.
OTHERS = {"AIRTALLY_ANSWER_DAYS", "AIRTALLY_BENCHMARK_DATA", *FLAGS.values()}
#: A section of a vendor's page as docstrings and comments cite it: `docs/vendors/slate.md#2, #3`.
CITATION = re.compile(r"docs/vendors/(\w+)\.md((?:#\d+)(?:, #\d+)*)")
HEADING = re.compile(r"^## (\d+)\. ", re.MULTILINE)
#: What stood for a section before the pages numbered theirs, and cites nothing that is here.
UNRESOLVED = re.compile(r"\b(?:contract|test table|storage rules?|design page)\b|\bsections? \d", re.IGNORECASE)
#: Cookies of the pages, whose names look like a metric's.
COOKIES = {"airtally_device", "airtally_session"}
#: What the guides' examples add.
EXAMPLES = {"ad_events_kinds", "door_counts"}
#: All but those in which vendors' own codes stand.
OUR_PAGES = [each for each in FILES if each.parent.name != "vendors"]
TEXT = "\n".join(each.read_text() for each in FILES)
TOPS = {each.name for each in PACKAGE.iterdir() if each.is_dir()}


@pytest.mark.parametrize("page", FILES, ids=IDS)
def test_modules_that_a_page_names_are_there(page):
    named = {each for each in MODULE.findall(page.read_text()) if each.split("/")[0] in TOPS}
    assert [each for each in sorted(named) if not (PACKAGE / each).exists()] == []


@pytest.mark.parametrize("page", FILES, ids=IDS)
def test_links_of_a_page_lead_somewhere(page):
    assert [each for each in LINK.findall(page.read_text()) if not (page.parent / each).exists()] == []


def anchors_of(page: Path) -> set[str]:
    """As GitHub makes them of headings."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", each.lower()).replace(" ", "-") for each in headings}


@pytest.mark.parametrize("page", FILES, ids=IDS)
def test_anchors_of_a_page_lead_to_a_heading(page):
    found = re.findall(r"\]\(([^)#\s:]*)#([^)\s]+)\)", page.read_text())
    wrong = [(file, at) for file, at in found if at not in anchors_of((page.parent / file) if file else page)]
    assert wrong == []


def test_modules_that_the_code_names_are_there():
    """In comments and docstrings, which no import checks."""
    found = {
        (str(file.relative_to(PACKAGE)), each)
        for file in PACKAGE.rglob("*.py")
        for each in MODULE.findall(file.read_text())
        if each.split("/")[0] in TOPS and not (PACKAGE / each).exists()
    }
    assert found == set()


@pytest.mark.parametrize("page", PAGES)
def test_a_generated_page_is_current(page):
    assert (ROOT / f"docs/reference/{page}.md").read_text() == PAGES[page](), "run `make docs`"


def test_every_setting_is_in_the_docs_and_no_other():
    settings = {item.metadata["env"].removesuffix("<STREAM>") for item in fields(Settings)}
    retained = {f"AIRTALLY_RETAIN_{name.upper()}" for name in (*STREAMS, *ROLLUPS)}
    named = set(re.findall(r"\bAIRTALLY_[A-Z_]+", TEXT))
    assert (settings | retained) - named == set()
    assert named - settings - retained - OTHERS == set()


def unknown_command(words: list[str]) -> bool:
    """Whether `airtally` has no such command; what follows a command are its arguments."""
    group = app
    for word in words:
        names = {name for name in group if not name.startswith("-")}
        if word not in names:
            return bool(names)
        group = group[word]
    return False


def test_every_command_is_in_the_docs_and_no_other():
    names = [name for name, _ in commands(app)]
    assert len(names) > 20
    assert [name for name in names if f"`airtally {name}`" not in TEXT] == []
    said = {line.strip() for line in re.findall(r"(?:`|^ {4}|^)airtally ([a-z][a-z -]*)", TEXT, re.MULTILINE)}
    assert {"lake status", "key list"} <= said
    assert [each for each in sorted(said - {"zones"}) if unknown_command(each.split(" -")[0].split())] == []


def test_commands_that_the_code_names_are_there():
    """In hints, messages and comments."""
    said = {
        each for file in PACKAGE.rglob("*.py") for each in re.findall(r"`airtally ([a-z][a-z -]*)", file.read_text())
    }
    assert [each for each in sorted(said) if unknown_command(each.split(" -")[0].split())] == []


def test_every_metric_is_in_the_docs_and_no_other():
    names = {metric_name(each) for each in declared_metrics()}
    named = set(re.findall(r"\bairtally_[a-z_]+", TEXT)) - COOKIES
    assert len(names) > 30
    assert names ^ named == set()


def test_every_error_code_is_in_the_docs_and_no_other():
    codes = {each.code for each in failures()}
    assert len(codes) > 15
    assert {each.code for each in walked(Failure)} == codes
    listed = re.findall(r"^\| `(\w+)` \|", (ROOT / "docs/reference/errors.md").read_text(), re.MULTILINE)
    assert sorted(listed) == sorted(codes)
    said = {code for page in OUR_PAGES for code in re.findall(r"\b[45]\d\d `([a-z_]+)`", page.read_text())}
    assert "rows_gone" in said
    assert said - codes == set()


def walked(kind):
    for each in kind.__subclasses__():
        yield each
        yield from walked(each)


def test_every_stream_is_in_the_docs_and_no_other():
    """Its columns: tests/streams/test_reference.py."""
    page = (ROOT / "docs/reference/streams.md").read_text()
    assert [name for name in STREAMS if f"\n## {name}\n" not in page] == []
    said = set(re.findall(r"streams?\s`(\w+)`", TEXT)) | set(re.findall(r"/streams/(\w+)/", TEXT))
    assert "playlogs" in said
    assert said - set(STREAMS) == set()
    rollups = set(re.findall(r"rollups?\s`(\w+)`", TEXT))
    assert rollups - set(ROLLUPS) - EXAMPLES == set()


def test_every_vendor_has_its_page_and_is_in_the_readme():
    pages = {each.stem for each in (ROOT / "docs/vendors").glob("*.md")}
    assert pages == {each.name for each in APIS}
    assert [name for name in pages if f"(docs/vendors/{name}.md)" not in (ROOT / "README.md").read_text()] == []


def test_every_guide_and_reference_page_is_linked():
    linked = {(page.parent / link).resolve() for page in FILES for link in LINK.findall(page.read_text())}
    pages = {each.resolve() for folder in ("guides", "reference") for each in (ROOT / "docs" / folder).rglob("*.md")}
    assert {str(each.relative_to(ROOT)) for each in pages - linked} == set()


def test_commands_of_a_page_are_run_by_a_test():
    """Which says so by naming the page; `bash` blocks are for another machine, or for a server that goes on running."""
    tests = "".join(each.read_text() for each in Path(__file__).parent.rglob("*.py"))
    pages = [str(each.relative_to(ROOT)) for each in FILES if re.search(r"^ *```sh$", each.read_text(), re.MULTILINE)]
    assert len(pages) > 10
    assert [each for each in pages if each not in tests and f"{Path(each).parent}:" not in tests] == []


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


def test_private_functions_have_names_of_their_own():
    """A name that can be searched for leads to at most three places."""
    names: dict[str, list[str]] = {}
    for file in PACKAGE.rglob("*.py"):
        for name in re.findall(r"^(?:async )?def (_[a-z]\w*)", file.read_text(), re.MULTILINE):
            names.setdefault(name, []).append(str(file.relative_to(PACKAGE)))
    assert {name: files for name, files in names.items() if len(files) > 3} == {}


def test_files_and_functions_stay_small():
    """Files are about one thing: under 350 lines; 99 of 100 functions have under 25, none over 60."""
    files = [each for each in PACKAGE.rglob("*.py") if "migrations" not in each.parts]
    assert [each.name for each in files if len(each.read_text().splitlines()) > 350] == []
    sizes = {
        f"{file.name}:{node.name}": (node.end_lineno or 0) - node.lineno + 1
        for file in files
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    assert [name for name, lines in sizes.items() if lines > 60] == []
    assert sum(lines > 25 for lines in sizes.values()) <= len(sizes) / 100
