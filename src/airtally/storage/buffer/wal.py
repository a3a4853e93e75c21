"""SQLite's write-ahead log read frame by frame, for where SQLite itself would stop, or throw it away.

The format is SQLite's (https://www.sqlite.org/fileformat2.html#the_write_ahead_log): a header of 32 bytes, then frames
of 24 bytes and a page. A frame's checksum goes on from that of the frame before. SQLite takes the frames up to the
first that does not fit; here each frame is checked by what the one before says of itself, so that those after a damaged
one are told apart from rubbish.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

_HEADER_BYTES = 32
_FRAME_BYTES = 24
_MAGIC = 0x377F0682  # and one more where checksums read their words with the high byte first
_AT_ONCE = 512

Words = npt.NDArray[np.uint32]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Log:
    """The frames of one log, in order. `sizes` is the database's pages after a frame that commits, 0 for others.

    `ours` are the frames of this run of the log, `valid` those of them whose checksum is right.
    """

    path: Path
    page_bytes: int
    header_is_valid: bool
    pages: Words
    sizes: Words
    ours: Flags
    valid: Flags

    @property
    def is_broken(self) -> bool:
        """Whether a commit lies behind a frame that is damaged: SQLite would pass over it without a word."""
        if not self.header_is_valid:
            return True
        return bool((self.ours & (self.sizes > 0))[self._intact :].any())

    def frames(self, *, beyond_damage: bool) -> tuple[list[tuple[int, int]], int]:
        """(page, its place in the file) of what is committed, in order, and the database's size in pages.

        Up to the first damage, as SQLite has it, or with all frames that are right.
        """
        end = len(self.valid) if beyond_damage else self._intact
        commits = np.flatnonzero((self.valid & (self.sizes > 0))[:end])
        if not len(commits):
            return [], 0
        taken = np.flatnonzero(self.valid[: commits[-1] + 1])
        start, step = _HEADER_BYTES + _FRAME_BYTES, _FRAME_BYTES + self.page_bytes
        return [(int(self.pages[index]), start + int(index) * step) for index in taken], int(self.sizes[commits[-1]])

    @property
    def _intact(self) -> int:
        if not self.header_is_valid:
            return 0
        wrong = np.flatnonzero(~self.valid)
        return int(wrong[0]) if len(wrong) else len(self.valid)


def read(path: Path, page_bytes: int) -> Log | None:
    """None where there is no log, or an empty one. `page_bytes` counts where the log's header is damaged."""
    try:
        data = np.fromfile(path, np.uint8)
    except FileNotFoundError:
        return None
    if not len(data):
        return None
    head = data[:_HEADER_BYTES]
    header: Words = head.view(">u4").astype(np.uint32) if len(head) == _HEADER_BYTES else np.zeros(8, np.uint32)
    order = ">u4" if header[0] & 1 else "<u4"
    whole = bool(header[0] | 1 == _MAGIC | 1) and bool(
        (_checksum(head[None, :24], header[None, 4:6] * 0, order) == header[6:8]).all()
    )
    size = int(header[2]) if whole else page_bytes
    count = max(0, len(data) - _HEADER_BYTES) // (_FRAME_BYTES + size)
    frames = data[_HEADER_BYTES : _HEADER_BYTES + count * (_FRAME_BYTES + size)].reshape(count, _FRAME_BYTES + size)
    heads: Words = np.ascontiguousarray(frames[:, :_FRAME_BYTES]).view(">u4").astype(np.uint32)
    salts = header[4:6] if whole else _usual_salts(heads)
    ours = (heads[:, 2:4] == salts).all(axis=1)
    seeds = np.vstack([header[None, 6:8], heads[:-1, 4:6]]) if count else header[None, 6:8][:0]
    valid = ours & _fitting(frames, heads, seeds, "<u4" if not whole else order)
    if not whole and count:
        valid[0] = ours[0]  # what its checksum goes on from is lost; SQLite and the rows' own format check the rest
    return Log(path, size, whole, heads[:, 0], heads[:, 1], ours, valid)


def _usual_salts(heads: Words) -> Words:
    if not len(heads):
        return np.zeros(2, np.uint32)
    found, counts = np.unique(heads[:, 2:4], axis=0, return_counts=True)
    usual: Words = found[int(np.argmax(counts))]
    return usual


def _fitting(frames: npt.NDArray[np.uint8], heads: Words, seeds: Words, order: str) -> Flags:
    fits = np.zeros(len(frames), np.bool_)
    for start in range(0, len(frames), _AT_ONCE):
        some = slice(start, start + _AT_ONCE)
        checked = np.concatenate([frames[some, :8], frames[some, _FRAME_BYTES:]], axis=1)
        fits[some] = (_checksum(checked, seeds[some], order) == heads[some, 4:6]).all(axis=1)
    return fits


def _checksum(data: npt.NDArray[np.uint8], seeds: Words, order: str) -> Words:
    """Of each row of `data`. For each two words: s0 += first + s1, then s1 += second + s0, all modulo 2^32.

    That is linear, so it is done as one sum of products a row: a loop in Python would take a quarter of a minute for
    a large log.
    """
    words: Words = np.ascontiguousarray(data).view(order).astype(np.uint32)
    first, second = words[:, 0::2], words[:, 1::2]
    weights, after = _weights(first.shape[1])
    sums = [
        (first * weights[row, 0]).sum(axis=1, dtype=np.uint32)
        + (second * weights[row, 1]).sum(axis=1, dtype=np.uint32)
        + seeds[:, 0] * after[row, 0]
        + seeds[:, 1] * after[row, 1]
        for row in (0, 1)
    ]
    return np.stack(sums, axis=1)


@functools.lru_cache(16)  # one for each page size that a file may have
def _weights(steps: int) -> tuple[npt.NDArray[Any], Words]:
    """What each pair of words adds to (s0, s1), [sum, word of the pair, pair], and what the seeds do."""
    mask = 0xFFFFFFFF
    a, b, c, d = 1, 0, 0, 1  # the matrix [[1, 1], [1, 2]] to the power of the steps that follow
    weights = np.zeros((2, 2, steps), np.uint32)
    for step in range(steps - 1, -1, -1):
        weights[:, :, step] = [[(a + b) & mask, b], [(c + d) & mask, d]]
        a, b, c, d = (a + b) & mask, (a + 2 * b) & mask, (c + d) & mask, (c + 2 * d) & mask
    return weights, np.array([[a, b], [c, d]], np.uint32)
