"""What answers for finished runs: what blocks one, and the check of all records against each other."""
