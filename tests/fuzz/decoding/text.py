"""NDJSON, JSON arrays and CSV of rows, right and wrong."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

from airtally.streams.declaration import Stream
from fuzz.chance import Chance
from fuzz.trees import encoded, loose, mutated
from fuzz.values import NUMBERS, RAW_TEXTS, TEXTS, nasty

Rows = list[dict[str, Any]]
_EDITED_MOST = 8


def ndjson(chance: Chance, _: Stream, rows: Rows, spoil: bool) -> tuple[bytes, int | None]:
    ends = chance.of(b"\n", b"\n", b"\n", b"\r\n", b"\n\n") if spoil else b"\n"
    content = ends.join(_objects(chance, rows, spoil)) + (b"" if chance.one_in(4) else ends)
    if spoil and chance.one_in(20):
        content = chance.of(b"\xef\xbb\xbf" + content, content.replace(b"\n", b" "), b"\n" * 5000 + content, b" " * 99)
    return content, _lines(content)


def _lines(content: bytes) -> int:
    content = content.removeprefix(b"\xef\xbb\xbf")
    return sum(1 for line in content.split(b"\n") if line.strip(b" \t\r"))


def json_array(chance: Chance, _: Stream, rows: Rows, spoil: bool) -> tuple[bytes, int | None]:
    objects = _objects(chance, rows, spoil)
    content = b"[" + b",".join(objects) + b"]"
    if not spoil:
        return content, len(objects)
    wrapped = chance.of(
        content,
        content,
        b"".join(objects[:1]),
        b"[" + content + b"]",
        content[:-1],
        content + b"]",
        b'{"rows":' + content + b"}",
    )
    return wrapped, None


def _objects(chance: Chance, rows: Rows, spoil: bool) -> list[bytes]:
    """Some of the first rows are mutated; the others are as they were."""
    written = {id(each): encoded(each) for each in {id(each): each for each in rows}.values()}  # they repeat
    found = [written[id(each)] for each in rows]
    for at in range(min(len(rows), _EDITED_MOST) if spoil else 0):
        if chance.one_in(2):
            found[at] = encoded(mutated(chance, loose(rows[at]), nasty), chance.of(b"", b" "))
            if chance.one_in(15):
                place = chance.randrange(len(found[at]) + 1)
                found[at] = found[at][:place] + chance.choice(RAW_TEXTS) + found[at][place:]
    return found


def csv_text(chance: Chance, stream: Stream, rows: Rows, spoil: bool) -> tuple[bytes, int | None]:
    names = [column.name for column in stream.columns if any(column.name in each for each in rows)]
    if spoil and chance.one_in(3):
        names.append(chance.of("nothing", "", names[0] if names else "x", "a\nb", '"', "\ufeff"))
        chance.shuffle(names)
    out = io.StringIO(newline="")
    writer = csv.writer(
        out, quoting=chance.of(csv.QUOTE_MINIMAL, csv.QUOTE_ALL), lineterminator=chance.of("\n", "\r\n")
    )
    writer.writerow(names)
    writer.writerows([_cell(chance, each.get(name), spoil) for name in names] for each in rows)
    content = out.getvalue().encode("utf-8", "surrogatepass")
    if not spoil:
        return content, len(rows)
    if chance.one_in(6):
        at = chance.randrange(len(content) + 1)
        content = (
            content[:at]
            + chance.of(b'"', b"\n", b"\r", b"\0", b"\xff", b",", b'""', b"\xef\xbb\xbf", b"," * 3000)
            + content[at:]
        )
    return content, None


def _cell(chance: Chance, value: Any, spoil: bool) -> str:
    if spoil and chance.one_in(12):
        return chance.of(chance.choice(TEXTS), chance.choice(NUMBERS).decode(), '[{"a":1}]', '{"a":[1e400]}')
    if isinstance(value, list | dict):
        return json.dumps(value)
    return "" if value is None else str(value)
