"""Listings of rows that may be large: no page has more of them than memory is meant for."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Select

#: Of one page, as stored; in memory and as an answer it is several times as large.
MOST_CHARACTERS = 4 << 20


def how_many_fit(connection: Connection, sizes: Select[Any], most: int = MOST_CHARACTERS) -> int:
    """How many of the first rows have at most so many characters together; one at least, where there is any.

    `sizes` gives the characters of each, in the order of the listing.
    """
    number = total = 0
    for size in connection.execute(sizes).scalars():
        total += size
        if number and total > most:
            break
        number += 1
    return number
