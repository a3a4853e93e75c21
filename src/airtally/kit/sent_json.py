"""Decoding JSON that somebody sent, to the same depth in every process."""

from __future__ import annotations

import re
from itertools import accumulate
from typing import Any, TypeVar, overload

import msgspec

T = TypeVar("T")

#: Of arrays and objects in one another. Without a limit of our own the interpreter's would hold, which differs by
#: version (1,000 frames in Python 3.11, a limit in C since 3.12) and by how deep the call already is.
MAX_LEVELS = 200

_STRINGS = re.compile(rb'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_STEPS = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1}


def is_nested_too_deeply(text: bytes | str) -> bool:
    """Whether arrays and objects are nested deeper than `MAX_LEVELS`; brackets within strings do not count."""
    if isinstance(text, str):
        if text.count("[") + text.count("{") <= MAX_LEVELS:
            return False
        text = text.encode(errors="replace")
    if text.count(b"[") + text.count(b"{") <= MAX_LEVELS:
        return False
    brackets = _STRINGS.sub(b"", text).translate(None, _NO_BRACKETS)
    return any(level > MAX_LEVELS for level in accumulate(map(_STEPS.__getitem__, brackets)))


@overload
def decode_sent(text: bytes | str) -> Any: ...
@overload
def decode_sent(text: bytes | str, kind: type[T]) -> T: ...
def decode_sent(text: bytes | str, kind: Any = Any) -> Any:
    """The value as `kind`.

    Raises msgspec.DecodeError and UnicodeError, and RecursionError for what is nested deeper than `MAX_LEVELS`.
    """
    refuse_deep(text)
    return msgspec.json.decode(text, type=kind)


def refuse_deep(text: bytes | str) -> None:
    """Raises RecursionError for what is nested deeper than `MAX_LEVELS`."""
    if is_nested_too_deeply(text):
        raise RecursionError(f"JSON is nested more than {MAX_LEVELS} levels deep")
