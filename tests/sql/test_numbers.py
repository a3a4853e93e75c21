"""Numbers in JSON, of every size and way of writing, against Python's own decimals; alike on both engines."""

from __future__ import annotations

import json
import tempfile
from datetime import date
from decimal import ROUND_HALF_UP, Context, Decimal
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlglot import exp

from airtally.engine.protocol import Engine
from airtally.kit.time import day_start_us
from airtally.query.question import Dimension, Metric, Question
from airtally.query.service import Queries
from airtally.sql.compiler import column
from airtally.sql.filters import AllOf, Between, Equals, Filter, IsNull, Member, Not, OneOf
from airtally.sql.numbers import cents_text
from airtally.sql.statement import Statement
from airtally.streams import APP_EVENTS, DEVICE_TAGS
from airtally.streams.declaration import Type
from fixtures.snapshots import HandMade

START = day_start_us(date(2026, 3, 10))
CENT, WIDE = Decimal("0.01"), Context(prec=400)
#: As rows may be sent; each is stored as the one shortest text of it.
NUMBERS: list[int | float] = [
    *(0, -0.0, 1, -1, 10, 0.1, 0.104, 0.105, -0.105, 0.005, -0.005, 0.004999, 1e-5, 5e-324, -5e-324, 12.5, 99.99),
    *((1 << 53) + 1, (1 << 53) + 2, 9007199254740992.0, (1 << 63) - 1, 1 << 63, -(1 << 63) - 1, (1 << 64) - 1, 1e15),
    *(1e16, 1.5e16, 10**16, 123456789012345678.5, 1e17, 1e20, 10**20, 10**20 + 1, 1e22, 1e23, 10**23, -1e23, 1.5e22),
    *(1e35, 10**35, 9.999999999999999e35, 1e36, 1e37, 10**37, 1e38, 1e300, -1e300, 1.7976931348623157e308),
]
#: What they are compared with has at most 36 digits before the point.
ASKED = [each for each in NUMBERS if abs(Decimal(repr(each))) < Decimal(10) ** 36]
NO_NUMBERS: list[Any] = [
    "",
    "nan",
    "inf",
    "-Infinity",
    "1_0",
    " 1",
    "1 ",
    "+1",
    "0x1",
    "1e",
    True,
    False,
    ["1"],
    "10,5",
]


