"""Random choices that are the same for the same words, in every process and on every machine."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any, Self, TypeVar

T = TypeVar("T")


class Chance(random.Random):
    """`Chance("requests", 17, 3)` draws the same in every run."""

    def __new__(cls, *words: object) -> Self:
        return super().__new__(cls)

    def __init__(self, *words: object) -> None:
        super().__init__(":".join(map(str, words)))

    def one_in(self, count: int) -> bool:
        return self.randrange(count) == 0

    def of(self, *choices: T) -> T:
        return choices[self.randrange(len(choices))]

    def few(self, choices: Sequence[T], most: int = 3) -> list[T]:
        """None to `most` of them, repeats among them."""
        return [self.choice(choices) for _ in range(self.randrange(most + 1))]

    def weighted(self, weights: dict[Any, int]) -> Any:
        return self.choices(list(weights), list(weights.values()))[0]
