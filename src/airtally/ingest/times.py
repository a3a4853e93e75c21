"""Parses RFC 3339 times into microseconds: whole columns at once, or one by one for few rows."""

from __future__ import annotations

import re
from datetime import date

import pyarrow as pa
import pyarrow.compute as pc

UTC_US = pa.timestamp("us", "UTC")

#: The valid times of rows, in microseconds: [1970-01-01, 2101-01-01) UTC.
EARLIEST_US = 0
LATEST_US = (date(2101, 1, 1).toordinal() - date(1970, 1, 1).toordinal()) * 86_400_000_000

#: Columns shorter than this are parsed one by one: compiling the expressions would cost more.
FEW = 64

#: The error for a text that is no time, by whether times are local.
EXPECTED = {
    False: "expected a time with offset such as 2026-11-22T08:00:00Z",
    True: "expected a time such as 2026-11-22T08:00:00",
}

#: By whether times are local.
_LENGTHS = {False: (20, 24, 27), True: (19, 23, 26)}
_EPOCH = date(1970, 1, 1).toordinal()
_DAY = (
    r"(?:[0-9]{4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])"
    r"|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)|02-(?:0[1-9]|1[0-9]|2[0-8]))"
    r"|(?:[0-9][0-9](?:0[48]|[2468][048]|[13579][26])|(?:[02468][048]|[13579][26])00)-02-29)"
)
_CLOCK = r"[Tt ](?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]{1,18})?"
_OFFSET = r"(?:[Zz]|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])"
_ZONED = f"^{_DAY}{_CLOCK}{_OFFSET}$"
_LOCAL = f"^{_DAY}{_CLOCK}{_OFFSET}?$"

_ONE_ZONED = re.compile(_ZONED.replace("$", r"\Z"))
_ONE_LOCAL = re.compile(_LOCAL.replace("$", r"\Z"))


def parse_time(text: str, *, local: bool) -> int | None:
    """Microseconds since 1970 in UTC or, if `local`, of the wall clock as written; None if it is no time.

    Finer fractions are cut. A local time may have an offset, which is ignored; any other time must have one.
    """
    if not (_ONE_LOCAL if local else _ONE_ZONED).match(text):
        return None
    year = int(text[:4])
    days = date(year or 400, int(text[5:7]), int(text[8:10])).toordinal() - _EPOCH
    if year == 0:  # `date` has no year 0, but the calendar repeats after 400 years
        days -= 146_097
    seconds = days * 86400 + int(text[11:13]) * 3600 + int(text[14:16]) * 60 + int(text[17:19])
    tail = text[19:]
    fraction = re.match(r"\.([0-9]+)", tail)
    micros = int(fraction[1][:6].ljust(6, "0")) if fraction else 0
    if not local and tail[-1] not in "Zz":
        shift = int(tail[-5:-3]) * 3600 + int(tail[-2:]) * 60
        seconds -= -shift if tail[-6] == "-" else shift
    return seconds * 1_000_000 + micros


def parse_times(texts: pa.Array, *, local: bool) -> pa.Array:
    """Timestamps (microseconds, UTC) from a string array; null for null and for texts that are no times."""
    if len(texts) < FEW:
        found = [None if text is None else parse_time(text, local=local) for text in texts.to_pylist()]
        return pa.array(found, pa.int64()).view(UTC_US)
    if _has_usual_form(texts, local=local):
        try:
            return _parse_times(texts, local=local)
        except pa.ArrowInvalid:
            pass
    return _parse_times(_usual(texts, local=local), local=local)


def _has_usual_form(texts: pa.Array, *, local: bool) -> bool:
    """Whether all are as long as times in seconds, milliseconds or microseconds: of these the library reads valid ones only.

    With a fraction there are offsets without a colon that are as long, so those must end with Z.
    """
    lengths = pc.min_max(pc.binary_length(texts)).as_py()
    if lengths["min"] is None or lengths["min"] != lengths["max"] or lengths["min"] not in _LENGTHS[local]:
        return False
    return local or lengths["min"] == _LENGTHS[local][0] or bool(pc.all(pc.ends_with(texts, "Z"), min_count=0).as_py())


def _usual(texts: pa.Array, *, local: bool) -> pa.Array:
    """Bring all valid forms to the one that the library reads; null for invalid ones."""
    fits = pc.match_substring_regex(texts, _LOCAL if local else _ZONED)
    texts = pc.ascii_upper(pc.if_else(fits, texts, None))
    if local:
        texts = pc.replace_substring_regex(texts, f"{_OFFSET}$", "")
    return pc.replace_substring_regex(texts, r"(\.[0-9]{6})[0-9]+", r"\1")


def _parse_times(texts: pa.Array, *, local: bool) -> pa.Array:
    parsed = pc.cast(texts, pa.timestamp("us") if local else UTC_US)
    return parsed.view(UTC_US) if local else parsed
