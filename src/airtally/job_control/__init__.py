"""Cancelling jobs and beginning them anew, whatever they are about."""
