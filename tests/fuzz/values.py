"""Values that readers stumble over: numbers, texts, times, and whole JSON values."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from fuzz.chance import Chance
from fuzz.trees import Raw

NUMBERS = (
    b"0", b"-0", b"-1", b"1", b"0.5", b"1e5", b"1E400", b"-1e-400", b"NaN", b"Infinity", b"-Infinity", b"9007199254740993",
    b"2147483648", b"9223372036854775807", b"9223372036854775808", b"-9223372036854775809", b"18446744073709551616", b"1e20",
    b"1" + b"0" * 400, b"0." + b"3" * 400, b"01", b"+1", b"1.", b".5", b"0x10", b"1_000", b"1e", b"--1", b"4.9e-324", b"1e308",
)  # fmt: skip

TEXTS = (
    "", " ", "0", "-1", "null", "true", "NaN", "\u0661\u0662", "\uff11", "\U0001d7d9", "a\0b", "\0", "\ufeff", "\u202eabc", "\u0130i\u0131", "e\u0301",
    "\U0001f600", "\U0010ffff", "\uffff", "\u2028", "'", '"', "\\", "';--", "' OR 1=1", "%", "%00", "%s%n", "{}", "{0}", "${x}", "..", "../../etc/passwd",
    "/etc/passwd", "a/b", "a\nb", "a\r\nX: y", "\t", "=1+1", "<b>&amp;", "*", "a|b", "[", "(a+)+$", "\\u0000", "nan", "inf", "1e5", "1_0", "0x1", "+5", "5 ",
    "None", "undefined", "[]", "[1]", '{"a":1}', "__proto__", "A" * 257, "é" * 129, "x" * 5000, "*" * 300, "a%" * 50, "count", "day", "account",
)  # fmt: skip

#: Written as they stand into a JSON text: half a pair, a bad escape, raw control bytes, bytes that are no UTF-8.
RAW_TEXTS = (
    rb'"\ud800"', rb'"\udc00x"', rb'"\ud83d\ude00"', rb'"\x"', b'"a\nb"', b'"\x00"', b'"\xff\xfe"', b'"\xc3"', b'"\xed\xa0\x80"', rb'"\u00"', rb'"\u0000"',
    b'"', b"'a'", b"tru", b"", b"[", b"{", b"}", b"]", b",", b"\xff", b"//", b"undefined", b"[" * 2000, b'{"a":' * 1500, b"[" * 200 + b"]" * 200,
)  # fmt: skip

ZONES = (
    "UTC", "America/Sao_Paulo", "Asia/Kathmandu", "Mars/Olympus", "utc", "GMT+3", "Etc/GMT+14", "+05:45", "-99:99", "", "../../../etc/passwd", "/etc/localtime",
    "Europe", "America/", ".", "a" * 300, "posixrules", "EST5EDT", "Factory", "right/UTC", "localtime", "America/Sao_Paulo\0",
)  # fmt: skip

_OFFSETS = (
    "Z",
    "z",
    "",
    "+00:00",
    "-03:00",
    "+05:45",
    "+14:00",
    "-12:00",
    "+15:00",
    "-00:00",
    "+24:00",
    "+9",
    "-0330",
    "+23:59",
    "\u221203:00",
    " 00:00",
    "+05:45:30",
)
_EXTREME_DAYS = (
    "0000-00-00", "0001-01-01", "1582-10-10", "1899-12-31", "1969-12-31", "1970-01-01", "2024-02-29", "2023-02-29", "2100-12-31", "2101-01-01", "9999-12-31",
    "10000-01-01", "-0001-01-01", "2026-13-01", "2026-00-10", "2026-11-31", "2026-1-5", "20261122", "2026-W47", "2026-326", "\u0662\u0660\u0662\u0666-11-22",
)  # fmt: skip
_CLOCKS = (
    "00:00:00",
    "23:59:59",
    "24:00:00",
    "23:59:60",
    "12:30",
    "12",
    "25:00:00",
    "12:60:00",
    "12:30:00.123456789",
    "12:30:00.",
    "1:2:3",
    "12:30:00,5",
    "",
)


def day(chance: Chance, today: date, back: int = 40) -> str:
    """Mostly one of the last days, sometimes one that should not be asked for."""
    if chance.one_in(6):
        return chance.choice(_EXTREME_DAYS)
    return str(today - timedelta(days=chance.randrange(-2, back)))


def moment(chance: Chance, today: date, back: int = 40) -> str:
    """A date-time, mostly RFC 3339."""
    if chance.one_in(12):
        return chance.of(*TEXTS, "1795132800", "1795132800.5", "-1", "99999999999999999999", "now", "today")
    clock = chance.choice(_CLOCKS) if chance.one_in(4) else f"{chance.randrange(24):02}:00:00"
    offset = chance.choice(_OFFSETS) if chance.one_in(2) else "Z"
    return day(chance, today, back) + chance.of("T", "T", "T", " ", "t", "") + clock + offset


def nasty(chance: Chance) -> Any:
    """A value for a JSON tree that is not what was expected there."""
    kind = chance.randrange(10)
    if kind < 3:
        return Raw(chance.choice(NUMBERS))
    if kind < 6:
        return chance.choice(TEXTS)
    if kind == 6:
        return Raw(chance.choice(RAW_TEXTS))
    if kind == 7:
        return chance.of(None, True, False, [], {}, [[]], [None], {"": None}, [{}], {"a": {"b": []}})
    if kind == 8:
        return Raw(b"[" + b",".join([chance.choice(NUMBERS[:3])] * chance.of(1, 2, 100, 3000)) + b"]")
    return chance.of("x" * 70_000, "\u00e9" * 3000, ["a"] * 1001, list(range(300)), {str(n): n for n in range(300)})


def plain_nasty(chance: Chance) -> str:
    """A text for a form, a query or a header."""
    if chance.one_in(3):
        return chance.choice(NUMBERS).decode()
    return chance.of("x" * 9000, *TEXTS, *ZONES)
