"""Who is in which segment, in native SQL."""
