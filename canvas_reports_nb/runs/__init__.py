"""Runs of reports: decide, start, wait, download."""
