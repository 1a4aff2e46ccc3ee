"""Spark itself: its session, the size of the code that it generates, its errors."""
