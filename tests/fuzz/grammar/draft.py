"""What the grammars of all APIs share: who calls, with which key, and how a right request is made wrong."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date
from typing import Any
from urllib.parse import quote_from_bytes

from fuzz.case import Case, Headers
from fuzz.chance import Chance
from fuzz.tenants import A, B, Tenant
from fuzz.trees import encoded, loose, mutated
from fuzz.values import RAW_TEXTS, nasty, plain_nasty

#: As they stand in a query: half escapes, bytes that are no UTF-8, an escaped zero, what ends a request line.
_BAD_QUERIES = (
    b"%",
    b"%zz",
    b"%ff%fe",
    b"%00",
    b"\xff",
    b"&&",
    b"=",
    b"[]",
    b"%u0041",
    b"%ed%a0%80",
    b";",
    b"#x",
    b"?",
    b"%0d%0aX:1",
)
_PAIRS_MOST = 40


class Draft:
    """One case in the making. `spoiled` drafts are mutated; the others are as a right client sends them."""

    def __init__(self, chance: Chance, today: date) -> None:
        self.chance = chance
        self.today = today
        self.me, self.other = (A, B) if chance.randrange(4) else (B, A)
        self.spoiled = chance.randrange(5) >= 2
        self.shows: set[str] = set()
        #: For what is written: a mark may stand in what the account had from the start alone, as anybody writes here.
        self.plain = replace(self.me, mark="plain")

    def key(self, of: Callable[[Tenant], str]) -> str:
        """A credential of the caller; sometimes the other account's, half of it, or none of any account."""
        chance = self.chance
        if self.spoiled and chance.one_in(8):
            kind = chance.randrange(4)
            if kind == 0:
                self.shows.add(self.other.letter)
                return of(self.other)
            return chance.of(of(self.me)[:-1], self.me.secret("nothing"), plain_nasty(chance), "")
        self.shows.add(self.me.letter)
        return of(self.me)

    def own(self, of: Callable[[Tenant], Sequence[Any]]) -> Any:
        """An id of the caller's; sometimes the other account's, or one that nobody has."""
        chance = self.chance
        if self.spoiled and chance.one_in(5):
            return chance.of(
                chance.choice(of(self.other)), chance.choice(of(self.other)), plain_nasty(chance), "9" * 12
            )
        return chance.choice(of(self.me))

    def json(self, tree: Any) -> bytes:
        chance = self.chance
        if not self.spoiled or chance.one_in(4):
            return encoded(tree)
        text = encoded(mutated(chance, loose(tree), nasty), chance.of(b"", b" ", b"\n"))
        if chance.one_in(12):
            at = chance.randrange(len(text) + 1)
            text = text[:at] + chance.choice(RAW_TEXTS) + text[at + chance.randrange(3) :]
        if chance.one_in(20):
            text = chance.of(b"", b"\xef\xbb\xbf" + text, text.decode("utf-8", "replace").encode("utf-16"), text * 2)
        return text

    def pairs(self, pairs: Sequence[tuple[str, Any]]) -> bytes:
        """A query string, or a form."""
        chance, found = self.chance, [(name, str(value)) for name, value in pairs if value is not None]
        if self.spoiled and not chance.one_in(4):
            for _ in range(1 + chance.randrange(2)):
                found = _spoiled(chance, found)
        text = b"&".join(_escaped(name) + b"=" + _escaped(value) for name, value in found[:_PAIRS_MOST])
        if self.spoiled and chance.one_in(12):
            at = chance.randrange(len(text) + 1)
            text = text[:at] + chance.choice(_BAD_QUERIES) + text[at:]
        return text

    def case(
        self,
        method: bytes,
        path: str,
        *,
        query: bytes = b"",
        headers: Headers | None = None,
        body: bytes = b"",
        **more: Any,
    ) -> Case:
        target = _escaped(path, b"/:|<>.") + (b"?" + query if query else b"")
        return Case(method, target, headers or [], body, sorted(self.shows), **more)


def _escaped(text: str, safe: bytes = b"<>.") -> bytes:
    """Placeholders stay as they are."""
    return quote_from_bytes(text.encode("utf-8", "surrogatepass"), safe.decode()).encode()


def _spoiled(chance: Chance, pairs: list[tuple[str, str]]) -> list[tuple[str, str]]:
    at = chance.randrange(len(pairs)) if pairs else 0
    kind = chance.randrange(6)
    if not pairs or kind == 0:
        return [*pairs, (plain_nasty(chance)[:200], plain_nasty(chance))]
    name, value = pairs[at]
    if kind == 1:
        return pairs[:at] + pairs[at + 1 :]
    if kind == 2:
        return [*pairs, (name, plain_nasty(chance))]
    if kind == 3:
        return [*pairs[:at], (chance.of(f"{name}[]", name.upper(), f" {name}", f"{name}\0"), value), *pairs[at + 1 :]]
    return [*pairs[:at], (name, plain_nasty(chance)), *pairs[at + 1 :]]
