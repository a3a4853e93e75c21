"""The fixtures of alarms."""

from fixtures.alarms import alarm_home, alarms
from fixtures.receiver import receiver
from fixtures.webhooks import declared, endpoints, message_deliveries, messages

__all__ = ["alarm_home", "alarms", "declared", "endpoints", "message_deliveries", "messages", "receiver"]
