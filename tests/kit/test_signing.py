from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airtally.kit.signing import LinkSigner

SIGNER = LinkSigner(b"k" * 32)


def test_a_signature_is_for_one_path_and_one_key() -> None:
    signature = SIGNER.sign("/acme/1-0.gz")
    assert re.fullmatch("[0-9a-f]{40}", signature)
    assert SIGNER.is_signed("/acme/1-0.gz", signature)
    assert not SIGNER.is_signed("/acme/2-0.gz", signature)
    assert not LinkSigner(b"x" * 32).is_signed("/acme/1-0.gz", signature)


@given(st.text())
def test_nothing_else_is_a_signature(text: str) -> None:
    assert not SIGNER.is_signed("/acme/1-0.gz", text) or text == SIGNER.sign("/acme/1-0.gz")


def test_a_short_key_is_refused() -> None:
    with pytest.raises(ValueError, match="16 bytes"):
        LinkSigner(b"short")
