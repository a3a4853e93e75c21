"""The fixtures of webhooks and of their receivers."""

from fixtures.receiver import receiver
from fixtures.webhooks import (
    declared,
    endpoints,
    enqueue,
    message_deliveries,
    messages,
    queue,
    queue_of,
    start_mails,
    start_webhooks,
)

__all__ = [
    "declared",
    "endpoints",
    "enqueue",
    "message_deliveries",
    "messages",
    "queue",
    "queue_of",
    "receiver",
    "start_mails",
    "start_webhooks",
]
