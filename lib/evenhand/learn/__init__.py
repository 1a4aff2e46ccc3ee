"""Segments, learned from the answers to questions."""
