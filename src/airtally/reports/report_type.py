"""What a vendor says of the reports that it offers: the lines of their files, and the notices to webhooks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from airtally.accounts.accounts import Account
from airtally.query.lines import Extract
from airtally.reports.report import Report
from airtally.reports.requests import PlayFilter


@dataclass(frozen=True, slots=True)
class ReportType:
    """`notice` writes the body that the webhook of an ended report gets; None stands for a report without a file."""

    extract: Callable[[Account, PlayFilter], Extract]
    notice: Callable[[Report, str | None], bytes]
