"""Finished runs on this disk and in a shared store."""
