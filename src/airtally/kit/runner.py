"""Where heavy work runs, for whoever hands it over."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar, TypeVarTuple

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class Runner(Protocol):
    """Runs a function, in a child process or here, and hands back what it returns or raises."""

    def run(self, function: Callable[[*Ts], T], /, *args: *Ts) -> T: ...

    def close(self) -> None: ...
