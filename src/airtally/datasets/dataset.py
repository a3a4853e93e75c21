"""A dataset: one changelog stream of one business, published as files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

#: The dataset kinds that every business has, with the stream each publishes.
STREAMS: Mapping[str, str] = {"subscription": "subscriptions", "playback": "playback", "catalog": "catalog"}
KINDS: Mapping[str, str] = {stream: kind for kind, stream in STREAMS.items()}


@dataclass(frozen=True, slots=True)
class Dataset:
    """`row_id` is the number in the metadata store, `id` what stands in paths, `format` that of its files."""

    row_id: int
    id: str
    stream: str
    format: str
    business: str

    @property
    def name(self) -> str:
        """Subscription, Playback or Catalog."""
        return KINDS[self.stream].capitalize()
