"""Blind damage to bytes: what disks, networks and wrong programs do."""

from __future__ import annotations

from collections.abc import Callable

from fuzz.chance import Chance

_COUNTS = (
    b"\xff\xff\xff\xff",
    b"\xff\xff\xff\x7f",
    b"\0\0\0\x80",
    b"\0\0\0\0",
    b"\xff" * 8,
    b"\xff" * 7 + b"\x7f",
    b"\0" * 7 + b"\x80",
    b"\x80" * 9 + b"\x01",
)
#: Parquet and Arrow files say at their end what is in them.
_TAIL = 400


def damaged(chance: Chance, content: bytes) -> bytes:
    """One to three kinds of damage, one after the other."""
    for _ in range(1 + chance.randrange(3) // 2):
        content = chance.choice(_KINDS)(chance, content)
    return content


def _place(chance: Chance, content: bytes) -> int:
    if chance.one_in(3):
        return max(0, len(content) - chance.randrange(1, _TAIL))
    return chance.randrange(len(content) + 1)


def _flip(chance: Chance, content: bytes) -> bytes:
    changed = bytearray(content)
    for _ in range(chance.of(1, 1, 1, 2, 8) if changed else 0):
        changed[min(_place(chance, content), len(changed) - 1)] ^= 1 << chance.randrange(8)
    return bytes(changed)


def _cut(chance: Chance, content: bytes) -> bytes:
    return content[: _place(chance, content)]


def _behead(chance: Chance, content: bytes) -> bytes:
    return content[_place(chance, content) :]


def _count(chance: Chance, content: bytes) -> bytes:
    """A number of four or eight bytes, or one of variable length, that is very large or negative."""
    at, number = _place(chance, content), chance.choice(_COUNTS)
    return content[:at] + number + content[at + len(number) :]


def _splice(chance: Chance, content: bytes) -> bytes:
    """A piece of it somewhere else in it."""
    first, second, at = (_place(chance, content) for _ in range(3))
    return content[:at] + content[min(first, second) : max(first, second)] + content[at:]


def _drop(chance: Chance, content: bytes) -> bytes:
    at = _place(chance, content)
    return content[:at] + content[at + chance.randrange(1, 64) :]


def _zeros(chance: Chance, content: bytes) -> bytes:
    at, size = _place(chance, content), chance.randrange(1, 64)
    return content[:at] + bytes(min(size, len(content) - at)) + content[at + size :]


def _noise(chance: Chance, content: bytes) -> bytes:
    at = _place(chance, content)
    return content[:at] + chance.randbytes(chance.randrange(1, 9)) + content[at:]


_KINDS: tuple[Callable[[Chance, bytes], bytes], ...] = (
    _flip, _flip, _cut, _behead, _count, _count, _splice, _drop, _zeros, _noise,
)  # fmt: skip
