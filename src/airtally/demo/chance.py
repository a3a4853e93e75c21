"""Draws random numbers, whole arrays at a time. The same arguments give the same numbers on every machine."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from uuid import UUID

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

DAY_SECONDS = 86_400
#: The weight of each day of the week relative to the mean, Monday first.
WEEK = (0.93, 0.91, 0.93, 0.96, 1.05, 1.15, 1.07)


def draws(*names: object) -> np.random.Generator:
    """A random generator that is seeded with the names."""
    text = "/".join(map(str, names)).encode()
    return np.random.default_rng(int.from_bytes(blake2b(text, digest_size=16).digest(), "big"))


def chooser(*names: object) -> random.Random:
    """The same for single draws."""
    return random.Random("/".join(map(str, names)))  # noqa: S311 (sample data, no secret)


def uuid_of(chance: random.Random) -> str:
    return str(UUID(int=chance.getrandbits(128), version=4))


@dataclass(frozen=True)
class Weighted:
    """Draws the indices 0, 1, … with probabilities in proportion to their weights."""

    weights: Sequence[float] | Floats
    _steps: Floats = field(init=False, repr=False)

    def __post_init__(self) -> None:
        steps = np.cumsum(np.asarray(self.weights, np.float64))
        object.__setattr__(self, "_steps", steps / steps[-1])

    def draw(self, chance: np.random.Generator, count: int) -> Ints:
        return np.searchsorted(self._steps, chance.random(count), side="right").astype(np.int64)


@dataclass(frozen=True)
class DayClock:
    """Draws times of a day by the weights of its 24 hours, uniformly within an hour."""

    hours: Sequence[float]

    def seconds(self, chance: np.random.Generator, count: int) -> Floats:
        """Seconds since local midnight, unsorted."""
        steps = np.concatenate([[0.0], np.cumsum(np.asarray(self.hours, np.float64))])
        found: Floats = np.interp(chance.random(count), steps / steps[-1], np.arange(25) * 3600.0)
        return found


def shares(total: int, weights: Sequence[float] | Floats) -> Ints:
    """Split `total` by weights into whole numbers that add up to it."""
    ends = np.cumsum(np.asarray(weights, np.float64))
    rounded = np.round(ends / ends[-1] * total).astype(np.int64)
    cut: Ints = np.diff(rounded, prepend=0)
    return cut


def on_utc_day(start_us: int | Ints, local_seconds: Floats, utc_seconds: Floats) -> Ints:
    """Microseconds since 1970 of wall-clock times on the UTC day that begins at `start_us`.

    `utc_seconds` is how far the wall clock is ahead of UTC.
    """
    moments: Ints = start_us + (np.mod(local_seconds - utc_seconds, DAY_SECONDS) * 1e6).astype(np.int64)
    return moments


def falling(count: int, steep: float = 1.0) -> Floats:
    """The weights of Zipf's law: rank to the power of minus `steep`."""
    return 1.0 / np.arange(1, count + 1, dtype=np.float64) ** steep
