"""Who gets a page, who gets data, who gets it packed, and who has it already."""

from __future__ import annotations

import pytest

from airtally.kit.http import accepts_gzip, coding_of, is_known, prefers_page

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


@pytest.mark.parametrize(
    "accepted", ["gzip", "gzip, deflate, br", "br;q=1.0, gzip;q=0.2", "*", "GZIP", "identity;q=0, *"]
)
def test_gzip_is_accepted(accepted):
    assert accepts_gzip(accepted) is True


@pytest.mark.parametrize("accepted", ["", "br", "gzip;q=0", "*;q=0", "gzip;q=0, *", "x-gzip-like", "gzip;q=high"])
def test_gzip_is_not_accepted(accepted):
    assert accepts_gzip(accepted) is False


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [
        ("zstd", "zstd"),
        ("gzip, zstd", "gzip"),
        ("zstd, gzip", "gzip"),
        ("gzip;q=0.5, zstd;q=0.8", "zstd"),
        ("gzip;q=0, zstd;q=0.1", "zstd"),
        ("x-gzip", "gzip"),
        ("gzip;q=1.0,deflate;q=0.6,identity;q=0.3", "gzip"),
        ("identity, gzip;q=0.5", None),
        ("identity;q=0", None),
        ("br, deflate", None),
        ("*", "gzip"),
        ("gzip;q=2", None),
        ("gzip;q=0.5;level=1, , ;q=1", "gzip"),
    ],
)
def test_the_coding_that_is_preferred(accepted, coding):
    assert coding_of(accepted, ("gzip", "zstd")) == coding


@pytest.mark.parametrize("known", ['"a"', 'W/"a"', '"b", W/"a"', "*", ' "a" '])
@pytest.mark.parametrize("tag", ['"a"', 'W/"a"'])
def test_an_answer_that_the_client_has(known, tag):
    assert is_known(known, tag) is True


@pytest.mark.parametrize("known", ["", '"b"', "a", '"ab"', 'w/"a"', "**"])
def test_an_answer_that_the_client_does_not_have(known):
    assert is_known(known, 'W/"a"') is False
