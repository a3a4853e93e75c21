from __future__ import annotations

import gzip
import io
import subprocess
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airtally.files.gzip import HEADER, Packed, pack, trailer


def member(parts: list[list[bytes]]) -> bytes:
    out = io.BytesIO()
    out.write(HEADER)
    packed = [pack(part, out) for part in parts]
    out.write(trailer(packed))
    return out.getvalue()


@given(st.lists(st.lists(st.binary(max_size=2000), max_size=4), max_size=6))
def test_parts_make_one_member(parts: list[list[bytes]]) -> None:
    plain = b"".join(b"".join(part) for part in parts)
    data = member(parts)
    single = zlib.decompressobj(wbits=31)
    assert single.decompress(data) == plain
    assert single.eof
    assert single.unused_data == b""


def test_no_part_and_an_empty_part_are_a_valid_file_of_nothing() -> None:
    assert gzip.decompress(member([])) == b""
    assert member([[b""], []]) == member([])


def test_a_part_says_what_it_holds() -> None:
    out = io.BytesIO()
    line = b'{"account":"acme"}\n'
    packed = pack([memoryview(line)] * 1000, out)
    assert packed == Packed(zlib.crc32(line * 1000), len(line) * 1000, len(out.getvalue()))


def test_the_gzip_program_reads_it(tmp_path: pytest.TempPathFactory) -> None:
    data = member([[b"one\n" * 70_000], [b"two\n" * 70_000]])
    ran = subprocess.run(["gzip", "-dc"], input=data, capture_output=True, check=True)
    assert ran.stdout == b"one\n" * 70_000 + b"two\n" * 70_000
    assert subprocess.run(["gzip", "-t"], input=data, capture_output=True, check=True).stderr == b""
