"""Fairer segments, and what they cost."""
