"""What follows from the list of the vendors' APIs."""

from __future__ import annotations

from pathlib import Path

import pytest

from airtally.accounts.accounts import _SLUG, RESERVED_SLUGS
from airtally.areas import area_of
from airtally.vendors.apis import APIS

PREFIXES = [(api, each) for api in APIS for each in api.prefixes]
DOCS = Path(__file__).parents[2] / "docs" / "vendors"


@pytest.mark.parametrize(("api", "prefix"), PREFIXES, ids=[each.path for _, each in PREFIXES])
def test_each_path_is_its_vendors_own(api, prefix):
    """None is hidden behind a wider one that stands before it."""
    assert (area_of(prefix.path).name, area_of(prefix.path).prefix) == (api.name, prefix.path)


@pytest.mark.parametrize(("api", "prefix"), PREFIXES, ids=[each.path for _, each in PREFIXES])
def test_no_account_takes_a_vendors_path(api, prefix):
    first = prefix.path.split("/")[1]
    assert first in RESERVED_SLUGS or not _SLUG.fullmatch(first)


def test_each_has_a_page_in_the_docs():
    assert sorted(each.stem for each in DOCS.glob("*.md")) == sorted(api.name for api in APIS)
