"""What a run leaves behind for those who answer for it: the audit log, and the check of all records against each other."""
