"""Pseudonyms and suppression of small cells."""
