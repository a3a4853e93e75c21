"""One folding, rendered three ways: A to Z and nothing else."""

# ruff: noqa: RUF001 (letters that look alike are what is tested)

from __future__ import annotations

import string
import sys
import unicodedata

import pyarrow as pa
import pytest
from sqlglot import exp

from airtally.engine.protocol import Engine
from airtally.sql.case import folded, folded_array, folded_sql
from airtally.sql.compiler import column
from airtally.sql.statement import Statement

PAIRS = dict(zip(string.ascii_uppercase, string.ascii_lowercase, strict=True))
ODD = [
    "",
    "ABC-xyz_09",
    "ΛΟΓΟΣ",
    "λογος",
    "λογοσ",
    "Straße",
    "STRASSE",
    "İstanbul",
    "ISTANBUL",
    "ıI",
    "ſS",
    "\u212aK",  # the Kelvin sign and the letter
    "\u212bÅ",
    "ǄǅǆDZ",
    "A\u0301E\u0308",  # capitals with marks of their own
    "ÀÉ",
    "ﬀFF",
    "ЖЗ",
    "Ａ",
    "😀Z",
    "ẞß",
    "Ἃ",
    "O'Neil%_\\\"A",
]


def naive(text: str) -> str:
    return "".join(PAIRS.get(letter, letter) for letter in text)


def of_engine(engine: Engine, texts: list[str]) -> list[str]:
    table = pa.table({"place": pa.array(range(len(texts)), pa.int64()), "text": pa.array(texts, pa.string())})
    made = folded_sql(column("text")).as_("made", quoted=True)
    tree = exp.select(column("place"), made).from_(exp.to_table("given"))
    found = engine.query(Statement(tree, {"given": table}, {})).sort_by("place")
    return [str(text) for text in found["made"].to_pylist()]


def test_every_letter_of_unicode_in_python_and_arrow() -> None:
    letters = [chr(code) for code in range(1, sys.maxunicode + 1) if not 0xD800 <= code < 0xE000]
    assert [folded(letter) for letter in letters] == [naive(letter) for letter in letters]
    assert folded_array(pa.array(letters)).to_pylist() == [naive(letter) for letter in letters]


def test_every_letter_that_some_folding_changes(engine: Engine) -> None:
    letters = [chr(code) for code in range(1, sys.maxunicode + 1) if not 0xD800 <= code < 0xE000]
    odd = [each for each in letters if len({each, each.lower(), each.casefold(), each.upper()}) > 1]
    odd += [each for each in letters if unicodedata.combining(each)]
    texts = [f"{letter}A{letter}" for letter in odd] + odd
    assert len(odd) > 3_000
    assert of_engine(engine, texts) == [naive(text) for text in texts]


@pytest.mark.parametrize("chunked", [False, True])
def test_odd_texts_alike(engine: Engine, chunked: bool) -> None:
    array = pa.chunked_array([ODD[:5], ODD[5:]]) if chunked else pa.array(ODD)
    right = [naive(text) for text in ODD]
    assert [folded(text) for text in ODD] == folded_array(array).to_pylist() == of_engine(engine, ODD) == right


def test_what_is_absent_stays_absent(engine: Engine) -> None:
    table = pa.table({"text": pa.array([None, None], pa.string())})
    tree = exp.select(folded_sql(column("text")).as_("made", quoted=True)).from_(exp.to_table("given"))
    assert engine.query(Statement(tree, {"given": table}, {}))["made"].to_pylist() == [None, None]
