from __future__ import annotations

from airtally.kit.quality import quality_headers


def test_the_headers_are_times_in_utc() -> None:
    assert quality_headers(data_through_us=1_793_610_900_000_000, generated_at_us=1, timezone="Asia/Kathmandu") == {
        "Airtally-Data-Through": "2026-11-02T09:15:00.000000Z",
        "Airtally-Generated-At": "1970-01-01T00:00:00.000001Z",
        "Airtally-Timezone": "Asia/Kathmandu",
    }
    assert "Airtally-Data-Through" not in quality_headers(data_through_us=None, generated_at_us=1, timezone="UTC")
