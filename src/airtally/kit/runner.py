"""The interface of what runs heavy work."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar, TypeVarTuple

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class Runner(Protocol):
    """Runs a function, in a child process or in this one, and returns what it returns or raises what it raises."""

    def run(self, function: Callable[[*Ts], T], /, *args: *Ts) -> T: ...

    def close(self) -> None: ...
