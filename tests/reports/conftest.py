"""The fixtures of reports and of webhook receivers."""

from fixtures.receiver import receiver
from fixtures.reports import deliveries, jobs, links, plays, report_home, reports, request_with_webhook

__all__ = ["deliveries", "jobs", "links", "plays", "receiver", "report_home", "reports", "request_with_webhook"]
