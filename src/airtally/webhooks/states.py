"""Channels and states of the deliveries of messages, as stored and shown."""

from __future__ import annotations

from enum import StrEnum


class Channel(StrEnum):
    WEBHOOK = "webhook"
    EMAIL = "email"


class MessageState(StrEnum):
    """The state of the delivery of one message to one recipient."""

    DUE = "due"  # to be tried at a time
    SENDING = "sending"  # under a lease
    DELIVERED = "delivered"
    FAILED = "failed"  # given up; can be redelivered
    HELD = "held"  # the endpoint is disabled; due once it is enabled
