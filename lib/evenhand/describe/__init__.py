"""What the segments are like, read from the assessment."""
