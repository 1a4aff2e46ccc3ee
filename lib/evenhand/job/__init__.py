"""A run from its start to its end: its steps, and how it is started."""
