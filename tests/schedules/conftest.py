"""The fixtures of schedules whose runs make exports and reports."""

from fixtures.exports import export_home
from fixtures.receiver import receiver
from fixtures.reports import deliveries, jobs, links, reports
from fixtures.schedule_home import schedule_home
from fixtures.webhooks import endpoints, messages, queue, queue_of

__all__ = [
    "deliveries",
    "endpoints",
    "export_home",
    "jobs",
    "links",
    "messages",
    "queue",
    "queue_of",
    "receiver",
    "reports",
    "schedule_home",
]
