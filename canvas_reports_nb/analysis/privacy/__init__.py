"""Pseudonyms, small-cell suppression and frames that are safe in a spreadsheet."""
