"""One file a command: its words, its arguments, what it does. A new one is added to the list in `cli/main.py`."""
