"""Analyses: frames in; frames or charts out; no network."""
