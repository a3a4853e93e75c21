from __future__ import annotations

from urllib.parse import parse_qsl, urlsplit

import pytest

from airtally.kit.signing import LinkSigner
from airtally.vendors.slate.links import FileLinks

#: 2026-11-22T10:00:00Z
NOW_US = 1_795_341_600_000_000
LINKS = FileLinks("https://host.example/", LinkSigner(b"a key for the links of tests"), 3600)


def query(us: int = NOW_US) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(LINKS.link(7, "f-000", us).url).query))


def test_a_link() -> None:
    link = LINKS.link(7, "f-000", NOW_US + 999_999)
    assert link.url.startswith(
        "https://host.example/files/f-000?X-Amz-Date=20261122T100000Z&X-Amz-Expires=3600&X-Amz-Signature="
    )
    assert link.expires_at == NOW_US + 3_600_000_000


@pytest.mark.parametrize(("seconds", "valid"), [(0, True), (3600, True), (3600.9, True), (3601, False), (-10, True)])
def test_its_life(seconds: float, valid: bool) -> None:
    assert LINKS.is_valid(7, "f-000", query(), NOW_US + round(seconds * 1_000_000)) is valid


def test_it_is_for_one_file_of_one_dataset() -> None:
    assert not LINKS.is_valid(8, "f-000", query(), NOW_US)
    assert not LINKS.is_valid(7, "f-001", query(), NOW_US)


@pytest.mark.parametrize("name", ["X-Amz-Date", "X-Amz-Expires", "X-Amz-Signature"])
@pytest.mark.parametrize("value", [None, "", "x", "99999999999999999999", "é"])
def test_no_part_of_it_can_be_another(name: str, value: str | None) -> None:
    changed = {each: text for each, text in query().items() if each != name} | ({} if value is None else {name: value})
    assert not LINKS.is_valid(7, "f-000", changed, NOW_US)
