from __future__ import annotations

import gzip
import sys
import tracemalloc
import zlib

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airtally.ingest.decode import unpack
from airtally.kit.errors import BadRequest, TooLarge, UnsupportedMedia

LIMIT = 1 << 20


def zstd(data: bytes) -> bytes:
    return bytes(pa.compress(data, "zstd", asbytes=True))


@given(st.lists(st.binary(max_size=3000), min_size=1, max_size=4))
def test_what_was_packed_comes_back(parts: list[bytes]) -> None:
    whole = b"".join(parts)
    assert unpack(whole, "", unpacked_max=LIMIT) == unpack(memoryview(whole), "identity", unpacked_max=LIMIT) == whole
    assert unpack(b"".join(map(gzip.compress, parts)), "gzip", unpacked_max=LIMIT) == whole
    assert unpack(memoryview(gzip.compress(whole)), " X-GZIP ", unpacked_max=LIMIT) == whole
    assert unpack(b"".join(map(zstd, parts)), "zstd", unpacked_max=LIMIT) == whole


@given(st.binary(min_size=1, max_size=2000), st.data())
def test_what_is_cut_short_is_refused(content: bytes, data: st.DataObject) -> None:
    for encoding, body in (("gzip", gzip.compress(content)), ("zstd", zstd(content))):
        size = data.draw(st.integers(0, len(body) - 1))
        with pytest.raises((BadRequest, TooLarge)):
            unpack(body[:size], encoding, unpacked_max=1 << 33)


@given(st.binary(max_size=200), st.sampled_from(["gzip", "zstd"]))
def test_what_is_not_packed_is_refused(body: bytes, encoding: str) -> None:
    with pytest.raises((BadRequest, TooLarge)):
        unpack(b"x" + body, encoding, unpacked_max=1 << 33)


def test_damage_and_what_comes_after_the_end_are_refused() -> None:
    good = gzip.compress(b"a" * 1000)
    with pytest.raises(BadRequest):
        unpack(good[:-8] + b"\0\0\0\0" + good[-4:], "gzip", unpacked_max=LIMIT)
    with pytest.raises(BadRequest):
        unpack(good + b"rubbish!" + b"\0\0\0\0", "gzip", unpacked_max=LIMIT)
    with pytest.raises(BadRequest):
        unpack(zlib.compress(b"a"), "gzip", unpacked_max=1 << 33)
    assert unpack(good + b"\0" * 512, "gzip", unpacked_max=LIMIT) == b"a" * 1000


def test_a_small_last_member_hides_no_bomb_before_it() -> None:
    """The length in the last member's tail is small; what all members unpack to is not."""
    with pytest.raises(TooLarge):
        unpack(gzip.compress(b" " * LIMIT, 1) * 2 + gzip.compress(b"{}"), "gzip", unpacked_max=LIMIT)


def test_an_unknown_encoding_is_refused() -> None:
    for encoding in ("br", "gzip, gzip", "deflate", "x" * 1000):
        with pytest.raises(UnsupportedMedia):
            unpack(b"", encoding, unpacked_max=LIMIT)


@pytest.mark.parametrize("pack", [gzip.compress, zstd])
def test_the_limit_is_exact(pack: object) -> None:
    encoding = "zstd" if pack is zstd else "gzip"
    body = zstd(b"a" * LIMIT) if pack is zstd else gzip.compress(b"a" * LIMIT)
    assert len(unpack(body, encoding, unpacked_max=LIMIT)) == LIMIT
    with pytest.raises(TooLarge):
        unpack(body, encoding, unpacked_max=LIMIT - 1)
    with pytest.raises(TooLarge):
        unpack(b"a" * LIMIT, "", unpacked_max=LIMIT - 1)


def bomb(size: int) -> bytes:
    packer = zlib.compressobj(1, zlib.DEFLATED, 31)
    piece = b"\0" * (4 << 20)
    return b"".join(packer.compress(piece) for _ in range(size // len(piece))) + packer.flush()


@pytest.mark.parametrize("lies", [False, True])
def test_a_gzip_bomb_takes_no_memory(lies: bool) -> None:
    body = bomb(516 << 20)
    if lies:
        body += gzip.compress(b"x")  # the size at the end is that of the last member only
    tracemalloc.start()
    try:
        with pytest.raises(TooLarge):
            unpack(body, "gzip", unpacked_max=512 << 20)
        assert tracemalloc.get_traced_memory()[1] < (100 << 20 if lies else 16 << 20)  # counted, not kept
    finally:
        tracemalloc.stop()


def test_endless_empty_members_are_refused() -> None:
    with pytest.raises(BadRequest, match="members"):
        unpack(gzip.compress(b"") * 100_001, "gzip", unpacked_max=LIMIT)


@pytest.mark.parametrize("block", [1, 7, 1 << 20])
def test_members_may_end_anywhere_in_a_block(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules[unpack.__module__], "_BLOCK", block)
    body = gzip.compress(b"") + gzip.compress(b"one\n") + b"\0\0" + gzip.compress(b"two\n" * 1000)
    assert unpack(body, "gzip", unpacked_max=10_000) == b"one\n" + b"two\n" * 1000
    with pytest.raises(BadRequest):
        unpack(body[:-1], "gzip", unpacked_max=1 << 40)
