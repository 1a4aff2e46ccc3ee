"""The tables that a run reads: opened at their versions, checked, and brought to one form."""
