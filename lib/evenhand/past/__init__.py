"""Runs that have been: listed, opened again, compared."""
