"""Who gets a page and who gets data, by the header Accept."""

from __future__ import annotations

import pytest

from airtally.kit.http import prefers_page

FIREFOX = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"
SAFARI = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
LYNX = "text/html, text/plain, text/sgml, text/css, application/xhtml+xml, */*;q=0.01"


@pytest.mark.parametrize(
    "accept",
    [
        FIREFOX,
        SAFARI,
        LYNX,
        "text/html",
        "TEXT/HTML",
        "text/html; charset=utf-8",
        "text/*",
        "application/xhtml+xml",
        "application/json;q=0.5, text/html;q=0.9",
        "application/json;q=0.899,text/html;q=0.9",
        "application/json;q=0,application/problem+json;q=0,*/*",
        "*/*;q=0.1, text/html ; q = 0.2",
    ],
)
def test_html_before_json(accept):
    assert prefers_page(accept) is True


@pytest.mark.parametrize(
    "accept",
    [
        "",
        " ",
        ",",
        "*/*",
        "application/json",
        "application/problem+json",
        "application/*",
        "application/json, text/html",
        "text/html, application/json",
        "text/html, */*",
        "text/html;q=0",
        "text/html;q=0, text/*;q=0",
        "text/html;q=0.000",
        "text/html;q=0.5, application/json;q=0.6",
        "text/html;q=0.5, */*;q=0.8",
        "text/*;q=0.5, application/problem+json",
        "text/plain",
        "image/png",
        "html",
        "text/html;q=nan",
        "text/html;q=",
        "text/html;q=-1",
        "text/html;q=inf",
        "application/json, text/plain, */*",
        "application/json;q=0, */*",  # problem+json is JSON too, and still taken
    ],
)
def test_all_others(accept):
    assert prefers_page(accept) is False
