from __future__ import annotations

from pathlib import Path

from airtally.streams import STREAMS
from airtally.streams.reference import reference

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "streams.md"


def test_the_reference_is_current() -> None:
    assert PAGE.read_text(encoding="utf-8") == reference(), f"run: python -m airtally.streams.reference {PAGE}"


def test_the_reference_names_every_stream_column_and_setting() -> None:
    page = reference()
    for name, stream in STREAMS.items():
        section = page.partition(f"\n## {name}\n")[2].partition("\n## ")[0]
        assert all(f"| `{column.name}` |" in section for column in stream.columns)
        assert f"`AIRTALLY_RETAIN_{name.upper()}`" in page
