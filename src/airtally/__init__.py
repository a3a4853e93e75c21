"""Airtally: a self-hosted measurement and reporting server for people who run media."""

__version__ = "0.3.0"