def text(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def known(engine: Engine) -> list[int | float]:
    """Sail's own reader of JSON makes doubles of whole numbers beyond 64 bits, and of some texts the double beside."""
    if engine.capabilities.file_lists:
        return NUMBERS
    whole = [each for each in NUMBERS if isinstance(each, float) or -(1 << 63) <= each < 1 << 64]
    return [each for each in whole if abs(each) <= 1e22 or abs(each) >= 1e300]


def read(value: Any, kind: Type) -> Decimal | None:
    """What a stored value is to a member of the type."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    number = Decimal(text(value))
    if kind is Type.INT64:
        return number if number == number.to_integral_value() else None
    return number.quantize(CENT, ROUND_HALF_UP, WIDE)


def events(folder: Path, values: list[Any]) -> HandMade:
    source = HandMade(folder, APP_EVENTS)
    rows = [
        {
            "application": "X",
            "event": "E",
            "time": START + second * 1_000_000,
            "attributes": "{}" if value is None else f'{{"v":{text(value)}}}',
        }
        for second, value in enumerate(values)
    ]
    source.compacted(rows[::3])
    source.uncompacted(rows[1::3])
    source.buffered(rows[2::3])
    return source


def met(engine: Engine, source: HandMade, where: Filter) -> list[int]:
    question = Question(source.stream, "acme", (Metric("rows"),), (Dimension(source.stream.time, "at"),), where)
    return sorted(
        (each - START) // 1_000_000 for each in Queries(engine, source).answer(question).table["at"].to_pylist()
    )


def asked(kind: Type) -> list[Decimal]:
    found = {read(each, kind) for each in ASKED} - {None}
    return sorted(each for each in found if each is not None)


@pytest.mark.parametrize("kind", [Type.INT64, Type.DECIMAL])
def test_every_number_against_every_number(engine: Engine, tmp_path: Path, kind: Type) -> None:
    values = [*known(engine), *NO_NUMBERS, None]
    source, member = events(tmp_path, values), Member("attributes", "v", kind)
    found = [read(value, kind) for value in values]
    for wanted in asked(kind)[:: 4 if engine.capabilities.file_lists else 12]:
        for where, holds in (
            (Equals(member, wanted), lambda each, wanted=wanted: each == wanted),
            (Between(member, at_least=wanted), lambda each, wanted=wanted: each >= wanted),
            (Between(member, at_most=wanted), lambda each, wanted=wanted: each <= wanted),
            (Between(member, below=wanted), lambda each, wanted=wanted: each < wanted),
            (Between(member, above=wanted), lambda each, wanted=wanted: each > wanted),
            (Not(Equals(member, wanted)), lambda each, wanted=wanted: each != wanted),
        ):
            right = [place for place, each in enumerate(found) if each is not None and holds(each)]
            assert met(engine, source, where) == right, where


@pytest.mark.parametrize("kind", [Type.INT64, Type.DECIMAL])
def test_what_is_no_number_and_lists(engine: Engine, tmp_path: Path, kind: Type) -> None:
    values = [*known(engine), *NO_NUMBERS, None]
    source, member = events(tmp_path, values), Member("attributes", "v", kind)
    found = [read(value, kind) for value in values]
    assert met(engine, source, IsNull(member)) == [place for place, each in enumerate(found) if each is None]
    wanted = asked(kind)
    for some in (wanted[::2], wanted[1::2], [*wanted[::2], *(Decimal(each) for each in range(1000, 1100))]):
        right = [place for place, each in enumerate(found) if each in some and each is not None]
        assert met(engine, source, OneOf(member, tuple(some))) == right, some
        right = [place for place, each in enumerate(found) if each is not None and each not in some]
        assert met(engine, source, AllOf((Not(OneOf(member, tuple(some))), Not(IsNull(member))))) == right


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(
    st.lists(
        st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(10**20), 10**20) | st.sampled_from(NUMBERS),
        min_size=1,
        max_size=8,
    ),
    st.sampled_from(ASKED) | st.decimals(-(10**20), 10**20, places=2),
    st.sampled_from([Type.INT64, Type.DECIMAL]),
)
def test_any_number(engine: Engine, values: list[Any], wanted: Any, kind: Type) -> None:
    wanted = read(wanted, kind) if not isinstance(wanted, Decimal) else wanted
    if wanted is None or (kind is Type.INT64 and wanted != wanted.to_integral_value()):
        return
    if not engine.capabilities.file_lists:
        values = [each for each in values if each in known(engine) or abs(each) < 10**15]
    member, found = Member("attributes", "v", kind), [read(value, kind) for value in values]
    with tempfile.TemporaryDirectory() as folder:
        source = events(Path(folder), values)
        for where, right in (
            (Equals(member, wanted), [each == wanted for each in found]),
            (Between(member, at_least=wanted), [each is not None and each >= wanted for each in found]),
            (Between(member, at_most=wanted), [each is not None and each <= wanted for each in found]),
        ):
            assert met(engine, source, where) == [place for place, holds in enumerate(right) if holds]


def test_a_column_of_json_is_compared_as_the_number_that_it_is(engine: Engine, tmp_path: Path) -> None:
    values = [*NUMBERS, "5", "", True, ["1"]]
    source = HandMade(tmp_path, DEVICE_TAGS)
    source.compacted(
        [
            {"hwid": f"h{n}", "tag": "t", "value": text(value), "last_update_time_utc": START + n * 1_000_000}
            for n, value in enumerate(values)
        ]
    )
    numbers = [Decimal(text(each)) if type(each) in {int, float} else None for each in values]
    for wanted in NUMBERS:
        right = [place for place, each in enumerate(numbers) if each is not None and each == Decimal(repr(wanted))]
        assert met(engine, source, Equals("value", wanted)) == right, wanted
    assert met(engine, source, Equals("value", '"5"')) == [len(NUMBERS)]
    assert met(engine, source, Equals("value", "true")) == [len(NUMBERS) + 2]
    assert met(engine, source, OneOf("value", ("true", 1, 0.1))) == [2, 5, len(NUMBERS) + 2]


def test_cents_as_text(engine: Engine) -> None:
    texts = [text(each) for each in NUMBERS] + [json.loads(text(str(each))) for each in NO_NUMBERS]
    table = pa.table({"place": pa.array(range(len(texts)), pa.int64()), "text": texts})
    tree = exp.select(column("place"), cents_text(column("text")).as_("cents", quoted=True)).from_(
        exp.to_table("given")
    )
    found = engine.query(Statement(tree, {"given": table}, {})).sort_by("place")["cents"].to_pylist()
    assert found[len(NUMBERS) :] == [None] * len(NO_NUMBERS)
    for number, cents in zip(NUMBERS, found[: len(NUMBERS)], strict=True):
        right = read(number, Type.DECIMAL)
        assert right is not None
        large = abs(right) >= Decimal(10) ** 36
        assert cents == (None if large else format(right or CENT * 0, "f")), number
