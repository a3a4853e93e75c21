"""JSON texts made of trees that may be wrong in ways `json.dumps` never is, and the edits that make them so."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from fuzz.chance import Chance


@dataclass(frozen=True)
class Raw:
    """Stands in the text as it is."""

    text: bytes


class Members(list):  # type: ignore[type-arg]
    """An object as pairs, so that a name may stand twice."""


def encoded(tree: Any, spaces: bytes = b"") -> bytes:
    if isinstance(tree, Raw):
        return tree.text
    if isinstance(tree, dict | Members):
        pairs = tree.items() if isinstance(tree, dict) else tree
        inside = [_text(name) + b":" + spaces + encoded(value, spaces) for name, value in pairs]
        return b"{" + (b"," + spaces).join(inside) + b"}"
    if isinstance(tree, list | tuple):
        return b"[" + (b"," + spaces).join(encoded(value, spaces) for value in tree) + b"]"
    if isinstance(tree, str):
        return _text(tree)
    return json.dumps(tree).encode()


def _text(value: Any) -> bytes:
    if isinstance(value, Raw):
        return value.text
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")


def mutated(chance: Chance, tree: Any, nasty: Callable[[Chance], Any], edits: int | None = None) -> Any:
    """The tree with one to three edits at places of it."""
    for _ in range(1 + chance.randrange(3) if edits is None else edits):
        places = list(_places(tree))
        if not places:
            return nasty(chance)
        holder, at = chance.choice(places)
        _edit(chance, holder, at, nasty)
    return tree


def loose(tree: Any) -> Any:
    """A copy whose objects are `Members`, to be edited in place."""
    if isinstance(tree, dict | Members):
        pairs = tree.items() if isinstance(tree, dict) else tree
        return Members([[name, loose(value)] for name, value in pairs])
    return [loose(value) for value in tree] if isinstance(tree, list | tuple) else tree


def _places(tree: Any) -> Iterator[tuple[Any, int]]:
    """Each value's holder and where it stands in it."""
    if not isinstance(tree, list):
        return
    for at, value in enumerate(tree):
        yield tree, at
        yield from _places(value[1] if isinstance(tree, Members) else value)


def _edit(chance: Chance, holder: Any, at: int, nasty: Callable[[Chance], Any]) -> None:
    is_object = isinstance(holder, Members)
    value = holder[at][1] if is_object else holder[at]
    kind = chance.randrange(12)
    if kind == 0:
        del holder[at]
    elif kind == 1:
        holder.append(holder[at])
    elif kind == 2 and is_object:
        holder.insert(chance.randrange(len(holder) + 1), [holder[at][0], nasty(chance)])
    elif kind == 3 and is_object:
        name = holder[at][0]
        changed = name.upper() if isinstance(name, str) else name
        holder[at] = [chance.of(changed, nasty(chance), ""), value]
        if not isinstance(holder[at][0], str | Raw):
            holder[at][0] = "x"
    else:
        changed = _changed(chance, value, nasty)
        holder[at] = [holder[at][0], changed] if is_object else changed


def _changed(chance: Chance, value: Any, nasty: Callable[[Chance], Any]) -> Any:
    kind = chance.randrange(9)
    if kind == 0:
        return [value]
    if kind == 1:
        return Members([["a", value]])
    if kind == 2:
        return json.dumps(value) if isinstance(value, str | int | float | bool | None) else "[]"
    if kind == 3 and isinstance(value, str):
        return value[: chance.randrange(len(value) + 1)] + chance.of("", "\0", " ", "\u0661", "*")
    if kind == 4 and isinstance(value, int):
        return chance.of(-value, value * 10**12, value + 0.5, value * 1.0, str(value))
    return nasty(chance)
