"""What is stored is in the form of its type, and stays what it is when it is sent again."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from airtally.accounts.declared import ValueType
from airtally.devices import fitted
from airtally.ingest.value_types import fits

_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
_dates = st.datetimes().map(str) | st.integers(0, 2**34)
_numbers = st.decimals(allow_nan=True, allow_infinity=True).map(str) | st.integers().map(str)


@given(wanted=st.sampled_from(ValueType), sent=_json | _dates | _numbers)
def test_what_is_kept_fits_and_is_kept_again(wanted: ValueType, sent: object) -> None:
    kept = fitted(wanted, sent)
    if kept is None:
        return
    again = msgspec.json.decode(msgspec.json.encode(kept))
    assert again == kept
    assert type(again) is type(kept)
    assert fits(wanted, kept)
    assert fitted(wanted, kept) == kept
