"""Pseudonyms, suppression of small cells, and frames that are safe in a spreadsheet."""
