"""Schedules: queries, exports and reports made at the times of a cron expression, and delivered."""
