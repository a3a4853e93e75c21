"""The fixtures of reports and of webhook receivers."""

from fixtures.receiver import receiver
from fixtures.reports import deliveries, floor, jobs, links, plays, reports, request_with_webhook

__all__ = ["deliveries", "floor", "jobs", "links", "plays", "receiver", "reports", "request_with_webhook"]
