"""Cutting the signature out of what any encoder wrote, and nothing else."""

from __future__ import annotations

import base64
import hmac
import json
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from airtally.vendors.scaleengine.signature import cut, decoded, verified

SECRET = "a secret"
LAYOUTS: tuple[dict[str, Any], ...] = (
    {},
    {"separators": (",", ":")},
    {"ensure_ascii": False},
    {"indent": 2},
    {"indent": "\t", "separators": (" , ", " :  ")},
    {"sort_keys": True},
)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12) | st.sampled_from(
    ['","signature":"', '"', "\\", "/", '{"signature":"x"}', "signature", "\u2028", "a\\"]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS | st.just("signature"), inner, max_size=3),
    max_leaves=8,
)
FIELDS = st.dictionaries(TEXTS.filter(lambda name: name != "signature"), VALUES, max_size=5)


def encoded(fields: dict[str, Any], layout: dict[str, Any], *, slashes: bool) -> bytes:
    text = json.dumps(fields, **layout)
    return (text.replace("/", "\\/") if slashes else text).encode()


def sign(text: bytes) -> str:
    return base64.b64encode(hmac.digest(SECRET.encode(), text, "sha256")).decode()


def placed(fields: dict[str, Any], place: int, value: str) -> dict[str, Any]:
    pairs = list(fields.items())
    pairs.insert(place % (len(pairs) + 1), ("signature", value))
    return dict(pairs)


def accepts(text: bytes) -> bool:
    return verified(text, msgspec.json.decode(text), SECRET) is not None


@given(FIELDS, st.sampled_from(LAYOUTS), st.booleans(), st.integers(0, 9))
def test_what_any_encoder_signs_is_accepted_wherever_the_signature_stands(
    fields: dict[str, Any], layout: dict[str, Any], slashes: bool, place: int
) -> None:
    signed = encoded(fields, layout, slashes=slashes)
    sent = encoded(placed(fields, place, sign(signed)), layout, slashes=slashes)
    assert cut(sent) == signed or not fields
    assert accepts(sent)


@given(FIELDS, FIELDS, st.sampled_from(LAYOUTS), st.sampled_from(LAYOUTS), st.booleans())
def test_a_changed_request_is_refused(
    fields: dict[str, Any], others: dict[str, Any], layout: dict[str, Any], other: dict[str, Any], slashes: bool
) -> None:
    changed = fields | others
    sent = encoded(placed(changed, 99, sign(encoded(fields, layout, slashes=slashes))), other, slashes=slashes)
    same = json.dumps(changed, sort_keys=True) == json.dumps(fields, sort_keys=True)
    assert same or not accepts(sent)


@given(st.binary(max_size=60))
def test_any_json_object_is_cut_without_an_error(text: bytes) -> None:
    try:
        members = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return
    if isinstance(members, dict):
        assert verified(text, members, SECRET) is None


def test_none_or_more_than_one_signature() -> None:
    assert cut(b"{}") is None
    assert cut(b'{"a":{"signature":"x"},"b":["signature"]}') is None
    assert cut(b'{"signature":1,"sign\\u0061ture":2}') is None


def test_each_place() -> None:
    assert cut(b'{"signature":"x"}') == b"{}"
    assert cut(b'{ "signature" : "x" , "a":[1,{"b":2}] }') == b'{ "a":[1,{"b":2}] }'
    assert cut(b'{"a":1 , "signature":{"x":[]}\n, "b":null}') == b'{"a":1\n, "b":null}'
    assert cut(b'{"a":"}","signature":-1.5e3 }') == b'{"a":"}" }'


def test_signatures_as_they_come() -> None:
    digest = bytes(range(224, 256))
    text = base64.b64encode(digest).decode()
    assert "+" in text or "/" in text
    for form in (text, text.rstrip("="), text.replace("+", " ")):
        assert decoded(form) == digest
    for form in ("", text[:-2], text + "A", text.replace("/", "_") + "\n", digest.hex(), None, 5, [text]):
        assert decoded(form) is None
