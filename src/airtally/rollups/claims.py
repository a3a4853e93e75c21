"""What the log says of a file of segments: the accounts that it was built for, and how many rows it has of each.

The log keeps it as the file's partition value `account`. A file of a release before 0.3 is of one account, and has just
its slug there and no column of that name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

#: No slug begins so.
_MARK = "{"


class _Noted(msgspec.Struct):
    made: int
    rows: dict[str, int]


@dataclass(frozen=True, slots=True)
class FileClaims:
    """The accounts of a file with their numbers of rows, in the order that they lie in it.

    `made` numbers the commits that replace files: of two files for the same days of an account the one with the greater
    number counts, and what the other has of it is dead. 0 for files of a release before 0.3, of which one commit removed
    what the next one replaced. `named` says whether the rows name their account.
    """

    made: int
    rows: Mapping[str, int]
    named: bool = True

    @property
    def shared(self) -> bool:
        return len(self.rows) > 1

    def text(self) -> str:
        """As the log keeps it."""
        if not self.named:
            return next(iter(self.rows))
        return msgspec.json.encode(_Noted(self.made, dict(self.rows))).decode()

    @classmethod
    def read(cls, text: str, rows: int) -> FileClaims:
        """`rows` is the number of all rows of the file. Raises msgspec.DecodeError."""
        if not text.startswith(_MARK):
            return cls(0, {text: rows}, named=False)
        noted = msgspec.json.decode(text, type=_Noted)
        return cls(noted.made, noted.rows)
