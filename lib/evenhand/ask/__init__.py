"""Everything that may leave the restricted zone: a file a question."""
